"""One file while it comes: a piece at a time to disk, never whole in memory; nothing of it unless whole."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from dashboard.declared import Refused
from dashboard.uploads import IDLE_S, Upload, Uploads, why_not

PIECE_BYTES = 1 << 20
"""What is written at a time: each write costs a change of threads."""


async def receive(uploads: Uploads, upload: Upload, number: int, body: AsyncIterator[bytes]) -> None:
    """Take one planned file. Raises Refused, or what `body` raises; then nothing of the file is left.

    A file that was taken before is passed over: whoever lost the answer may send it again.
    """
    planned = upload.plan.files.get(number)
    if planned is None:
        raise Refused(404, "No such file was announced.")
    if number in upload.done:
        return
    arriving = _Arriving(uploads, upload, planned.path, planned.size)
    upload.coming += 1
    try:
        await _take(arriving, upload, body)
    except OSError as error:
        raise Refused(507, why_not(uploads.inbox, error)) from error
    finally:
        upload.coming -= 1
        upload.touch()
        arriving.discard()
    upload.done.add(number)


async def _take(arriving: "_Arriving", upload: Upload, body: AsyncIterator[bytes]) -> None:
    waiting = bytearray()
    async for piece in _within(body):
        arriving.count(len(piece))
        waiting += piece
        if len(waiting) >= PIECE_BYTES:
            await asyncio.to_thread(arriving.write, waiting)
            upload.touch()
            waiting = bytearray()
    await asyncio.to_thread(arriving.keep, waiting)


async def _within(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the pieces; whoever sends none for too long is not waited for. Raises Refused."""
    while True:
        try:
            async with asyncio.timeout(IDLE_S):
                piece = await anext(body, None)
        except TimeoutError as error:
            raise Refused(408, f"No byte has come for {IDLE_S:.0f} seconds.") from error
        if piece is None:
            return
        yield piece


class _Arriving:
    """A file beside the parcel until it is whole."""

    def __init__(self, uploads: Uploads, upload: Upload, path: str, size: int) -> None:
        self._uploads = uploads
        self._target = upload.parcel / path
        self._part: Path | None = upload.place / f"part-{secrets.token_hex(8)}"
        self._file: BinaryIO | None = None
        self._size = size
        self._counted = 0

    def count(self, size: int) -> None:
        """Count what has come. Raises Refused when it is more than was announced."""
        self._counted += size
        if self._counted > self._size:
            raise Refused(413, f"More has come than the {self._size:,} bytes that were announced.")

    def write(self, piece: bytes | bytearray) -> None:
        """Write a piece. Raises OSError, and Refused where the disk has no more room to give."""
        if self._part is None:
            raise FileNotFoundError
        self._uploads.check_room(len(piece))
        if self._file is None:
            self._file = self._part.open("xb", buffering=0)
        view = memoryview(piece)
        while view:
            view = view[self._file.write(view) or 0 :]

    def keep(self, rest: bytes | bytearray) -> None:
        """Write the last piece, and put the whole file to the others. Raises OSError and Refused."""
        if self._counted != self._size or self._part is None:
            raise Refused(400, f"{self._counted:,} of {self._size:,} bytes have come.")
        self.write(rest)
        if self._file is not None:
            self._file.close()
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._part.rename(self._target)
        self._part = None

    def discard(self) -> None:
        """Leave nothing, unless it was kept."""
        if self._file is not None:
            self._file.close()
        if self._part is not None:
            with contextlib.suppress(OSError):
                self._part.unlink()
            self._part = None
