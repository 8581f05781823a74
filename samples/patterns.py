"""Patterns of cloth, for `Canvas.cloth`."""

import numpy as np

from samples.canvas import Pattern, Plane


def stripes(count: float, share: float = 0.4) -> Pattern:
    """Make stripes across: so many on the sheet's height, of which `share` has the second colour."""
    return lambda _x, y: ((y * count) % 1 < share).astype(np.float32)


def pinstripes(count: float, share: float = 0.15) -> Pattern:
    """Make thin stripes down."""
    return lambda x, _y: ((x * count) % 1 < share).astype(np.float32)


def plaid(count: float) -> Pattern:
    """Make a check: where the stripes of both directions meet, the second colour is full."""

    def pattern(x: Plane, y: Plane) -> Plane:
        down, across = ((x * count) % 1 < 0.4), ((y * count) % 1 < 0.4)
        return (0.5 * down + 0.5 * across).astype(np.float32)

    return pattern


def dots(count: float, radius: float = 0.22) -> Pattern:
    """Make dots, every other row moved by half."""

    def pattern(x: Plane, y: Plane) -> Plane:
        row = np.floor(y * count)
        across, down = (x * count + 0.5 * (row % 2)) % 1 - 0.5, (y * count) % 1 - 0.5
        return np.asarray(across**2 + down**2 < radius**2, np.float32)

    return pattern


def below(line: float) -> Pattern:
    """Make two blocks of colour: the second one below a height."""
    return lambda _x, y: (y > line).astype(np.float32)


def between(top: float, bottom: float) -> Pattern:
    """Make one broad band."""
    return lambda _x, y: ((y > top) & (y < bottom)).astype(np.float32)
