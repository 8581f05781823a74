"""Cells that a spreadsheet shows instead of running (OWASP, CSV injection)."""

import csv
from collections.abc import Iterable, Iterator

Cell = str | float | None

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the full-width forms of the first, which some spreadsheets take for the same."""


def safe_cell(text: str) -> str:
    """Return `text`, with a leading `'` where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def csv_line(cells: Iterable[Cell]) -> str:
    """Return a line of CSV with its end, each text as a safe cell."""
    return next(csv_lines([cells]))


def csv_lines(rows: Iterable[Iterable[Cell]]) -> Iterator[str]:
    """Yield rows as lines of CSV, with their ends, each text as a safe cell."""
    writer = csv.writer(_Echo())
    for row in rows:
        line: str = writer.writerow([safe_cell(cell) if isinstance(cell, str) else cell for cell in row])
        yield line


class _Echo:
    """What `csv` writes to; `writerow` returns what this does."""

    def write(self, text: str) -> str:
        return text
