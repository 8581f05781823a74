"""The ground of a picture, and how much the rest differs from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Ground:
    """The ground's colour, (1,) gray or (3,) BGR, and by how much half of it differs from that, 0..60."""

    colour: NDArray[np.float64]
    spread: float


def ground_of(picture: NDArray[np.uint8]) -> Ground:
    """Take the border's median as the ground; a few pixels of garment do not move it."""
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    # The first and the last row, then the first and the last column of what is between; each only once.
    rows = picture[:: max(1, picture.shape[0] - 1)]
    columns = picture[1:-1, :: max(1, picture.shape[1] - 1)]
    border = np.concatenate([part.reshape(-1, channels) for part in (rows, columns)])
    colour = np.asarray(np.median(border, axis=0), np.float64)
    return Ground(colour, min(60.0, float(np.median(np.abs(border - colour).max(axis=1)))))


def difference_from(picture: NDArray[np.uint8], ground: Ground) -> NDArray[np.float32]:
    """Make the ground black and the garment as bright as it differs, whichever of the two was darker.

    On white this is Zalando's negation, on black it changes nothing. On other grounds the colour counts too
    (the darker the ground, the more).
    """
    level = _brightness(ground.colour)
    difference = np.abs(_gray(picture).astype(np.float32) - level)
    if picture.ndim == 3:
        share = min(1.0, (255 - level) / 60)
        coloured = np.abs(picture - ground.colour.astype(np.float32)).max(axis=2)
        difference = (1 - share) * difference + share * coloured
    return difference


def _gray(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)


def _brightness(colour: NDArray[np.float64]) -> int:
    """Return a colour's gray level, gray (1,) or BGR (3,), 0..255 (ITU-R BT.601, as OpenCV's)."""
    weights = (1.0,) if colour.size == 1 else (0.114, 0.587, 0.299)
    return round(float(colour @ np.array(weights)))
