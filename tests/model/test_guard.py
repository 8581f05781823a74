"""The guard lets garments pass and says what is wrong with everything else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model.bundle import read_golden
from model.classifier import Classifier
from model.data import load_dataset
from model.guard import REASONS, THRESHOLDS, measure, read_guard
from model.manifest import BundleError
from model.outliers import KINDS, outliers


@pytest.fixture(scope="module")
def classifier(bundle: Path) -> Classifier:
    """The committed bundle in the fastest engine."""
    return Classifier.open(bundle)


def test_few_of_the_given_test_images_are_suspect(classifier: Classifier, fashion_mnist: Path) -> None:
    """At most 2 % of real garments are doubted."""
    verdicts = classifier.classify(load_dataset(fashion_mnist, "test").images).verdicts

    assert 0 < verdicts.count("suspect") / len(verdicts) <= 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_garment_is_suspect(classifier: Classifier, bundle: Path, kind: str) -> None:
    """At least 90 % of every kind, drawn by another seed than the guard was fitted with."""
    pictures = outliers(kind, 200, 99, read_golden(bundle).pixels)

    answer = classifier.classify(pictures)

    assert answer.verdicts.count("suspect") >= 180
    assert {reason for reasons in answer.reasons for reason in reasons} <= set(REASONS)


@pytest.mark.parametrize(("kind", "reason"), [("blank", "blank"), ("inverted", "inverted")])
def test_the_reason_is_named(classifier: Classifier, bundle: Path, kind: str, reason: str) -> None:
    """A blank picture is called blank, a garment that nobody negated inverted."""
    answer = classifier.classify(outliers(kind, 50, 5, read_golden(bundle).pixels))

    assert sum(reason in reasons for reasons in answer.reasons) >= 45


def test_a_garment_in_a_corner_is_tiny(classifier: Classifier, bundle: Path) -> None:
    """A garment shrunk to half fills too little of the picture."""
    pixels = np.zeros((1, 28, 28), np.uint8)
    pixels[0, 2:16, 3:17] = read_golden(bundle).pixels[0, ::2, ::2]

    assert "tiny-object" in classifier.classify(pixels).reasons[0]


def test_verdicts_go_with_reasons(classifier: Classifier, bundle: Path) -> None:
    """An image is suspect exactly when it has a reason."""
    pictures = np.concatenate(
        [read_golden(bundle).pixels, outliers("noise", 20, 1, read_golden(bundle).pixels)]
    )

    answer = classifier.classify(pictures)

    assert [verdict == "suspect" for verdict in answer.verdicts] == [
        bool(reasons) for reasons in answer.reasons
    ]


def test_statistics_are_what_they_are_called() -> None:
    """One picture, worked out by hand: a bright block of 4 by 10 at the left edge."""
    pixels = np.zeros((1, 28, 28), np.uint8)
    pixels[0, 10:14, 0:10] = 200

    seen = measure(pixels)

    assert seen.contrast.tolist() == [200]
    assert seen.extent.tolist() == [10]
    assert seen.dark_border[0] == pytest.approx(104 / 108)
    assert seen.border[0] == pytest.approx(4 * 200 / 108)
    assert seen.dark[0] == pytest.approx(744 / 784)
    assert seen.brightness[0] == pytest.approx(40 * 200 / 784)
    assert seen.roughness[0] == pytest.approx((2 * 10 * 200 + 4 * 200) / 756)


def test_outliers_are_the_same_for_the_same_seed(bundle: Path) -> None:
    """A seed draws the same pictures again, another one draws others."""
    garments = read_golden(bundle).pixels
    for kind in KINDS:
        first = outliers(kind, 5, 1, garments)

        np.testing.assert_array_equal(first, outliers(kind, 5, 1, garments))
        assert not np.array_equal(first, outliers(kind, 5, 2, garments))


def test_a_bundle_without_a_guard_doubts_nothing(tmp_path: Path) -> None:
    """No thresholds, no guard."""
    assert read_guard(tmp_path, {}) is None


def test_a_guard_that_is_damaged_is_refused(tmp_path: Path, bundle: Path) -> None:
    """A missing file and a missing threshold are one line each."""
    with pytest.raises(BundleError, match=r"guard\.npz"):
        read_guard(tmp_path, THRESHOLDS)
    with pytest.raises(BundleError, match="contrast"):
        read_guard(bundle, {"score": 1.0})
