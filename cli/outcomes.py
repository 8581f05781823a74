"""Tables of what images were found to be."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from cli.screen import table
from cli.watching import Outcome


def show_rows(outcomes: Mapping[str, Outcome]) -> None:
    """Print one line per image."""
    rows = [
        (
            image,
            outcome.label,
            f"{100 * outcome.confidence:.1f} %" if outcome.is_classified else "",
            outcome.reason or outcome.doubt,
        )
        for image, outcome in sorted(outcomes.items())
    ]
    table(("image", "item", "confidence", "note"), rows, right=["confidence"])


def show_classes(outcomes: Mapping[str, Outcome]) -> None:
    """Print one line per class and one for what failed."""
    labels = sorted({outcome.label for outcome in outcomes.values() if outcome.is_classified})
    rows = []
    for label in labels:
        shares = [outcome.confidence for outcome in outcomes.values() if outcome.label == label]
        rows.append((label, f"{len(shares):,}", f"{100 * sum(shares) / len(shares):.1f} %"))
    failed = sum(not outcome.is_classified for outcome in outcomes.values())
    if failed:
        rows.append(("(failed)", f"{failed:,}", ""))
    table(("item", "images", "mean confidence"), rows, right=["images", "mean confidence"])


def accuracy(outcomes: Mapping[str, Outcome]) -> tuple[int, int] | None:
    """Return how many images were found to be what their folder is called, and how many there are.

    None unless each image lies in a folder that is named by a class.
    """
    from model.data import class_of

    right = 0
    classes = {image: class_of(PurePosixPath(image).parent.name) for image in outcomes}
    if not classes or None in classes.values():
        return None
    labels = {outcome.label: class_of(outcome.label) for outcome in outcomes.values()}
    for image, outcome in outcomes.items():
        right += outcome.is_classified and labels[outcome.label] == classes[image]
    return right, len(outcomes)
