"""People's corrections as a labelled data set: most to train on, some to measure with."""

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from model.data import Dataset
    from store.queries import Connection

HELD_OUT = 5
"""One reviewed image of so many is never trained on, by a checksum of its pixels: the same ones every time,
however often a photo is dropped, so that no candidate is measured on what any bundle was trained on."""


@dataclass(frozen=True)
class Reviewed:
    """Reviewed images with pixels: those to train on, those held out, and how many are of no use."""

    training: "Dataset"
    held_out: "Dataset"
    unusable: int


def reviewed(connection: "Connection", classes: tuple[str, ...], side: tuple[int, int]) -> Reviewed:
    """Return the reviewed images whose pixels were kept, of these classes and this (height, width)."""
    from model.data import Dataset
    from store.kept import kept_image
    from store.queries import reviews

    images: list[np.ndarray] = []
    labels: list[int] = []
    names: list[str] = []
    unusable = 0
    for review in reviews(connection):
        kept = kept_image(connection, review.job_id, review.image)
        if kept is None or kept[0] != side or review.label not in classes:
            unusable += 1
            continue
        images.append(np.frombuffer(kept[1], np.uint8).reshape(side))
        labels.append(classes.index(review.label))
        names.append(f"{review.job_id}/{review.image}")
    pixels = np.stack(images) if images else np.zeros((0, *side), np.uint8)
    whole = Dataset(pixels, np.array(labels, np.intp), classes, tuple(names))
    held = np.array([is_held_out(image) for image in images], bool)
    return Reviewed(whole.subset(np.flatnonzero(~held)), whole.subset(np.flatnonzero(held)), unusable)


def is_held_out(image: np.ndarray) -> bool:
    """Tell whether an image is one of those that are never trained on."""
    return zlib.crc32(image.tobytes()) % HELD_OUT == 0
