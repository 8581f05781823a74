"""A bundle answers with calibrated probabilities, as well as it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model.classifier import Classifier, Network
from model.data import load_dataset
from model.engines import Answer
from model.evaluation import evaluate
from model.manifest import CLASSES, BundleError, Manifest, load_manifest
from model.preprocessing import InputSpec


@pytest.fixture(scope="module")
def classifier(bundle: Path) -> Classifier:
    """The committed bundle in the fastest engine."""
    return Classifier.open(bundle)


def test_a_bundle_and_its_directory_open_alike(bundle: Path) -> None:
    """A directory of bundles stands for its current one."""
    classifier = Classifier.open(bundle.parent, engine="onnxruntime/f32", threads=1)

    assert (bundle.name, CLASSES, "onnxruntime/f32") == (
        classifier.version,
        classifier.classes,
        classifier.engine,
    )


def test_probabilities_sum_to_one(classifier: Classifier) -> None:
    """Whatever the pixels, rows are probabilities and the label is the likeliest class."""
    pixels = np.random.default_rng(2).integers(0, 256, (9, 28, 28)).astype(np.uint8)

    answer = classifier.classify(pixels)

    np.testing.assert_allclose(answer.probabilities.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(answer.labels, answer.probabilities.argmax(axis=1))
    assert answer.probabilities.dtype == np.float32
    assert (9, 9) == (len(answer.verdicts), len(answer.reasons))


def test_no_images_are_no_answers(classifier: Classifier) -> None:
    """An empty batch is answered emptily."""
    answer = classifier.classify(np.zeros((0, 28, 28), np.uint8))

    assert (0, 10) == answer.probabilities.shape
    assert ([], []) == (answer.verdicts, answer.reasons)


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((28, 28), np.uint8), np.zeros((1, 28, 29), np.uint8), np.zeros((1, 28, 28), np.float32)],
)
def test_other_shapes_are_refused(classifier: Classifier, pixels: np.ndarray) -> None:
    """The line says what came."""
    with pytest.raises(ValueError, match="expected uint8 pixels of shape"):
        classifier.classify(pixels)


def test_the_committed_bundle_is_as_good_as_promised(classifier: Classifier, fashion_mnist: Path) -> None:
    """At least 94 % of the given test images, with a confidence that is right within a point."""
    figures = evaluate(classifier, load_dataset(fashion_mnist, "test"))

    assert figures.accuracy >= 0.94
    assert figures.ece <= 0.0105


def test_what_the_committed_bundle_recorded_is_what_it_does(bundle: Path, fashion_mnist: Path) -> None:
    """Its confusion on the validation images, but for an image or two that hang on rounding."""
    recorded = load_manifest(bundle)
    confusion = np.array(recorded.validation["confusion"])
    bins = np.array(recorded.validation["reliability"])
    accuracy, images = (recorded.accuracy["validation"][name] for name in ("accuracy", "images"))
    figures = evaluate(Classifier.open(bundle, "onnxruntime/f32"), load_dataset(fashion_mnist, "validation"))

    assert images == figures.images == confusion.sum() == bins[:, 0].sum()
    assert accuracy == pytest.approx(confusion.trace() / images)
    assert accuracy == pytest.approx((bins[:, 0] * bins[:, 2]).sum() / images, abs=1e-5)
    assert np.abs(np.array(figures.confusion) - confusion).sum() <= 4


class Saying:
    """An engine whose logits for its class are the first pixel; it counts the images it was asked for."""

    name, precision = "made-up", "f32"

    def __init__(self, label: int) -> None:
        self.label, self.asked = label, 0

    def answer(self, pixels: np.ndarray) -> Answer:
        """Logits are 0 but for the one class."""
        self.asked += len(pixels)
        logits = np.zeros((len(pixels), 10), np.float32)
        logits[:, self.label] = pixels[:, 0, 0]
        return Answer(logits, logits)

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """Give the logits alone."""
        return self.answer(pixels).logits


def a_manifest(**fields: object) -> Manifest:
    """A manifest with what it must have."""
    return Manifest("v", "2026-01-01T00:00:00.000Z", CLASSES, InputSpec(), 1.0, 1, **fields)  # type: ignore[arg-type]


def test_only_unclear_images_reach_the_second_network() -> None:
    """Below the threshold the second network's probabilities stand, elsewhere the first one's."""
    first, second = Saying(3), Saying(7)
    manifest = a_manifest(second={"below": 0.5, "share": 0.25})
    pixels = np.zeros((4, 28, 28), np.uint8)
    pixels[:, 0, 0] = (9, 1, 8, 0)

    classifier = Classifier(manifest, [Network(manifest, first), Network(a_manifest(), second)], None)
    answer = classifier.classify(pixels)

    assert [3, 7, 3, 0] == answer.labels.tolist()  # the last: no class is likelier than another
    assert (4, 2) == (first.asked, second.asked)
    np.testing.assert_allclose(answer.probabilities.sum(axis=1), 1, atol=1e-6)


def test_a_second_network_needs_its_threshold() -> None:
    """A manifest that names a second network without saying when it answers is wrong."""
    content = a_manifest().to_dict() | {"second": {"below": 0.5}}

    with pytest.raises(BundleError, match="second must have below and share above 0"):
        Manifest.from_dict(content)
