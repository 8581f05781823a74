"""Keys one by one, from a terminal and from a pipe."""

import os
import pty
import termios
from collections.abc import Iterator
from typing import TextIO

import pytest

from cli.keys import ENTER, keys


def nothing() -> None:
    """Nobody has asked for the end."""


@pytest.fixture
def terminal() -> Iterator[tuple[int, TextIO]]:
    """Both ends of a terminal: the descriptor to type into, and what the program reads."""
    typed, read = pty.openpty()
    with os.fdopen(read) as stream:
        yield typed, stream
    os.close(typed)


def test_each_key_comes_at_once(terminal: tuple[int, TextIO]) -> None:
    """Return is ENTER, an arrow is one key, Ctrl-D the end."""
    typed, stream = terminal
    with keys(nothing, stream) as read_key:
        found = []
        for press in (b"1", b"\r", b"\x1b[A", b"s", b"\x04"):
            os.write(typed, press)
            found.append(read_key())

    assert ["1", ENTER, "\x1b", "s", None] == found


def test_terminal_is_as_before_whatever_happens(terminal: tuple[int, TextIO]) -> None:
    """Also when somebody asks for the end while nothing comes."""
    _, stream = terminal
    before = termios.tcgetattr(stream.fileno())

    def interrupted() -> None:
        assert before != termios.tcgetattr(stream.fileno())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), keys(interrupted, stream) as read_key:
        read_key()

    assert before == termios.tcgetattr(stream.fileno())


def test_pipe_has_a_key_per_line() -> None:
    """An empty line is ENTER; the last line needs no end."""
    read, write = os.pipe()
    os.write(write, b"1\n\n s \nq")
    os.close(write)
    with os.fdopen(read) as stream, keys(nothing, stream) as read_key:
        assert ["1", ENTER, "s", "q", None] == [read_key() for _ in range(5)]
