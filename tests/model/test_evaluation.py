"""The figures of an evaluation follow from counting."""

from __future__ import annotations

import numpy as np
import pytest

from model.calibration import fit_calibration, fit_temperature, softmax
from model.evaluation import calibration_error, judge, reliability

CLASSES = ("a", "b", "c")
TRUTH = np.array([0, 0, 0, 1, 1, 0])
PROBABILITIES = np.array(
    [[0.9, 0.1, 0], [0.8, 0.2, 0], [0.3, 0.7, 0], [0.1, 0.9, 0], [0.6, 0.4, 0], [1, 0, 0]], np.float32
)


def test_figures_are_counted() -> None:
    """A confusion matrix worked out by hand, with a class that never occurs."""
    figures = judge(PROBABILITIES, TRUTH, CLASSES, suspect=0.5).to_dict()

    assert set(figures) == {
        "images", "accuracy", "balanced_accuracy", "ece", "per_class", "confusion", "suspect",
    }  # fmt: skip
    assert figures["images"] == 6
    assert figures["accuracy"] == pytest.approx(4 / 6)
    assert figures["balanced_accuracy"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert figures["confusion"] == [[3, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert figures["per_class"]["a"] == {"precision": 0.75, "recall": 0.75, "f1": 0.75, "support": 4}
    assert figures["per_class"]["c"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    assert figures["suspect"] == 0.5


def test_calibration_error_is_the_weighted_gap() -> None:
    """Six images in five bins, worked out by hand: 0.9 twice is one bin."""
    gaps = [2 * (1 - 0.9), 1 - 0.8, 0.7, 0.6, 0]

    assert calibration_error(PROBABILITIES, TRUTH) == pytest.approx(sum(gaps) / 6, abs=1e-6)


def test_reliability_counts_every_image_once() -> None:
    """The bins' borders belong to the bin below."""
    confidence = np.array([[k / 15, 1 - k / 15] for k in range(8, 16)], np.float64).astype(np.float32)

    assert int(reliability(confidence, np.zeros(8, np.intp)).counts.sum()) == 8


def test_temperature_undoes_a_known_overconfidence() -> None:
    """Logits of a calibrated model, made three times too sharp, get a temperature of three."""
    random = np.random.default_rng(3)
    logits = random.normal(0, 2, (40_000, 5)).astype(np.float32)
    labels = (softmax(logits, 1.0).cumsum(axis=1) > random.random((40_000, 1))).argmax(axis=1)

    temperature = fit_temperature(3 * logits, labels)

    assert temperature == pytest.approx(3, rel=0.03)
    assert calibration_error(softmax(3 * logits, temperature), labels) < 0.01


def test_spread_undoes_gaps_that_were_pressed_together() -> None:
    """Where large gaps shrank more than small ones, one temperature is not enough; with a spread it is."""
    random = np.random.default_rng(3)
    logits = random.normal(0, 1.2, (40_000, 5)).astype(np.float32)
    labels = (softmax(logits, 0.9, 0.3).cumsum(axis=1) > random.random((40_000, 1))).argmax(axis=1)

    temperature, spread = fit_calibration(logits, labels)

    assert pytest.approx(0.9, rel=0.1) == temperature
    assert pytest.approx(0.3, abs=0.07) == spread
    assert calibration_error(softmax(logits, temperature, spread), labels) < 0.01


def test_spread_keeps_the_order_of_classes() -> None:
    """Labels are the same with any spread."""
    logits = np.random.default_rng(3).normal(0, 3, (500, 10)).astype(np.float32)

    np.testing.assert_array_equal(
        softmax(logits, 1.0).argsort(axis=1), softmax(logits, 1.0, 0.1).argsort(axis=1)
    )


def test_softmax_survives_large_logits() -> None:
    """Rows sum to 1 whatever the logits' size."""
    probabilities = softmax(np.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4]], np.float32), 0.5)

    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(probabilities[1], 1 / 3, atol=1e-6)
