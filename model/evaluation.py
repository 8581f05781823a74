"""How good a classifier is on labelled images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from model.classifier import Classifier
    from model.data import Dataset

ECE_BINS = 15


@dataclass(frozen=True)
class Evaluation:
    """Figures of one classifier on one set of images; shares are 0..1.

    `confusion` is (classes, classes), rows the truth, columns the answer. `balanced_accuracy` is the mean
    recall of the classes that occur.
    """

    images: int
    accuracy: float
    balanced_accuracy: float
    ece: float
    suspect: float
    per_class: dict[str, dict[str, float]]
    confusion: list[list[int]]

    def to_dict(self) -> dict[str, Any]:
        """Every figure by its name, ready for JSON."""
        return dict(vars(self))


def evaluate(classifier: Classifier, dataset: Dataset, batch: int = 256) -> Evaluation:
    """Classify a dataset in batches and count."""
    answers = [classifier.classify(dataset.images[at : at + batch]) for at in range(0, len(dataset), batch)]
    probabilities = np.concatenate([answer.probabilities for answer in answers])
    verdicts = [verdict for answer in answers for verdict in answer.verdicts]
    return judge(probabilities, dataset.labels, dataset.classes, verdicts.count("suspect") / len(verdicts))


def judge(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.intp],
    classes: tuple[str, ...],
    suspect: float = 0.0,
) -> Evaluation:
    """Figures of probabilities (n, classes) against the true labels (n,); n must be at least 1."""
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (labels, probabilities.argmax(axis=1)), 1)
    hits, support, answered = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    recall, precision = _ratio(hits, support), _ratio(hits, answered)
    f1 = _ratio(2 * hits, support + answered)
    per_class = {
        name: {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(s)}
        for name, p, r, f, s in zip(classes, precision, recall, f1, support, strict=True)
    }
    return Evaluation(
        images=len(labels),
        accuracy=float(hits.sum() / len(labels)),
        balanced_accuracy=float(recall[support > 0].mean()),
        ece=calibration_error(probabilities, labels),
        suspect=suspect,
        per_class=per_class,
        confusion=confusion.tolist(),
    )


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """Part of whole, 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


@dataclass(frozen=True)
class Reliability:
    """Per confidence bin: how many images, their mean confidence and their accuracy (0 where empty)."""

    counts: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]

    def to_list(self) -> list[tuple[int, float, float]]:
        """Count, confidence and accuracy of each bin, ready for JSON."""
        rows = zip(self.counts.tolist(), self.confidence.tolist(), self.accuracy.tolist(), strict=True)
        return [(count, round(sure, 6), round(right, 6)) for count, sure, right in rows]


def reliability(probabilities: NDArray[np.float32], labels: NDArray[np.intp]) -> Reliability:
    """Sort images into 15 equal-width bins of their top probability (Guo et al. 2017)."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == labels
    bins = np.clip(np.ceil(confidence * ECE_BINS).astype(np.intp) - 1, 0, ECE_BINS - 1)
    counts = np.bincount(bins, minlength=ECE_BINS)
    sums = (np.bincount(bins, weights, ECE_BINS) for weights in (confidence, correct.astype(np.float64)))
    means = [np.divide(total, counts, out=np.zeros(ECE_BINS), where=counts > 0) for total in sums]
    return Reliability(counts, means[0], means[1])


def calibration_error(probabilities: NDArray[np.float32], labels: NDArray[np.intp]) -> float:
    """Return the expected calibration error: the bins' gap of confidence and accuracy, weighted by size."""
    bins = reliability(probabilities, labels)
    return float((np.abs(bins.confidence - bins.accuracy) * bins.counts).sum() / bins.counts.sum())
