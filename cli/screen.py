"""What people read: two consoles, one for answers and one for everything said beside them."""

import functools
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

BAR_WIDTH = 30


@functools.cache
def answers() -> "Console":
    """Return the console on stdout. Names of files are shown as they are: markup is off."""
    from rich.console import Console

    return Console(markup=False, highlight=False, emoji=False, soft_wrap=True)


@functools.cache
def notes() -> "Console":
    """Return the console on stderr, for progress, warnings and errors."""
    from rich.console import Console

    return Console(markup=False, highlight=False, emoji=False, soft_wrap=True, stderr=True)


def say(text: str) -> None:
    """Say something beside the answer."""
    notes().print(text)


def fail(text: str) -> None:
    """Print an error as the one line that it is."""
    sys.stderr.write(f"tailorbird: {' '.join(text.split())}\n")


def table(columns: Iterable[str], rows: Iterable[Iterable[object]], *, right: Iterable[str] = ()) -> None:
    """Print a table; the columns named in `right` hold numbers."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in set(right) else "left", overflow="fold")
    for row in rows:
        made.add_row(*["" if cell is None else str(cell) for cell in row])
    answers().print(made, soft_wrap=False)


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
