"""Two bundles figure by figure, and which of them is the better one where a figure can say that."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from broker.spreadsheet import csv_line
from dashboard.bundles import Bundle, Shelf
from dashboard.words import NONE, SPACE, count, size
from store.estimates import Estimate
from store.model_figures import Answered

Better = Literal["more", "less", ""]
ALIKE = 0.0005
"""A difference of shares that is shown as none: a twentieth of a percent."""
FIGURES: tuple[tuple[str, str, Better], ...] = (
    ("Accuracy", "accuracy", "more"),
    ("Balanced accuracy", "balanced_accuracy", "more"),
    ("Calibration error (ECE)", "ece", "less"),
)
OF_CLASSES = ("accuracy", "share", "calibration_error")
"""What a bundle expects of the images that are called so, by class."""


@dataclass(frozen=True)
class Row:
    """One figure of each bundle, and what their difference means: `better`, `worse`, or nothing."""

    name: str
    cells: tuple[str, ...]
    difference: str = ""
    means: str = ""


def share(value: float | None) -> str:
    """Return a share 0..1 in percent, as finely as bundles differ."""
    return NONE if value is None else f"{100 * value:.2f}{SPACE}%"


def shares(name: str, values: Sequence[float | None], better: Better = "") -> Row:
    """Return a row of shares with their difference in points of percent."""
    cells = tuple(share(value) for value in values)
    if len(values) != 2 or values[0] is None or values[1] is None:
        return Row(name, cells)
    more = values[1] - values[0]
    if abs(more) < ALIKE:
        return Row(name, cells, "alike")
    said = f"{100 * more:+.2f}{SPACE}points"
    return Row(
        name, cells, said, ("better" if (more > 0) == (better == "more") else "worse") if better else ""
    )


def made_rows(chosen: Sequence[Bundle]) -> list[Row]:
    """Return how the bundles were made, and how large they are."""

    def row(name: str, of: Callable[[Bundle], str]) -> Row:
        return Row(name, tuple(of(one) for one in chosen))

    return [
        row("Created (UTC)", lambda one: one.manifest.created_at[:16].replace("T", " ")),
        row("Weights", lambda one: count(one.manifest.weights)),
        row("Size on disk", lambda one: size(one.size_bytes)),
        row("Second network answers", lambda one: share(one.manifest.second.get("share") or None)),
        row("Made pixels as", lambda one: one.manifest.input.version),
    ]


def validation_rows(chosen: Sequence[Bundle]) -> Iterator[tuple[str, list[Row]]]:
    """Yield the recorded figures, for each set of images and precision."""
    names = dict.fromkeys(name for one in chosen for name in one.manifest.accuracy)
    for name in names:
        sets = [one.manifest.accuracy.get(name, {}) for one in chosen]
        images = Row("Images", tuple(count(one["images"]) if "images" in one else NONE for one in sets))
        found = [shares(said, [one.get(key) for one in sets], better) for said, key, better in FIGURES]
        yield name.capitalize(), [images, *found]


def class_rows(chosen: Sequence[Bundle]) -> list[Row]:
    """Return what is to be expected of the images that are called so, by class."""
    told = [one.manifest.expectations.get("classes", {}) for one in chosen]
    names = dict.fromkeys(name for one in chosen for name in one.manifest.classes)
    return [shares(name, [one.get(name, {}).get("accuracy") for one in told], "more") for name in names]


def answered_rows(chosen: Sequence[Answered | None], accuracies: Sequence[Estimate | None]) -> list[Row]:
    """Return what the database knows of the models; an accuracy of None is still being counted."""
    images = tuple(count(one.images) if one else count(0) for one in chosen)
    last = tuple(one.last[:16].replace("T", " ") if one else NONE for one in chosen)
    return [
        Row("Images answered", images),
        Row("Last answer (UTC)", last),
        shares("Mean confidence, not suspect", [one.mean_confidence if one else None for one in chosen]),
        shares("Suspect", [one.suspect_share if one else None for one in chosen]),
        Row("True accuracy, from reviews", tuple(_accuracy(one) for one in accuracies)),
    ]


def _accuracy(found: Estimate | None) -> str:
    if found is None:
        return "counting \N{HORIZONTAL ELLIPSIS}"
    if found.value is None or found.low is None or found.high is None:
        return f"too few reviews ({found.images})" if found.images else "no reviews"
    return f"{100 * found.value:.1f}{SPACE}% ({100 * found.low:.1f} to {100 * found.high:.1f}{SPACE}%)"


def bundle_lines(shelf: Shelf, known: dict[str, Answered]) -> Iterator[str]:
    """Yield every bundle as a line of CSV, the header first; shares 0..1."""
    names = list(dict.fromkeys(name for one in shelf.bundles for name in one.manifest.accuracy))
    keys = [key for _, key, _ in FIGURES]
    columns = [f"{name} {key}".replace(" ", "_") for name in names for key in keys]
    classes = list(dict.fromkeys(name for one in shelf.bundles for name in one.manifest.classes))
    columns += [f"{name} {key}" for name in classes for key in OF_CLASSES]
    head = ("version", "serves", "created_at", "weights", "size_bytes", "second_share", *columns)
    yield csv_line((*head, "answered", "mean_confidence", "suspect_share"))
    for one in shelf.bundles:
        made, answered = one.manifest, known.get(one.version)
        figures = [made.accuracy.get(name, {}).get(key) for name in names for key in keys]
        of_classes = made.expectations.get("classes", {})
        figures += [of_classes.get(name, {}).get(key) for name in classes for key in OF_CLASSES]
        serves = int(one.version == shelf.current)
        first = (one.version, serves, made.created_at, made.weights, one.size_bytes, made.second.get("share"))
        last = (
            (answered.images, answered.mean_confidence, answered.suspect_share)
            if answered
            else (0, None, None)
        )
        yield csv_line((*first, *figures, *last))
