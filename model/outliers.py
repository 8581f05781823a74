"""Pictures that are no garments, drawn to try the guard: seven kinds, each by seed.

They come as 28x28 pixels, as a client may send them past preprocessing.
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from model.preprocessing import InputSpec, prepare_pixels

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
)


def outliers(kind: str, count: int, seed: int, garments: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw `count` pictures, (count, 28, 28) uint8, of one of `KINDS`; `garments` are what is inverted."""
    random = np.random.default_rng((seed, sorted(KINDS).index(kind)))
    return np.stack([KINDS[kind](random, garments) for _ in range(count)])


def _noise(random: np.random.Generator, _: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """White, Gaussian, sparse or smooth noise."""
    choice = random.integers(4)
    if choice == 0:
        return random.integers(0, 256, (28, 28), np.uint8)
    if choice == 1:
        return _bytes(random.normal(random.uniform(60, 190), random.uniform(20, 80), (28, 28)))
    if choice == 2:
        return _bytes(255 * (random.random((28, 28)) < random.uniform(0.1, 0.6)))
    cells = random.integers(5, 15)
    return _bytes(cv2.resize(random.uniform(0, 255, (cells, cells)), (28, 28), interpolation=cv2.INTER_CUBIC))


def _blank(random: np.random.Generator, _: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One level everywhere, give or take a little."""
    return _bytes(random.integers(0, 256) + random.normal(0, random.uniform(0, 3), (28, 28)))


def _gradient(random: np.random.Generator, _: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Brightness that rises in one direction or from a centre."""
    down, right = np.mgrid[0:28, 0:28] / 27
    if random.random() < 0.3:
        centre = random.random(2)
        slope = np.hypot(down - centre[0], right - centre[1])
    else:
        angle = random.uniform(0, 2 * np.pi)
        slope = down * np.sin(angle) + right * np.cos(angle)
    slope = (slope - slope.min()) / np.ptp(slope)
    low, high = np.sort(random.uniform(0, 255, 2))
    return _bytes(low + max(high - low, 60) * slope)


def _text(random: np.random.Generator, _: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One to four lines of letters, shrunk to 28 pixels."""
    canvas = np.zeros((168, 168), np.uint8)
    lines = int(random.integers(1, 5))
    for line in range(lines):
        word = "".join(random.choice(list(string.ascii_letters + string.digits), random.integers(2, 12)))
        at = (int(random.integers(0, 20)), int(168 * (line + 0.7) / lines))
        _write(canvas, random, word, at, random.uniform(0.9, 2.2))
    return _shrunk(random, canvas)


def _digit(random: np.random.Generator, _: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw a digit, or another sign, as in MNIST: in a box of 20 pixels in the middle, slanted; or larger."""
    canvas = np.zeros((140, 140), np.uint8)
    signs = string.digits if random.random() < 0.7 else string.ascii_letters
    _write(canvas, random, random.choice(list(signs)), (40, 105), 3.2, thick=6)
    slant = np.array([[1, random.uniform(-0.3, 0.3), 0], [random.uniform(-0.1, 0.1), 1, 0]])
    canvas = np.asarray(cv2.warpAffine(canvas, slant, (140, 140)))
    if random.random() < 0.3:
        return _shrunk(random, canvas)
    rows, columns = np.flatnonzero(canvas.any(axis=1)), np.flatnonzero(canvas.any(axis=0))
    digit = canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = (20 if random.random() < 0.6 else 28) / max(digit.shape)
    size = (max(1, round(digit.shape[1] * scale)), max(1, round(digit.shape[0] * scale)))
    small = np.asarray(cv2.resize(digit, size, interpolation=cv2.INTER_AREA))
    picture = np.zeros((28, 28), np.uint8)
    top, left = (28 - small.shape[0]) // 2, (28 - small.shape[1]) // 2
    picture[top : top + small.shape[0], left : left + small.shape[1]] = small
    return picture


def _write(
    canvas: NDArray[np.uint8],
    random: np.random.Generator,
    text: str,
    at: tuple[int, int],
    size: float,
    thick: int = 2,
) -> None:
    font = FONTS[random.integers(len(FONTS))]
    cv2.putText(canvas, text, at, font, size, 255, int(random.integers(thick, 3 * thick)), cv2.LINE_AA)


def _shrunk(random: np.random.Generator, canvas: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shrink by averaging, or as a file of dark on white is shrunk."""
    if random.random() < 0.5:
        return _bytes(np.asarray(cv2.resize(canvas, (28, 28), interpolation=cv2.INTER_AREA)))
    return prepare_pixels(255 - canvas, InputSpec())


def _inverted(random: np.random.Generator, garments: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Take a garment that nobody negated."""
    return np.asarray(255 - garments[random.integers(len(garments))])


def _busy(random: np.random.Generator, garments: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Put a garment before a patterned ground."""
    cells = random.integers(4, 20)
    ground = cv2.resize(random.uniform(0, 220, (cells, cells)), (28, 28), interpolation=cv2.INTER_LINEAR)
    garment = garments[random.integers(len(garments))]
    return np.where(garment > 12, garment, _bytes(ground))


def _bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


KINDS: dict[str, Callable[[np.random.Generator, NDArray[np.uint8]], NDArray[np.uint8]]] = {
    "noise": _noise,
    "blank": _blank,
    "gradient": _gradient,
    "text": _text,
    "digit": _digit,
    "inverted": _inverted,
    "busy-ground": _busy,
}
