"""A candidate beside the bundle that serves: on test images, on held-out reviews, and on the latest jobs."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from cli.screen import answers, table

if TYPE_CHECKING:
    from model.classifier import Classifier
    from model.data import Dataset
    from store.queries import Connection

LATEST_JOBS = 5
IMAGES_EACH = 2000
"""Of a job: more would take minutes, and tell the same."""


@dataclass(frozen=True)
class Row:
    """One comparison: of how many images, and a share 0..1 of each bundle, None where there is nothing."""

    what: str
    images: int
    before: float | None
    after: float | None


def measured(what: str, images: "Dataset", before: "Classifier", after: "Classifier") -> Row:
    """Return both bundles' accuracy on labelled images."""
    from model.evaluation import evaluate

    if not len(images):
        return Row(what, 0, None, None)
    return Row(what, len(images), *(evaluate(one, images).accuracy for one in (before, after)))


def relabelled(connection: "Connection", after: "Classifier") -> Row:
    """Return how many images of the latest jobs the candidate calls something else than what stands."""
    from store import queries

    images = changed = 0
    for job in queries.jobs(connection, state="closed", limit=LATEST_JOBS):
        for before, now in islice(_both(connection, job.job_id, after), IMAGES_EACH):
            images += 1
            changed += before != now
    return Row("other labels in the latest jobs", images, None, changed / images if images else None)


def _both(connection: "Connection", job_id: str, model: "Classifier") -> Iterator[tuple[str, str]]:
    """Yield for each kept image of a job what stands of it, and what the model calls it."""
    from store.answers import answered
    from store.kept import kept_images

    side = (model.input.height, model.input.width)
    for names, shape, pixels in kept_images(connection, job_id):
        if shape[1:] == side:
            labels = model.classify(np.frombuffer(pixels, np.uint8).reshape(shape)).labels
            stands = answered(connection, job_id, names)
            for name, label in zip(names, labels, strict=True):
                yield stands[name].label, model.classes[label]


def show(rows: list[Row], before: str, after: str) -> None:
    """Print the comparisons, and what to do with the candidate."""
    cells = [
        (row.what, f"{row.images:,}", *(_percent(value) for value in (row.before, row.after))) for row in rows
    ]
    table(("", "images", before, after), cells, right=("images", before, after))
    answers().print(f"to let it serve, through the gate: ./tailorbird models promote {after} --data DIR")


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}"
