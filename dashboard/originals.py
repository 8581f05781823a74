"""The photo itself, as it lies in the inbox: beside the pixels, and at an address of its own.

Only what has a row as a prediction or a failure, below its job's folder, reached by no link; and only what
begins like a picture that browsers show, sent as just that.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO

from fastapi import FastAPI, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from nicegui import html
from starlette.types import Receive, Scope, Send

from broker.errors import SettingsError
from broker.originals import opened
from broker.settings import Settings
from dashboard import words
from dashboard.access import UNREADABLE
from dashboard.frame import address
from dashboard.site import Site
from store import queries
from store.answers import Key
from store.dropped import whence

MOST_BYTES = 67_108_864
PIECE_BYTES = 1 << 18
HEAD_BYTES = 18
POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
GONE = "The photo is no longer in the inbox."
NOT_HERE = "The photo cannot be shown here: browsers show JPEG, PNG, WebP, GIF and BMP."
_STARTS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}
"""The lengths of a BMP's second header: `BM` alone may begin a text."""


class NoPhoto(Exception):  # noqa: N818 - no defect: the text is for whoever looks
    """There is no photo to show; the text says why."""


@dataclass(frozen=True)
class Photo:
    """An open file that may be shown. Whoever asked for it closes it."""

    file: FileIO
    kind: str
    size: int


def add(made: FastAPI, site: Site) -> None:
    """Add the photos' address."""

    @made.get("/original")
    def original(job_id: str = "", image: str = "") -> Response:
        try:
            found = find(site.settings, job_id, image)
        except NoPhoto as why:
            return PlainTextResponse(f"{why}\n", status_code=404)
        return PhotoAnswer(found)


class PhotoAnswer(StreamingResponse):
    """Sends a photo and closes it, also when whoever asked has gone before its first byte."""

    def __init__(self, found: Photo) -> None:
        headers = {
            "Content-Disposition": "inline",
            "Content-Length": str(found.size),
            "Content-Security-Policy": POLICY,
        }
        super().__init__(_pieces(found), media_type=found.kind, headers=headers)
        self._file = found.file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self._file:
            await super().__call__(scope, receive, send)


def why_none(settings: Settings, key: Key) -> str:
    """Return why there is no photo to show of an image, "" where there is one."""
    try:
        find(settings, *key).file.close()
    except NoPhoto as why:
        return str(why)
    return ""


def photo(key: Key, why: str) -> None:
    """Show the photo of an image; or say `why` there is none, as `why_none` found."""
    job_id, image = key
    with html.figure():
        if why:
            html.figcaption(why)
            return
        where = address("/original", job_id=job_id, image=image)
        with html.a(href=where).props('target="_blank"').classes("original") as link:
            link.props["aria-label"] = f"{image}, the photo, in a window of its own"
            html.img(src=where, alt=f"{image}, the photo")
        html.figcaption("The photo, as it lies in the inbox now")


def find(settings: Settings, job_id: str, image: str) -> Photo:
    """Return an image's photo. Raises NoPhoto."""
    try:
        with queries.reading(settings.store) as connection:
            known = whence(connection, job_id, image)
    except SettingsError as problem:
        raise NoPhoto(UNREADABLE) from problem
    if known is None:
        raise NoPhoto("The database knows no such image.")
    if known.source != settings.ingest_agent.source:
        raise NoPhoto(f"The photo lies where {known.source} read it, not in this inbox.")
    try:
        file = FileIO(opened(settings, known.source, known.folder, image))
    except FileNotFoundError as error:
        raise NoPhoto(GONE) from error
    except OSError as error:
        raise NoPhoto(f"The photo cannot be read: {error.strerror or 'it is no plain file'}.") from error
    try:
        return _shown(file)
    except BaseException:
        file.close()
        raise


def _shown(file: FileIO) -> Photo:
    size = os.fstat(file.fileno()).st_size
    if size > MOST_BYTES:
        raise NoPhoto(f"The photo has {words.size(size)}: too much to be shown here.")
    kind = kind_of(os.pread(file.fileno(), HEAD_BYTES, 0))
    if kind is None:
        raise NoPhoto(NOT_HERE)
    return Photo(file, kind, size)


def kind_of(head: bytes) -> str | None:
    """Return the media type of a file that begins so; None for what browsers do not show, or act upon."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "image/bmp"
    return next((kind for start, kind in _STARTS if head.startswith(start)), None)


def _pieces(found: Photo) -> Iterator[bytes]:
    """Yield the file, as long as it was when it was opened: one that is cut off breaks the answer off."""
    left = found.size
    while left and (piece := found.file.read(min(left, PIECE_BYTES))):
        left -= len(piece)
        yield piece
