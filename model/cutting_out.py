"""A garment is cut out of a ground that is no studio's: a floor, a bed, a carpet.

GrabCut (Rother, Kolmogorov and Blake 2004) takes the picture's border for ground and what differs from the
ground for garment, learns the colours of both, and finds the edge between them; OpenCV's, on a thumbnail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROUNDS = 2
COLOURS = 5
"""Clusters of colours, of the ground and of the garment: it takes so many pixels of each."""
BORDER = 0.04
"""Share of the shorter edge, at each side, that is ground for certain."""
OPENING = np.ones((3, 3), np.uint8)
"""Threads and specks thinner than that are no garment."""
PIECE = 0.2
"""A piece belongs to it, a second shoe say, that is at least so large a share of the largest one."""
LEAST = 0.03
"""A smaller share of the picture than that is no garment that was found, but what is left of none."""


def cut_out(picture: NDArray[np.uint8], differs: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Return which pixels of a small picture, (h, w) gray or (h, w, 3) BGR, are garment; None where none is.

    `differs` (h, w) says which differ from the ground.
    """
    colours = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR) if picture.ndim == 2 else picture
    height, width = colours.shape[:2]
    mask = np.where(differs, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    edge = max(1, round(min(height, width) * BORDER))
    mask[:edge], mask[-edge:] = cv2.GC_BGD, cv2.GC_BGD
    mask[:, :edge], mask[:, -edge:] = cv2.GC_BGD, cv2.GC_BGD
    if np.count_nonzero(mask == cv2.GC_PR_FGD) < max(COLOURS, LEAST * mask.size):
        return None
    cv2.setRNGSeed(0)  # it begins with clusters by chance: the same picture is always cut alike
    models = np.zeros((2, 1, 65))
    cv2.grabCut(colours, mask, None, models[0], models[1], ROUNDS, cv2.GC_INIT_WITH_MASK)
    return _pieces(cv2.morphologyEx((mask == cv2.GC_PR_FGD).astype(np.uint8), cv2.MORPH_OPEN, OPENING))


def _pieces(found: Any) -> NDArray[np.bool_] | None:
    """Return the largest piece and those that are not much smaller."""
    count, labels, figures, _ = cv2.connectedComponentsWithStats(found)
    areas = figures[1:, cv2.CC_STAT_AREA]
    if count < 2:
        return None
    kept = np.isin(labels, 1 + np.flatnonzero(areas >= PIECE * areas.max()))
    return kept if kept.mean() >= LEAST else None
