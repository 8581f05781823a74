"""Files that a page offers: CSV, made while it is sent."""

from collections.abc import Callable, Iterator
from itertools import chain, islice
from urllib.parse import quote

from fastapi.responses import PlainTextResponse, Response, StreamingResponse

from broker.errors import SettingsError
from broker.settings import Settings
from dashboard.access import UNREADABLE
from store import queries

CSV = "text/csv; charset=utf-8"
LINES = 1000
"""Lines of a piece: each piece costs a change of threads."""

Lines = Callable[[queries.Connection], Iterator[str]]


def csv_answer(settings: Settings, name: str, lines: Lines) -> Response:
    """Return a CSV file of that name, its lines read from the database in one transaction.

    The first of them are read at once: without a database the answer says so, and a page says why.
    """
    pieces = _pieces(settings, lines)
    try:
        first = next(pieces, b"")
    except SettingsError:
        return PlainTextResponse(f"{UNREADABLE}\n", status_code=503)
    return StreamingResponse(chain([first], pieces), media_type=CSV, headers=_named(name))


def csv_text(name: str, text: str) -> Response:
    """Return a small CSV file of that name."""
    return Response(text, media_type=CSV, headers=_named(name))


def _named(name: str) -> dict[str, str]:
    return {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}


def _pieces(settings: Settings, lines: Lines) -> Iterator[bytes]:
    with queries.reading(settings.store) as connection:
        found = lines(connection)
        while piece := "".join(islice(found, LINES)):
            yield piece.encode("utf-8", "surrogateescape")
