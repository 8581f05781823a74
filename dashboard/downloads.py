"""Files that a page offers: CSV, made while it is sent."""

from collections.abc import Callable, Iterator
from itertools import islice
from urllib.parse import quote

from fastapi.responses import StreamingResponse

from broker.settings import Settings
from store import queries

LINES = 1000
"""Lines of a piece: each piece costs a change of threads."""


def csv_answer(
    settings: Settings, name: str, lines: Callable[[queries.Connection], Iterator[str]]
) -> StreamingResponse:
    """Return a CSV file of that name, its lines read from the database in one transaction."""

    def pieces() -> Iterator[bytes]:
        with queries.reading(settings.store) as connection:
            found = lines(connection)
            while piece := "".join(islice(found, LINES)):
                yield piece.encode("utf-8", "surrogateescape")

    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
    return StreamingResponse(pieces(), media_type="text/csv; charset=utf-8", headers=headers)
