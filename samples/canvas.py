"""A white sheet to draw cloth and leather on: smooth outlines, shading, folds, patterns and seams.

Coordinates are shares of the sheet: x to the right, y down, both 0..1. Colours are RGB, 0..255.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 200
SHEET = 3 * SIDE
"""Drawn three times as large, then averaged down: that smooths every edge."""

Point = tuple[float, float]
Colour = tuple[int, int, int]
Plane = NDArray[np.float32]
Pattern = Callable[[Plane, Plane], Plane]
"""Takes the x and y of every pixel and gives how much of the second colour lies there, 0..1."""


def mirrored(half: Sequence[Point]) -> list[Point]:
    """Close an outline whose left half, from the top to the bottom, is given."""
    return [*half, *((1 - x, y) for x, y in reversed(half))]


def rounded(points: Sequence[Point], *, closed: bool = True, radius: float = 0.02) -> NDArray[np.float64]:
    """Round the corners of a line of points: cut each off at `radius`, then cut again (Chaikin 1974)."""
    line = np.array(points, np.float64)
    for turn in range(4):
        after = np.roll(line, -1, axis=0) if closed else line[1:]
        before = line if closed else line[:-1]
        length = np.linalg.norm(after - before, axis=1, keepdims=True)
        step = (after - before) * (np.minimum(radius / (length + 1e-9), 0.33) if turn == 0 else 0.25)
        inside = np.stack([before + step, after - step], axis=1).reshape(-1, 2)
        line = inside if closed else np.concatenate([line[:1], inside[1:-1], line[-1:]])
    return line


class Canvas:
    """One picture in the making; `random` decides about folds and grain, so that a seed repeats it."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._sheet: Plane = np.full((SHEET, SHEET, 3), 255, np.float32)
        ys, xs = np.mgrid[0:SHEET, 0:SHEET].astype(np.float32) / SHEET
        self._x, self._y = xs, ys

    def cloth(
        self,
        outline: Sequence[Point],
        colour: Colour,
        *,
        second: Colour | None = None,
        pattern: Pattern | None = None,
        radius: float = 0.02,
        folds: float = 0.10,
        shade: float = 0.30,
    ) -> None:
        """Fill an outline: darker towards its edges by `shade`, uneven by `folds`, perhaps with a pattern."""
        mask = self._mask(rounded(outline, radius=radius))
        tint = np.array(colour, np.float32)[None, None]
        if pattern is not None and second is not None:
            share = pattern(self._x, self._y)[..., None]
            tint = tint * (1 - share) + np.array(second, np.float32)[None, None] * share
        distance = cv2.distanceTransform((mask > 0.5).astype(np.uint8), cv2.DIST_L2, 3) / SHEET
        light = 1 - shade * np.exp(-distance / 0.02) + folds * self._uneven()
        self._lay(np.clip(tint * light[..., None], 0, 250), mask)

    def strap(self, points: Sequence[Point], colour: Colour, width: float, *, radius: float = 0.05) -> None:
        """Draw a band along a line: a seam, a strap, a lace."""
        line = (rounded(points, closed=False, radius=radius) * SHEET * 16).astype(np.int32)
        mask = np.zeros((SHEET, SHEET), np.uint8)
        thickness = max(1, round(width * SHEET))
        cv2.polylines(
            mask, [line], isClosed=False, color=255, thickness=thickness, lineType=cv2.LINE_AA, shift=4
        )
        self._lay(np.array(colour, np.float32), (mask / 255).astype(np.float32))

    def dot(self, centre: Point, radius: float, colour: Colour) -> None:
        """Draw a button, an eyelet, a rivet."""
        at = (round(centre[0] * SHEET * 16), round(centre[1] * SHEET * 16))
        cv2.circle(self._sheet, at, round(radius * SHEET * 16), colour, -1, cv2.LINE_AA, 4)

    def clear(self, outline: Sequence[Point], *, radius: float = 0.02) -> None:
        """Cut a hole, through which the white ground shows."""
        self._lay(np.array((255, 255, 255), np.float32), self._mask(rounded(outline, radius=radius)))

    def picture(self) -> NDArray[np.uint8]:
        """Return the picture, (SIDE, SIDE, 3) uint8 RGB."""
        small: Plane = cv2.resize(self._sheet, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        return np.clip(small.round(), 0, 255).astype(np.uint8)

    def _lay(self, layer: Plane, share: Plane) -> None:
        """Put a layer, or one colour, on the sheet where `share` of (SHEET, SHEET) is above 0."""
        part = share[..., None]
        self._sheet = (self._sheet * (1 - part) + layer * part).astype(np.float32)

    def _mask(self, line: NDArray[np.float64]) -> Plane:
        mask = np.zeros((SHEET, SHEET), np.uint8)
        cv2.fillPoly(mask, [(line * SHEET * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        return (mask / 255).astype(np.float32)

    def _uneven(self) -> Plane:
        """Make soft folds that run more down than across, and a little grain."""
        coarse = self._random.normal(size=(5, 14)).astype(np.float32)
        soft: Plane = cv2.resize(coarse, (SHEET, SHEET), interpolation=cv2.INTER_CUBIC)
        fine = self._random.normal(size=(SHEET // 3, SHEET // 3)).astype(np.float32)
        grain: Plane = cv2.resize(fine, (SHEET, SHEET), interpolation=cv2.INTER_NEAREST)
        return (soft + 0.25 * grain).astype(np.float32)
