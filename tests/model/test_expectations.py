"""What a model should reach and see, from its validation."""

import numpy as np
import pytest

from model.evaluation import judge
from model.expectations import BINS, STATISTICS, expectations
from model.guard import measure


def test_expectations_are_validations_figures() -> None:
    """A class's accuracy is that of the images called so; its confidence misses that by the error."""
    images = np.random.default_rng(4).integers(0, 256, (40, 28, 28)).astype(np.uint8)
    labels = np.arange(40) % 2
    probabilities = np.tile(np.array([[0.9, 0.1]], np.float32), (40, 1))
    probabilities[labels == 1] = (0.3, 0.7)
    probabilities[0] = (0.4, 0.6)  # one wrong answer, in favour of the second class

    found = expectations(judge(probabilities, labels, ("bag", "coat")), images, probabilities)

    assert {"accuracy": 1.0, "share": 0.475, "calibration_error": 0.1} == found["classes"]["bag"]
    coat = found["classes"]["coat"]
    assert {"accuracy": 0.9524, "share": 0.525} == {name: coat[name] for name in ("accuracy", "share")}
    assert coat["calibration_error"] == pytest.approx(0.9524 - (20 * 0.7 + 0.6) / 21, abs=1e-3)
    assert 0.975 == found["accuracy"]


def test_bins_hold_every_image_once_and_by_class() -> None:
    """Deciles of the validation images; the shares of each class sum to 1."""
    images = np.random.default_rng(4).integers(0, 256, (200, 28, 28)).astype(np.uint8)
    probabilities = np.random.default_rng(5).dirichlet([1, 1], 200).astype(np.float32)

    found = expectations(judge(probabilities, np.zeros(200, np.intp), ("bag", "coat")), images, probabilities)

    assert set(STATISTICS) == found["statistics"].keys()
    brightness = found["statistics"]["brightness"]
    places = np.searchsorted(brightness["edges"], measure(images).brightness)
    assert [20] * BINS == np.bincount(places, minlength=BINS).tolist()
    for shares in brightness["classes"].values():
        assert sum(shares) == pytest.approx(1, abs=1e-3)
