"""Labelled images from the three forms they come in: IDX files, Kaggle's CSV, folders by class."""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from model.manifest import CLASSES
from model.preprocessing import ImageError, InputSpec, prepare

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SPLITS = {"train": "train", "test": "t10k"}
VALIDATION = "validation"
VALIDATION_SHARE = 1 / 12
QUICK_IMAGES = 6_000
LEAST_PER_CLASS = 10


class DataError(ValueError):
    """The data are missing, damaged, too few or not of these classes; one line that names the place."""


@dataclass(frozen=True)
class Dataset:
    """Images (n, 28, 28) uint8, bright on black, their labels (n,) as indices of `classes`, their names."""

    images: NDArray[np.uint8]
    labels: NDArray[np.intp]
    classes: tuple[str, ...]
    names: tuple[str, ...]

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.labels)

    def joined(self, *others: Dataset) -> Dataset:
        """Return these images and others of the same classes and size. Raises `DataError`."""
        for other in others:
            if other.classes != self.classes or other.images.shape[1:] != self.images.shape[1:]:
                raise DataError("images of other classes, or of another size, cannot be joined")
        parts = (self, *others)
        names = tuple(name for part in parts for name in part.names)
        images = np.concatenate([part.images for part in parts])
        labels = np.concatenate([part.labels for part in parts])
        return Dataset(images, labels, self.classes, names)

    def subset(self, chosen: NDArray[np.intp]) -> Dataset:
        """Return the images with these indices."""
        names = tuple(self.names[index] for index in chosen)
        return Dataset(self.images[chosen], self.labels[chosen], self.classes, names)


def load_dataset(path: Path, split: str, spec: InputSpec | None = None) -> Dataset:
    """Load the `train` or `test` images of a directory, or one CSV file.

    `validation` are those of a directory's `train` images that training holds back.

    The directory holds Fashion-MNIST's official IDX files (gzip or not), Kaggle's
    `fashion-mnist_train.csv` and `fashion-mnist_test.csv`, or a folder of images per class, below
    `train` and `test` if those exist. `spec` is what turns image files into pixels. Raises `DataError`.
    """
    if split == VALIDATION:
        if path.is_dir() and _of_split(path, "train", spec) is None:
            raise DataError(f"{path}: holds no training images, of which validation is a part")
        return split_dataset(load_dataset(path, "train", spec), quick=False)[1]
    if split not in SPLITS:
        raise DataError(f"there is no split {split!r}; there are {', '.join([*SPLITS, VALIDATION])}")
    if path.is_file():
        return _from_csv(path)
    if not path.is_dir():
        raise DataError(f"{path}: no such directory")
    read = _of_split(path, split, spec)
    return read() if read is not None else _from_folders(path, spec or InputSpec())


def _of_split(path: Path, split: str, spec: InputSpec | None) -> Callable[[], Dataset] | None:
    """Return what reads the part of a directory that is named as the split; None where none is."""
    if (images := _existing(path / f"{SPLITS[split]}-images-idx3-ubyte")) is not None:
        return partial(_from_idx, images, path / f"{SPLITS[split]}-labels-idx1-ubyte")
    if (table := path / f"fashion-mnist_{split}.csv").is_file():
        return partial(_from_csv, table)
    if (folder := path / split).is_dir():
        return partial(_from_folders, folder, spec or InputSpec())
    return None


def split_dataset(dataset: Dataset, *, quick: bool) -> tuple[Dataset, Dataset]:
    """Training and validation images: the same split for every seed, so that runs can be compared."""
    counts = np.bincount(dataset.labels, minlength=len(dataset.classes))
    if counts.min() < LEAST_PER_CLASS:
        name = dataset.classes[int(counts.argmin())]
        raise DataError(
            f"{counts.min()} images of {name}; training needs at least {LEAST_PER_CLASS} of each class"
        )
    order = np.random.default_rng(20170825).permutation(len(dataset))
    held = max(1, round(len(dataset) * VALIDATION_SHARE))
    chosen = order[held : held + QUICK_IMAGES] if quick else order[held:]
    return dataset.subset(chosen), dataset.subset(order[:held])


def _existing(file: Path) -> Path | None:
    """Find the IDX file itself, its gzip, or the spelling with a dot that some copies have."""
    dotted = file.with_name(file.name.replace("-idx", ".idx"))
    candidates = (file, Path(f"{file}.gz"), dotted, Path(f"{dotted}.gz"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _from_idx(image_file: Path, labels_name: Path) -> Dataset:
    label_file = _existing(labels_name)
    if label_file is None:
        raise DataError(f"{labels_name}: missing beside {image_file.name}")
    images, labels = _read_idx(image_file, 3), _read_idx(label_file, 1)
    if images.shape[1:] != (28, 28):
        raise DataError(
            f"{image_file}: images of {images.shape[1]} x {images.shape[2]} pixels, expected 28 x 28"
        )
    return _checked(image_file, images, labels)


def _read_idx(file: Path, dimensions: int) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes: magic, one big-endian length per dimension, the bytes."""
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file}: cannot be read: {error}") from error
    start = 4 + 4 * dimensions
    if len(content) < start or content[:4] != bytes((0, 0, 8, dimensions)):
        raise DataError(f"{file}: no IDX file of {dimensions} dimensions")
    shape = tuple(int(length) for length in np.frombuffer(content[4:start], ">u4"))
    if len(content) - start != int(np.prod(shape)):
        raise DataError(f"{file}: damaged, its length is not what its header says")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _from_csv(file: Path) -> Dataset:
    try:
        table = np.loadtxt(file, np.uint8, delimiter=",", skiprows=1, ndmin=2)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: no table of label,pixel1..pixel784: {error}") from error
    if table.shape[1] != 785:
        raise DataError(f"{file}: {table.shape[1]} columns, expected label,pixel1..pixel784")
    return _checked(file, table[:, 1:].reshape(-1, 28, 28), table[:, 0])


def _checked(file: Path, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Dataset:
    if len(images) != len(labels):
        raise DataError(f"{file}: {len(images)} images, but {len(labels)} labels")
    if not len(labels):
        raise DataError(f"{file}: holds no image")
    if labels.max() >= len(CLASSES):
        raise DataError(f"{file}: label {labels.max()} is none of 0..{len(CLASSES) - 1}")
    names = tuple(f"{file.name}:{index}" for index in range(len(labels)))
    return Dataset(images, labels.astype(np.intp), CLASSES, names)


# How folders are called beside the classes' own names and numbers, letters only.
_ALIASES = {
    "tshirt": 0, "tee": 0, "top": 0, "tshirts": 0, "trousers": 1, "pants": 1, "pullovers": 2, "sweater": 2,
    "hoodie": 2, "longsleeve": 2, "dresses": 3, "coats": 4, "jacket": 4, "sandals": 5, "shirts": 6,
    "sneakers": 7, "bags": 8, "handbag": 8, "boot": 9, "boots": 9, "ankleboots": 9,
}  # fmt: skip


def class_of(folder: str) -> int | None:
    """Read a class from a folder's name, loosely: `T-shirt_top`, `t-shirt`, `0`; None if it names none."""
    letters = re.sub(r"[^a-z0-9]", "", folder.lower())
    names = {re.sub(r"[^a-z]", "", name.lower()): index for index, name in enumerate(CLASSES)}
    numbers = {str(index): index for index in range(len(CLASSES))}
    return {**_ALIASES, **numbers, **names}.get(letters)


def _from_folders(path: Path, spec: InputSpec) -> Dataset:
    folders = sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not folders:
        raise DataError(f"{path}: neither IDX files, nor fashion-mnist CSV files, nor a folder per class")
    images: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    names: list[str] = []
    for folder in folders:
        label = class_of(folder.name)
        if label is None:
            raise DataError(f"{folder}: names no class; classes are {', '.join(CLASSES)}")
        for file in sorted(entry for entry in folder.iterdir() if not entry.name.startswith(".")):
            images.append(_read_image(file, spec))
            labels.append(label)
            names.append(f"{folder.name}/{file.name}")
    if not images:
        raise DataError(f"{path}: its folders hold no image")
    return Dataset(np.stack(images), np.array(labels, np.intp), CLASSES, tuple(names))


def _read_image(file: Path, spec: InputSpec) -> NDArray[np.uint8]:
    try:
        return prepare(file.read_bytes(), spec)
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}") from error
    except ImageError as error:
        raise DataError(f"{file}: {error}") from error
