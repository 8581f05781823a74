"""A plot with its figures: the picture, the table behind it, and the CSV of exactly what it shows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from broker.spreadsheet import Cell, csv_line

PERCENT_DIGITS, DIGITS = 2, 4


class Share(float):
    """A share 0..1, which people read in percent."""

    def __str__(self) -> str:
        """Return it with its unit."""
        return f"{100 * self:.1f}\N{NO-BREAK SPACE}%"


class Amount(float):
    """A figure whose unit its column names."""

    def __str__(self) -> str:
        """Return it with one digit behind the point."""
        return f"{self:,.1f}"


class Drift(float):
    """A population stability index."""

    def __str__(self) -> str:
        """Return it with two digits, as alerts have it."""
        return f"{self:.2f}"


@dataclass(frozen=True)
class Plot:
    """One picture, or `panels` of the same kind; what its colours mean, and its figures as a table."""

    title: str
    picture: Markup
    note: str = ""
    legend: Sequence[tuple[str, int]] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = field(default_factory=list)
    name: str = ""
    """Its place on the page, and its CSV; "" for a plot that has neither."""
    panels: Sequence["Plot"] = ()
    is_table: bool = False
    """Whether the picture is the table already."""
    keys: Sequence[str] = ()
    """The rows' first cells in full, where the table has shorter ones: a day with its year."""


def share(value: float | None) -> Share | None:
    """Return a share as a cell; None where it is not known."""
    return None if value is None else Share(value)


def csv_lines(plot: Plot) -> Iterator[str]:
    """Yield a plot's figures as lines of CSV, the header first; shares in percent."""
    rows = plot.rows
    in_percent = {at for row in rows for at, cell in enumerate(row) if isinstance(cell, Share)}
    yield csv_line(
        map(_written, [f"{name}, %" if at in in_percent else name for at, name in enumerate(plot.columns)])
    )
    for number, row in enumerate(rows):
        first = plot.keys[number] if plot.keys else row[0]
        yield csv_line(map(_written, [first, *row[1:]]))


def _written(cell: Cell) -> Cell:
    if isinstance(cell, str):
        return cell.replace("\N{NO-BREAK SPACE}", " ")
    if isinstance(cell, Share):
        return round(100 * float(cell), PERCENT_DIGITS)
    return round(float(cell), DIGITS) if isinstance(cell, float) else cell
