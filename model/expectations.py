"""What a model should reach and see, measured on its validation images: the monitor's reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from model.guard import measure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from model.evaluation import Evaluation

# Contrast is nearly the same in all of Fashion-MNIST: any photo would be a drift of it.
STATISTICS = ("brightness", "roughness", "extent", "dark")
BINS = 10


def expectations(
    figures: Evaluation, images: NDArray[np.uint8], probabilities: NDArray[np.float32]
) -> dict[str, Any]:
    """Return `Manifest.expectations` from the figures on validation.

    `images` (n, 28, 28) uint8 are its images, `probabilities` (n, classes) the model's answers, calibrated.
    A class's `accuracy` is its precision: of what was called so, how much is. That, and not the recall, is
    what the mean confidence of the images called so estimates; by how much it misses it is the class's
    `calibration_error`.
    """
    answered, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    classes = {
        name: _class(row["precision"], confidence[answered == index], figures.images)
        for index, (name, row) in enumerate(figures.per_class.items())
    }
    seen = measure(images)
    return {
        "accuracy": round(figures.accuracy, 4),
        "calibration_error": round(figures.ece, 4),
        "classes": classes,
        "statistics": {name: _bins(getattr(seen, name), answered, list(classes)) for name in STATISTICS},
    }


def _class(accuracy: float, confidence: NDArray[np.float32], images: int) -> dict[str, float]:
    """Figures of one class; `confidence` is that of the images called so, maybe none."""
    mean = float(confidence.mean()) if len(confidence) else accuracy
    found = {
        "accuracy": accuracy,
        "share": len(confidence) / images,
        "calibration_error": abs(mean - accuracy),
    }
    return {name: round(value, 4) for name, value in found.items()}


def _bins(values: NDArray[np.float32], answered: NDArray[np.intp], classes: list[str]) -> dict[str, Any]:
    """Cut at the deciles, and count in each class; equal deciles leave bins empty."""
    edges = np.round(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]), 4)
    places = np.searchsorted(edges, values)
    by_class = {
        name: _shares(places[answered == index])
        for index, name in enumerate(classes)
        if (answered == index).any()
    }
    return {"edges": edges.tolist(), "classes": by_class}


def _shares(places: NDArray[np.intp]) -> list[float]:
    return [round(int(count) / len(places), 4) for count in np.bincount(places, minlength=BINS)]
