"""What people read: two consoles, one for answers and one for everything said beside them."""

import functools
import sys
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

BAR_WIDTH = 30
WIDE = 1000


@functools.cache
def answers() -> "Console":
    """Return the console on stdout. Names of files are shown as they are: markup is off."""
    from rich.console import Console

    # A file or a program that reads gets each row on one line; only a person has a width.
    width = None if sys.stdout.isatty() else WIDE
    return Console(markup=False, highlight=False, emoji=False, soft_wrap=True, width=width)


@functools.cache
def notes() -> "Console":
    """Return the console on stderr, for progress, warnings and errors."""
    from rich.console import Console

    return Console(markup=False, highlight=False, emoji=False, soft_wrap=True, stderr=True)


def printable(text: str) -> str:
    """Return a text without what a terminal would obey: a stranger may have named the file."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def say(text: str) -> None:
    """Say something beside the answer."""
    notes().print("\n".join(map(printable, text.split("\n"))))


def fail(text: str) -> None:
    """Print an error as the one line that it is."""
    sys.stderr.write(f"tailorbird: {' '.join(text.split())}\n")


def table(
    columns: Iterable[str],
    rows: Iterable[Iterable[object]],
    *,
    right: Collection[str] = (),
    whole: Collection[str] = (),
) -> None:
    """Print a table; the columns named in `right` hold numbers, those in `whole` are never folded."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        justify: Literal["right", "left"] = "right" if column in right else "left"
        made.add_column(column, justify=justify, overflow="fold", no_wrap=column in whole)
    for row in rows:
        made.add_row(*["" if cell is None else printable(str(cell)) for cell in row])
    # As wide as its cells, even where the terminal is not: a long line can be read and copied, letters
    # below each other cannot.
    out = answers()
    out.width = max(out.width, out.measure(made, options=out.options.update(max_width=WIDE)).maximum)
    out.print(made, soft_wrap=False, crop=False)


def progress() -> "Progress":
    """Return a progress bar with counts and the time left, on stderr; it is gone when it is done."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as Remaining

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(BAR_WIDTH),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        Remaining(),
        console=notes(),
    )
