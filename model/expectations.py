"""What a model should reach and see, measured on its validation images: the monitor's reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from model.guard import measure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from model.evaluation import Evaluation

STATISTICS = ("brightness", "contrast", "roughness", "extent", "dark")
BINS = 10


def expectations(figures: Evaluation, images: NDArray[np.uint8]) -> dict[str, Any]:
    """Return `Manifest.expectations` from the figures on validation and its images (n, 28, 28) uint8.

    A class's `accuracy` is its precision: of what was called so, how much is. That, and not the recall, is
    what the mean confidence of the images called so estimates.
    """
    answered = np.array(figures.confusion).sum(axis=0)
    classes = {
        name: {"accuracy": round(row["precision"], 4), "share": round(int(count) / figures.images, 4)}
        for (name, row), count in zip(figures.per_class.items(), answered, strict=True)
    }
    seen = measure(images)
    return {
        "accuracy": round(figures.accuracy, 4),
        "calibration_error": round(figures.ece, 4),
        "classes": classes,
        "statistics": {name: _bins(getattr(seen, name)) for name in STATISTICS},
    }


def _bins(values: NDArray[np.float32]) -> dict[str, list[float]]:
    """Cut at the deciles; equal ones, where many images have the same value, leave bins empty."""
    edges = np.round(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]), 4)
    counts = np.bincount(np.searchsorted(edges, values), minlength=BINS)
    return {
        "edges": edges.tolist(),
        "shares": [round(int(count) / len(values), 4) for count in counts],
    }
