"""Keys one by one: as they are pressed in a terminal, or a line each from anything else."""

import contextlib
import os
import select
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

ENTER = ""
LOOK_S = 0.2
ESCAPE, END = "\x1b", "\x04"
"""Ctrl-D, which ends the input of a terminal as well."""

ReadKey = Callable[[], str | None]
"""Return the next key, `ENTER` for the return key, None at the end."""


@contextlib.contextmanager
def keys(check: Callable[[], None], stream: TextIO = sys.stdin) -> Iterator[ReadKey]:
    """Yield what reads a key. `check` is called while nothing comes, and may raise.

    The terminal hands each key over at once and shows none, until the block ends, however it ends.
    """
    fd = stream.fileno()
    if not stream.isatty():
        yield lambda: _line(fd, check)
        return
    import termios
    import tty

    before = termios.tcgetattr(fd)
    try:
        tty.setcbreak(fd)
        yield lambda: _key(fd, check)
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def _line(fd: int, check: Callable[[], None]) -> str | None:
    line = b""
    while (letter := _byte(fd, check)) not in {b"", b"\n"}:
        line += letter
    return line.decode("utf-8", "replace").strip() if line or letter else None


def _key(fd: int, check: Callable[[], None]) -> str | None:
    key = _byte(fd, check).decode("utf-8", "replace")
    if key == ESCAPE:  # an arrow or another key of several bytes: all of them are one key that means nothing
        while _comes(fd, 0):
            os.read(fd, 1)
    if key in {"\r", "\n"}:
        return ENTER
    return None if key in {"", END} else key


def _byte(fd: int, check: Callable[[], None]) -> bytes:
    while not _comes(fd, LOOK_S):
        check()
    return os.read(fd, 1)


def _comes(fd: int, timeout_s: float) -> bool:
    return bool(select.select([fd], [], [], timeout_s)[0])
