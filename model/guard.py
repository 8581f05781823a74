"""Say when not to believe an answer: pixel statistics, and a score in the network's feature space.

Five reasons: `blank`, `inverted`, `busy-ground` and `tiny-object` come from the pixels alone,
`unlike-training` from the features' Mahalanobis distance (Lee et al. 2018), the energy of the logits
(Liu et al. 2020) and those statistics, weighed by a logistic regression against drawn outliers.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from model.manifest import BundleError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from model.engines import Answer

GUARD = "guard.npz"
REASONS = ("blank", "inverted", "busy-ground", "tiny-object", "unlike-training")

# Garments of Fashion-MNIST keep well away from these: of 60,000, the least contrast is above 200, the least
# dark border 0.5, the least extent 22. `score` and `roughness` are fitted and replace these two.
THRESHOLDS = {
    "contrast": 32.0,
    "dark_border": 0.5,
    "bright_border": 127.0,
    "extent": 22.0,
    "roughness": 120.0,
    "score": 0.0,
}

_BORDER = np.ones((28, 28), dtype=bool)
_BORDER[1:-1, 1:-1] = False
_BORDER_PLACES = np.flatnonzero(_BORDER)


@dataclass(frozen=True)
class Statistics:
    """What the pixels of n images say by themselves, each (n,) float32.

    `contrast` is the largest less the smallest value, `dark_border` the share of the border below 32,
    `border` its mean, `dark` the share of all pixels below 16, `extent` the longest side, in pixels, of the
    box around all pixels above 24, `roughness` the mean step between neighbours, `brightness` the mean.
    """

    contrast: NDArray[np.float32]
    dark_border: NDArray[np.float32]
    border: NDArray[np.float32]
    dark: NDArray[np.float32]
    extent: NDArray[np.float32]
    roughness: NDArray[np.float32]
    brightness: NDArray[np.float32]

    def columns(self) -> NDArray[np.float32]:
        """Return the statistics, (n, 6), on scales near 1."""
        parts = (self.contrast / 255, self.dark_border, self.dark, self.extent / 28, self.roughness / 50)
        return np.stack([*parts, self.brightness / 100], axis=1)


def measure(pixels: NDArray[np.uint8]) -> Statistics:
    """Measure images (n, 28, 28) uint8."""
    flat = pixels.reshape(len(pixels), 784)
    border = flat[:, _BORDER_PLACES]
    # Seven words a row instead of 28 bytes: a fourth of the work.
    lit = np.ascontiguousarray(pixels > 24).view(np.uint32)
    columns = np.bitwise_or.reduce(lit, axis=1).view(np.bool_)
    measured = (
        flat.max(axis=1) - flat.min(axis=1),
        np.count_nonzero(border < 32, axis=1) / border.shape[1],
        border.mean(axis=1, dtype=np.float32),
        np.count_nonzero(flat < 16, axis=1) / 784,
        np.maximum(_extent(columns), _extent(np.bitwise_or.reduce(lit, axis=2) != 0)),
        _steps(flat) / 756,
        flat.mean(axis=1, dtype=np.float32),
    )
    return Statistics(*(part.astype(np.float32) for part in measured))


def _steps(flat: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Sum the differences of neighbours below and beside each other, (n, 784) to (n,)."""
    if not len(flat):  # OpenCV takes no empty array
        return np.zeros(0, np.int32)
    below = cv2.absdiff(flat[:, 28:], flat[:, :-28])
    beside = cv2.absdiff(flat[:, 1:], flat[:, :-1])
    beside[:, 27::28] = 0  # the end of a row and the beginning of the next are no neighbours
    sums = [cv2.reduce(each, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[:, 0] for each in (below, beside)]
    return np.asarray(sums[0] + sums[1], np.int32)


def _extent(lit: Any) -> NDArray[np.intp]:
    """From the first lit place to the last, (n, 28) to (n,); 0 where none is lit."""
    length = lit.shape[1] - lit.argmax(axis=1) - lit[:, ::-1].argmax(axis=1)
    return np.where(lit.any(axis=1), length, 0)


@dataclass(frozen=True)
class Guard:
    """A fitted guard: class means (c, k) in whitened features, whitening (k, k), weights of the score."""

    means: NDArray[np.float32]
    whitening: NDArray[np.float32]
    weights: NDArray[np.float32]
    thresholds: Mapping[str, float]

    def reasons(self, seen: Statistics, answer: Answer) -> list[tuple[str, ...]]:
        """Return for each measured image why its answer is suspect; an empty tuple where it is not."""
        limits = self.thresholds
        blank = seen.contrast < limits["contrast"]
        ground = seen.dark_border >= limits["dark_border"]
        inverted = ~blank & ~ground & (seen.border > limits["bright_border"])
        busy = ~blank & ~inverted & (~ground | (seen.roughness > limits["roughness"]))
        tiny = ~blank & (seen.extent < limits["extent"])
        unlike = score_columns(seen, answer, self.means, self.whitening) @ self.weights > limits["score"]
        flags = np.stack([blank, inverted, busy, tiny, unlike], axis=1)
        found: list[tuple[str, ...]] = [()] * len(flags)
        for index in np.flatnonzero(flags.any(axis=1)):
            found[index] = tuple(name for name, flag in zip(REASONS, flags[index], strict=True) if flag)
        return found


def score_columns(
    seen: Statistics, answer: Answer, means: NDArray[np.float32], whitening: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Put together what the score weighs, (n, k + 9): features, statistics, energy, distance, one."""
    centre = means.mean(axis=0)
    white = answer.features @ whitening
    # |a - b|^2 written out, so that no (n, c, k) array is made.
    squares = (white**2).sum(axis=1, keepdims=True) - 2 * white @ means.T + (means**2).sum(axis=1)
    distance = np.log(np.maximum(squares.min(axis=1), 1e-6))
    largest = answer.logits.max(axis=1)
    energy = -largest - np.log(np.exp(answer.logits - largest[:, None]).sum(axis=1))
    ones = np.ones(len(white))
    tail = np.stack([energy / 5, distance, ones], axis=1)
    return np.concatenate([white - centre, seen.columns(), tail], axis=1).astype(np.float32)


def write_guard(bundle: Path, guard: Guard) -> None:
    """Write the guard's arrays into a bundle's directory; its thresholds belong into the manifest."""
    np.savez_compressed(
        bundle / GUARD, means=guard.means, whitening=guard.whitening.astype(np.float16), weights=guard.weights
    )


def read_guard(bundle: Path, thresholds: Mapping[str, float]) -> Guard | None:
    """Read a bundle's guard; None for a bundle without one. Raises `BundleError`."""
    file = bundle / GUARD
    if not thresholds:
        return None
    try:
        with np.load(BytesIO(file.read_bytes()), allow_pickle=False) as content:
            arrays = {name: content[name].astype(np.float32) for name in ("means", "whitening", "weights")}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise BundleError(f"{file}: no guard: {error}") from error
    missing = [name for name in THRESHOLDS if not isinstance(thresholds.get(name), int | float)]
    if missing:
        raise BundleError(f"{bundle}: the manifest lacks the threshold {missing[0]!r}")
    return Guard(**arrays, thresholds=thresholds)
