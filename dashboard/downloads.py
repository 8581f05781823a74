"""Files that a page offers: CSV, made while it is sent."""

import asyncio
from collections.abc import Callable, Generator, Iterator
from itertools import chain, islice
from typing import ClassVar
from urllib.parse import quote

from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from broker.errors import SettingsError
from broker.settings import Settings
from dashboard.access import UNREADABLE
from dashboard.told import tell
from store import queries

CSV = "text/csv; charset=utf-8"
LINES = 1000
"""Lines of a piece: each piece costs a change of threads."""
LONGEST_S = 600.0
"""How long a download may take: so long the store's write-ahead log may grow."""
MOST = 4
"""Downloads at a time."""
BUSY = f"{MOST} downloads are under way: try again when one is through.\n"

Lines = Callable[[queries.Connection], Iterator[str]]


def csv_answer(settings: Settings, name: str, lines: Lines) -> Response:
    """Return a CSV file of that name, its lines read from the database in one transaction.

    While it is read the store cannot fold its write-ahead log into the database: so a download has an end.
    """
    return _Download(settings, name, lines)


class _Download(Response):
    """Reads and sends the lines, where not too many do so already. Without a database it says why."""

    under_way: ClassVar[set["_Download"]] = set()

    def __init__(self, settings: Settings, name: str, lines: Lines) -> None:
        super().__init__(media_type=CSV, headers=_named(name))
        self._pieces = _pieces(settings, lines)
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and end the transaction whatever becomes of whoever asked."""
        if len(self.under_way) >= MOST:
            await PlainTextResponse(BUSY, 503, {"Retry-After": "60"})(scope, receive, send)
            return
        self.under_way.add(self)
        try:
            answer = await self._answer()
            await answer(scope, receive, send)
        finally:
            self.under_way.remove(self)
            self._pieces.close()

    async def _answer(self) -> Response:
        try:
            first = await run_in_threadpool(next, self._pieces, b"")
        except SettingsError:
            return PlainTextResponse(f"{UNREADABLE}\n", status_code=503)
        return _Lasting(chain([first], self._pieces), media_type=CSV, headers=_named(self._name))


class _Lasting(StreamingResponse):
    """An answer that is broken off, so that the browser says it failed, when it takes too long."""

    async def listen_for_disconnect(self, receive: Receive) -> None:
        """Wait until the browser has gone, the session has ended, or the time is over."""
        try:
            async with asyncio.timeout(LONGEST_S):
                await super().listen_for_disconnect(receive)
        except TimeoutError:
            tell("warning", "download-broken-off", detail=f"not through after {LONGEST_S:g} s")


def csv_text(name: str, text: str) -> Response:
    """Return a small CSV file of that name."""
    return Response(text, media_type=CSV, headers=_named(name))


def _named(name: str) -> dict[str, str]:
    return {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}


def _pieces(settings: Settings, lines: Lines) -> Generator[bytes]:
    with queries.reading(settings.store) as connection:
        found = lines(connection)
        while piece := "".join(islice(found, LINES)):
            yield piece.encode("utf-8", "surrogateescape")
