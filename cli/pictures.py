"""A small gray picture in a terminal: by the terminal's own image protocol, in half blocks, or in letters.

Nothing is asked of the terminal: an answer that does not come would hang, and one that comes late is a key.
"""

import base64
from collections.abc import Iterator, Mapping
from enum import Enum

from store.png import png

UPPER_HALF = "▀"
RESET = "\x1b[0m"
RAMP = " .:-=+*#%@"
KITTY_CHUNK = 4096
GRAYS, FIRST_GRAY = 24, 232
"""The steps of gray among a terminal's 256 colours (xterm's 232 to 255)."""


class Way(Enum):
    """How a terminal shows a picture."""

    NONE = 0
    LETTERS = 1
    GRAYS = 2
    BLOCKS = 3
    ITERM = 4
    KITTY = 5


def way_of(environment: Mapping[str, str], encoding: str | None) -> Way:
    """Return what a terminal can do, from what it says of itself in the environment.

    A multiplexer passes no image protocol on, so within one it is half blocks.
    """
    term, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "")
    if term in {"", "dumb"} or "NO_COLOR" in environment or "utf" not in (encoding or "").lower():
        return Way.LETTERS
    if not (term.startswith(("screen", "tmux")) or "TMUX" in environment):
        if "KITTY_WINDOW_ID" in environment or term in {"xterm-kitty", "xterm-ghostty"}:
            return Way.KITTY
        if program in {"iTerm.app", "WezTerm"}:
            return Way.ITERM
    return Way.BLOCKS if environment.get("COLORTERM") in {"truecolor", "24bit"} else Way.GRAYS


def drawn(way: Way, size: tuple[int, int], pixels: bytes) -> list[str]:
    """Return the lines of a picture of `(height, width)` gray pixels, each as wide as the picture.

    A terminal's own image is one line that takes the room of half its height.
    """
    if way is Way.NONE:
        return []
    if way is Way.KITTY:
        return [_kitty(size, png(size, pixels))]
    if way is Way.ITERM:
        return [_iterm(size, png(size, pixels))]
    line = _letters if way is Way.LETTERS else _grays if way is Way.GRAYS else _blocks
    return [line(upper, lower) for upper, lower in _pairs(size, pixels)]


def _pairs(size: tuple[int, int], pixels: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield two rows at a time, since a letter is about twice as high as wide; black below a last odd one."""
    height, width = size
    for row in range(0, height, 2):
        upper, lower = (pixels[at * width : (at + 1) * width] for at in (row, row + 1))
        yield upper, lower or bytes(width)


def _letters(upper: bytes, lower: bytes) -> str:
    return "".join(RAMP[(a + b) * len(RAMP) // 511] for a, b in zip(upper, lower, strict=True))


def _grays(upper: bytes, lower: bytes) -> str:
    cells = zip(upper, lower, strict=True)
    return "".join(f"\x1b[38;5;{_gray(a)};48;5;{_gray(b)}m{UPPER_HALF}" for a, b in cells) + RESET


def _gray(value: int) -> int:
    return FIRST_GRAY + value * GRAYS // 256


def _blocks(upper: bytes, lower: bytes) -> str:
    cells = zip(upper, lower, strict=True)
    return "".join(f"\x1b[38;2;{a};{a};{a};48;2;{b};{b};{b}m{UPPER_HALF}" for a, b in cells) + RESET


def _kitty(size: tuple[int, int], file: bytes) -> str:
    """Return the escape of sw.kovidgoyal.net/kitty/graphics-protocol; q=2 asks for no answer."""
    height, width = size
    text = base64.standard_b64encode(file).decode()
    parts = [text[at : at + KITTY_CHUNK] for at in range(0, len(text), KITTY_CHUNK)]
    keys = [f"a=T,f=100,q=2,c={width},r={(height + 1) // 2},m=1", *["m=1"] * (len(parts) - 1)]
    keys[-1] = keys[-1].removesuffix("1") + "0"  # no more is to come
    return "".join(f"\x1b_G{key};{part}\x1b\\" for key, part in zip(keys, parts, strict=True))


def _iterm(size: tuple[int, int], file: bytes) -> str:
    """Return the escape of iterm2.com/documentation-images.html."""
    height, width = size
    text = base64.standard_b64encode(file).decode()
    room = f"size={len(file)};width={width};height={(height + 1) // 2}"
    return f"\x1b]1337;File=inline=1;{room}:{text}\x07"
