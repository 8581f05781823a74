"""Cells that a spreadsheet shows instead of running (OWASP, CSV injection)."""

import csv
import io
from collections.abc import Sequence

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the full-width forms of the first, which some spreadsheets take for the same."""


def safe_cell(text: str) -> str:
    """Return `text`, with a leading `'` where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def csv_line(cells: Sequence[str | float | None]) -> str:
    """Return a line of CSV with its end, each text as a safe cell."""
    out = io.StringIO()
    csv.writer(out).writerow([safe_cell(cell) if isinstance(cell, str) else cell for cell in cells])
    return out.getvalue()
