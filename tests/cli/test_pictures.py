"""A small gray picture, by each way that a terminal may have."""

import base64

import cv2
import numpy as np
import pytest

from cli.pictures import Way, drawn, way_of
from store.png import png

TWO = (2, 2), bytes([0, 255, 128, 64])


@pytest.mark.parametrize(
    ("environment", "way"),
    [
        ({"TERM": "xterm-kitty"}, Way.KITTY),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, Way.KITTY),
        ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1", "COLORTERM": "truecolor"}, Way.BLOCKS),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, Way.ITERM),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, Way.BLOCKS),
        ({"TERM": "xterm-256color"}, Way.GRAYS),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, Way.LETTERS),
        ({"TERM": "dumb"}, Way.LETTERS),
        ({}, Way.LETTERS),
    ],
)
def test_way_is_what_the_terminal_says_of_itself(environment: dict[str, str], way: Way) -> None:
    """A multiplexer passes no protocol on."""
    assert way is way_of(environment, "utf-8")


def test_terminal_without_unicode_gets_letters() -> None:
    """Half blocks would be question marks."""
    assert Way.LETTERS is way_of({"TERM": "xterm-256color"}, "ascii")


def test_half_blocks_hold_two_rows() -> None:
    """The upper pixel is the letter's colour, the lower one the ground's."""
    assert ["\x1b[38;2;0;0;0;48;2;128;128;128m▀\x1b[38;2;255;255;255;48;2;64;64;64m▀\x1b[0m"] == drawn(
        Way.BLOCKS, *TWO
    )
    assert ["\x1b[38;5;232;48;5;244m▀\x1b[38;5;255;48;5;238m▀\x1b[0m"] == drawn(Way.GRAYS, *TWO)


def test_letters_are_denser_where_it_is_bright() -> None:
    """A last odd row stands above black."""
    assert [" @", "@@"] == drawn(Way.LETTERS, (4, 2), bytes([0, 255, 0, 255, 255, 255, 255, 255]))
    assert ["=", "="] == drawn(Way.LETTERS, (3, 1), bytes([200, 55, 255]))


def test_png_is_read_by_others() -> None:
    """OpenCV sees the same pixels."""
    pixels = np.arange(28 * 28, dtype=np.uint32).astype(np.uint8).reshape(28, 28)
    read = cv2.imdecode(np.frombuffer(png((28, 28), pixels.tobytes()), np.uint8), cv2.IMREAD_UNCHANGED)
    assert read is not None
    assert np.array_equal(pixels, read)


def test_kitty_gets_the_file_in_pieces() -> None:
    """Only the first says how large it is; the last says that no more will come."""
    noise = np.random.default_rng(1).integers(0, 256, 80 * 80).astype(np.uint8).tobytes()
    (line,) = drawn(Way.KITTY, (80, 80), noise)
    parts = [part.removeprefix("\x1b_G").split(";") for part in line.split("\x1b\\")[:-1]]

    assert ["a=T,f=100,q=2,c=80,r=40,m=1", "m=1", "m=0"] == [keys for keys, _ in parts]
    assert png((80, 80), noise) == base64.b64decode("".join(content for _, content in parts))
    assert drawn(Way.KITTY, *TWO)[0].startswith("\x1b_Ga=T,f=100,q=2,c=2,r=1,m=0;")


def test_iterm_gets_the_file_in_one_piece() -> None:
    """With its size in columns and lines."""
    (line,) = drawn(Way.ITERM, *TWO)
    assert line.startswith(f"\x1b]1337;File=inline=1;size={len(png(*TWO))};width=2;height=1:")
    assert [] == drawn(Way.NONE, *TWO)
