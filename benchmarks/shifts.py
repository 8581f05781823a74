"""How far expected accuracy is off when the images change: `python -m benchmarks.shifts --data DIR`.

The given test images of Fashion-MNIST are changed in the ways below and classified by the current bundle;
what the store would expect is set beside how many answers are right. Drift is measured on every second image,
with the others unchanged for reference, so that none is compared with itself. What came out, and what
follows from it: docs/explanation/expected-accuracy.md.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from model.classifier import Classifier
from model.data import Dataset, load_dataset
from model.guard import measure
from model.manifest import load_manifest, resolve_bundle
from store.estimates import NORMAL_95, Estimate, Sums, drift, expected_accuracy, mixed, to_be_trusted
from store.sampling import BANDS, STRATA, Stratum, next_stratum, stratum_of, true_accuracy

LEAST_IMAGES = 30
INPUTS = ("brightness", "contrast", "roughness", "extent")
SHOES_AND_BAGS = (5, 7, 8, 9)
UPPER_BODY = (0, 2, 4, 6)
SHIRT = 6

Pixels = NDArray[np.uint8]


def _bytes(values: Any) -> Pixels:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def scaled(pixels: Pixels, factor: float, offset: float = 0.0) -> Pixels:
    """Multiply the contrast and add brightness, cut at black and white."""
    return _bytes(pixels * np.float32(factor) + np.float32(offset))


def gamma(pixels: Pixels, exponent: float) -> Pixels:
    """Raise 0..1 to a power: below 1 the middle tones become brighter."""
    return _bytes(255 * (pixels / np.float32(255)) ** np.float32(exponent))


def blurred(pixels: Pixels, sigma_px: float) -> Pixels:
    """Blur with a Gaussian."""
    return np.stack([np.asarray(cv2.GaussianBlur(one, (0, 0), sigma_px), np.uint8) for one in pixels])


def noisy(pixels: Pixels, sigma: float) -> Pixels:
    """Add Gaussian noise of that deviation, in levels of 0..255."""
    return _bytes(pixels + np.random.default_rng(1).normal(0, sigma, pixels.shape))


def moved(pixels: Pixels, matrix: NDArray[np.float64]) -> Pixels:
    """Move or turn every image; what comes in from outside is black."""
    return np.stack([np.asarray(cv2.warpAffine(one, matrix, (28, 28)), np.uint8) for one in pixels])


def turned(pixels: Pixels, degrees: float) -> Pixels:
    """Rotate about the centre."""
    return moved(pixels, np.asarray(cv2.getRotationMatrix2D((13.5, 13.5), degrees, 1.0), np.float64))


def shifted(pixels: Pixels, by_px: int) -> Pixels:
    """Shift to the right and down."""
    return moved(pixels, np.array([[1.0, 0.0, by_px], [0.0, 1.0, by_px]]))


def coarse(pixels: Pixels, side_px: int) -> Pixels:
    """Make images smaller and 28 px again, as from thumbnails."""
    small = [cv2.resize(one, (side_px, side_px), interpolation=cv2.INTER_AREA) for one in pixels]
    return np.stack([np.asarray(cv2.resize(one, (28, 28)), np.uint8) for one in small])


CHANGES: dict[str, Callable[[Pixels], Pixels]] = {
    "contrast x 0.5": lambda pixels: scaled(pixels, 0.5),
    "contrast x 0.25": lambda pixels: scaled(pixels, 0.25),
    "contrast x 1.5, cut": lambda pixels: scaled(pixels, 1.5),
    "brightness + 40": lambda pixels: scaled(pixels, 1, 40),
    "gamma 0.5": lambda pixels: gamma(pixels, 0.5),
    "gamma 2": lambda pixels: gamma(pixels, 2),
    "blur 0.5 px": lambda pixels: blurred(pixels, 0.5),
    "blur 1 px": lambda pixels: blurred(pixels, 1),
    "blur 2 px": lambda pixels: blurred(pixels, 2),
    "noise 10": lambda pixels: noisy(pixels, 10),
    "noise 30": lambda pixels: noisy(pixels, 30),
    "noise 60": lambda pixels: noisy(pixels, 60),
    "inverted": lambda pixels: 255 - pixels,
    "shifted 3 px": lambda pixels: shifted(pixels, 3),
    "rotated 15 degrees": lambda pixels: turned(pixels, 15),
    "from 14 px": lambda pixels: coarse(pixels, 14),
}


def sets(given: Dataset) -> Iterator[tuple[str, Dataset]]:
    """Yield every set of images under its name, the unchanged one first."""
    every = np.arange(len(given))
    shirts = np.flatnonzero(given.labels == SHIRT)
    yield "none", given
    yield "only shoes and bags", given.subset(np.flatnonzero(np.isin(given.labels, SHOES_AND_BAGS)))
    yield "only upper body", given.subset(np.flatnonzero(np.isin(given.labels, UPPER_BODY)))
    yield "shirts tripled", given.subset(np.concatenate([every, shirts, shirts]))
    for name, change in CHANGES.items():
        yield name, Dataset(change(given.images), given.labels, given.classes, given.names)


@dataclass(frozen=True)
class Seen:
    """What is known of classified images, each (n,): confidence, label, whether right and whether trusted.

    `reference` says which of them, unchanged, make up the reference of the drift; the others are tested.
    """

    confidence: NDArray[np.float64]
    labels: NDArray[np.intp]
    right: NDArray[np.bool_]
    trusted: NDArray[np.bool_]
    reference: NDArray[np.bool_]
    inputs: dict[str, NDArray[np.float32]]

    def sums(self, chosen: NDArray[np.bool_]) -> Sums:
        """Return what the store would keep of the chosen images."""
        p = self.confidence[chosen]
        return Sums(len(p), float(p.sum()), float((p * (1 - p)).sum()))

    def quantities(self) -> dict[str, NDArray[Any]]:
        """Return everything whose drift is looked at, each (n,)."""
        return {**self.inputs, "confidence": self.confidence}


def look(classifier: Classifier, dataset: Dataset, batch: int = 500) -> Seen:
    """Classify a set of images and measure its pixels."""
    starts = range(0, len(dataset), batch)
    answers = [classifier.classify(dataset.images[at : at + batch]) for at in starts]
    labels = np.concatenate([answer.labels for answer in answers])
    verdicts = [verdict for answer in answers for verdict in answer.verdicts]
    measured = measure(dataset.images)
    return Seen(
        np.concatenate([answer.probabilities.max(axis=1) for answer in answers]).astype(np.float64),
        labels,
        labels == dataset.labels,
        np.array([verdict == "ok" for verdict in verdicts]),
        np.array([int(name.rsplit(":", 1)[1]) % 2 == 0 for name in dataset.names]),
        {name: getattr(measured, name) for name in INPUTS},
    )


class Reference:
    """The shares of each quantity's bins, per label, in the unchanged images.

    The pixels' statistics are in tenths of the unchanged images (fewer where many images have one value),
    the confidence in the bands of the reviews.
    """

    def __init__(self, seen: Seen) -> None:
        tenths = np.arange(1, 10) / 10
        self._edges = {name: np.unique(np.quantile(values, tenths)) for name, values in seen.inputs.items()}
        self._edges["confidence"] = np.array(BANDS)
        self.labels = self._shares(np.bincount(seen.labels[seen.reference], minlength=10))
        self._shares_of = {
            name: {
                str(label): self._shares(self._counts(name, values[seen.reference & (seen.labels == label)]))
                for label in np.unique(seen.labels)
            }
            for name, values in seen.quantities().items()
        }

    def drifts(self, seen: Seen) -> dict[str, float | None]:
        """Return the drift of every quantity against unchanged images with the same labels."""
        tested = ~seen.reference
        labels = {str(label): int(count) for label, count in enumerate(np.bincount(seen.labels[tested]))}
        return {
            name: drift(
                mixed(self._shares_of[name], labels),
                self._counts(name, values[tested]),
                least_images=LEAST_IMAGES,
            )
            for name, values in seen.quantities().items()
        }

    def label_drift(self, seen: Seen) -> float | None:
        """Return the drift of the class mix."""
        counts = np.bincount(seen.labels[~seen.reference], minlength=10).tolist()
        return drift(self.labels, counts, least_images=LEAST_IMAGES)

    def _counts(self, name: str, values: NDArray[Any]) -> list[int]:
        edges = self._edges[name]
        places = np.searchsorted(edges, values, "right")
        return [int(count) for count in np.bincount(places, minlength=len(edges) + 1)]

    @staticmethod
    def _shares(counts: Any) -> list[float]:
        return [float(share) for share in np.asarray(counts) / max(1, np.sum(counts))]


@dataclass(frozen=True)
class Row:
    """One line of the table. Shares 0..1; `difference` is expected less true, of images with verdict ok."""

    change: str
    images: int
    suspect: float
    accuracy: float | None
    expected: Estimate
    difference: float | None
    inside: bool | None
    accuracy_of_all: float
    confidence_of_all: float
    label_drift: float | None
    confidence_drift: float | None
    input_drift: float | None
    trusted_by_store: bool
    trusted: bool


def row_of(change: str, seen: Seen, reference: Reference, calibration_error: float) -> Row:
    """Set what is expected of the images beside what is true of them."""
    expected = expected_accuracy(
        seen.sums(seen.trusted), calibration_error=calibration_error, least_images=LEAST_IMAGES
    )
    accuracy = float(seen.right[seen.trusted].mean()) if seen.trusted.any() else None
    judged = expected.value is not None and accuracy is not None
    suspect = float(1 - seen.trusted.mean())
    drifts = reference.drifts(seen)
    confidence_drift = drifts.pop("confidence")
    return Row(
        change=change,
        images=len(seen.right),
        suspect=suspect,
        accuracy=accuracy,
        expected=expected,
        difference=(expected.value or 0) - (accuracy or 0) if judged else None,
        inside=(expected.low or 0) <= (accuracy or 0) <= (expected.high or 0) if judged else None,
        accuracy_of_all=float(seen.right.mean()),
        confidence_of_all=float(seen.confidence.mean()),
        label_drift=reference.label_drift(seen),
        confidence_drift=confidence_drift,
        input_drift=max((value for value in drifts.values() if value is not None), default=None),
        trusted_by_store=expected.enough and to_be_trusted(suspect, [confidence_drift]),
        trusted=expected.enough and to_be_trusted(suspect, [confidence_drift, *drifts.values()]),
    )


HEAD = (
    "change", "images", "suspect", "true", "expected (95 %)", "difference", "all: true", "all: confidence",
    "drift: labels", "confidence", "pixels", "trusted: store", "with pixels",
)  # fmt: skip


def line_of(row: Row) -> str:
    """Return a line of the Markdown table, shares in percent, differences in points."""
    expected = "not enough data"
    if row.expected.enough:
        value, low, high = (_percent(x) for x in (row.expected.value, row.expected.low, row.expected.high))
        expected = f"{value} ({low} to {high})" + ("" if row.inside else " missed")
    difference = "-" if row.difference is None else f"{100 * row.difference:+.1f}"
    shares = (row.accuracy_of_all, row.confidence_of_all)
    drifts = (row.label_drift, row.confidence_drift, row.input_drift)
    cells = [
        row.change,
        f"{row.images:,}",
        _percent(row.suspect),
        _percent(row.accuracy),
        expected,
        difference,
    ]
    cells += [_percent(share) for share in shares]
    cells += ["-" if value is None else f"{value:.2f}" for value in drifts]
    cells += ["yes" if trusted else "no" for trusted in (row.trusted_by_store, row.trusted)]
    return f"| {' | '.join(cells)} |"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def class_lines(seen: Seen, classes: tuple[str, ...], calibration_error: float) -> Iterator[str]:
    """Yield the unchanged images by the label they were given."""
    for label, name in enumerate(classes):
        chosen = seen.trusted & (seen.labels == label)
        expected = expected_accuracy(
            seen.sums(chosen), calibration_error=calibration_error, least_images=LEAST_IMAGES
        )
        accuracy = float(seen.right[chosen].mean())
        bounds = f"{_percent(expected.value)} ({_percent(expected.low)} to {_percent(expected.high)})"
        yield f"| {name} | {chosen.sum()} | {_percent(accuracy)} | {bounds} |"


def reviewed(seen: Seen, seed: int, half_width: float = 0.01) -> tuple[Estimate, int]:
    """Ask about images by strata until the interval is ± `half_width`; return it and how many were asked."""
    rng = np.random.default_rng(seed)
    strata_of = np.array(
        [
            stratum_of(p, suspect=not trusted, disagreed=False)
            for p, trusted in zip(seen.confidence.tolist(), seen.trusted.tolist(), strict=True)
        ]
    )
    members = [rng.permutation(np.flatnonzero(strata_of == index)) for index in range(len(STRATA))]
    strata = [Stratum(len(of), float(seen.confidence[of].sum())) for of in members]
    estimate = true_accuracy(strata)
    while (index := next_stratum(strata)) is not None:
        one = strata[index]
        right = bool(seen.right[members[index][one.asked]])
        strata[index] = replace(one, asked=one.asked + 1, right=one.right + right)
        estimate = true_accuracy(strata)
        # The lower side: the upper one is cut at 1 and would look narrow after thirty right answers.
        if estimate.value is not None and estimate.value - (estimate.low or 0) <= half_width:
            break
    return estimate, sum(one.asked for one in strata)


def asked_plainly(seen: Seen, half_width: float = 0.01) -> int:
    """Return how many answers the same interval takes if any image may be next (Cochran 1977, chapter 4)."""
    accuracy = float(seen.right.mean())
    endless = NORMAL_95**2 * accuracy * (1 - accuracy) / half_width**2
    return round(endless / (1 + endless / len(seen.right)))


REVIEWED = ("none", "contrast x 1.5, cut", "rotated 15 degrees", "noise 10")


def review_line(change: str, seen: Seen, runs: int = 100) -> str:
    """Return a line about reviews by strata, in the mean of some runs."""
    found = [reviewed(seen, seed) for seed in range(runs)]
    truth = float(seen.right.mean())
    values = [estimate.value or 0.0 for estimate, _ in found]
    inside = sum((e.low or 0) <= truth <= (e.high or 0) for e, _ in found)
    cells = (change, _percent(truth), _percent(float(np.mean(values))), f"{inside} of {runs}")
    return f"| {' | '.join(cells)} | {np.mean([n for _, n in found]):,.0f} | {asked_plainly(seen):,} |"


def main() -> None:
    """Print the tables, or the first one as JSON."""
    parser = argparse.ArgumentParser(prog="shifts", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with Fashion-MNIST's IDX files")
    parser.add_argument("--bundles", type=Path, default=Path("model/bundles"))
    parser.add_argument("--json", action="store_true", help="the first table as JSON")
    options = parser.parse_args()
    given = load_dataset(options.data, "test")
    classifier = Classifier.open(options.bundles)
    manifest = load_manifest(resolve_bundle(options.bundles))
    calibration_error = float(manifest.accuracy["validation"]["ece"])
    seen = {name: look(classifier, images) for name, images in sets(given)}
    reference = Reference(seen["none"])
    rows = [row_of(name, one, reference, calibration_error) for name, one in seen.items()]
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
        return
    print(f"{classifier.version}, {classifier.engine}, calibration error {calibration_error:.4f}\n")
    print(f"| {' | '.join(HEAD)} |\n{'|---' * len(HEAD)}|", *map(line_of, rows), sep="\n")
    print("\n| unchanged, label given | images | true | expected (95 %) |\n|---|---|---|---|")
    print(*class_lines(seen["none"], given.classes, calibration_error), sep="\n")
    print("\n| reviewed to ± 1 point | true | found | truth inside | answers | without strata |")
    print("|---|---|---|---|---|---|")
    print(*(review_line(name, seen[name]) for name in REVIEWED), sep="\n")


if __name__ == "__main__":
    main()
