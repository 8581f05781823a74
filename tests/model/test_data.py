"""Labelled images come in three forms, and damaged ones are refused in one line."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from model.data import DataError, class_of, load_dataset, split_dataset
from model.manifest import CLASSES

IMAGES = np.random.default_rng(1).integers(1, 256, (20, 28, 28)).astype(np.uint8)
IMAGES[:, :, :10] = 0
LABELS = np.arange(20) % 10


def idx(array: NDArray[np.uint8]) -> bytes:
    """An IDX file of unsigned bytes."""
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_idx(folder: Path, images: bytes, labels: bytes) -> None:
    """A pair of IDX files for the test split."""
    (folder / "t10k-images-idx3-ubyte").write_bytes(images)
    (folder / "t10k-labels-idx1-ubyte").write_bytes(labels)


def write_csv(file: Path, columns: int = 784) -> None:
    """A table as Kaggle has it."""
    rows = [",".join(["label", *(f"pixel{index + 1}" for index in range(columns))])]
    rows += [
        ",".join(map(str, [label, *image.ravel()[:columns]]))
        for label, image in zip(LABELS, IMAGES, strict=True)
    ]
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_are_read_packed_or_not(tmp_path: Path, packed: bool) -> None:  # noqa: FBT001  a parameter
    """The official files, as they are downloaded and as they are unpacked."""
    write_idx(tmp_path, idx(IMAGES), idx(LABELS.astype(np.uint8)))
    if packed:
        for file in list(tmp_path.iterdir()):
            Path(f"{file}.gz").write_bytes(gzip.compress(file.read_bytes()))
            file.unlink()

    dataset = load_dataset(tmp_path, "test")

    np.testing.assert_array_equal(IMAGES, dataset.images)
    np.testing.assert_array_equal(LABELS, dataset.labels)
    assert dataset.classes == CLASSES


def test_validation_is_what_training_holds_back(tmp_path: Path) -> None:
    """The same images each time, and none of those that are trained on."""
    labels = np.arange(120) % 10
    images = np.zeros((120, 28, 28), np.uint8)
    images[:, 0, 0] = np.arange(120)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(images))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(labels.astype(np.uint8)))
    held = load_dataset(tmp_path, "validation")
    training, validation = split_dataset(load_dataset(tmp_path, "train"), quick=False)

    assert 10 == len(held)
    assert held.names == validation.names
    assert set(range(120)) == {*training.images[:, 0, 0].tolist(), *held.images[:, 0, 0].tolist()}


def test_folder_of_test_images_has_no_validation(tmp_path: Path) -> None:
    """Nothing of it was held back from training."""
    write_idx(tmp_path, idx(IMAGES), idx(LABELS.astype(np.uint8)))
    with pytest.raises(DataError, match="holds no training images, of which validation is a part"):
        load_dataset(tmp_path, "validation")


@pytest.mark.parametrize("whole", [False, True])
def test_kaggles_csv_is_read_by_directory_and_by_name(tmp_path: Path, whole: bool) -> None:  # noqa: FBT001
    """The table's rows are the images."""
    file = tmp_path / "fashion-mnist_test.csv"
    write_csv(file)

    dataset = load_dataset(file if whole else tmp_path, "test")

    np.testing.assert_array_equal(IMAGES, dataset.images)
    np.testing.assert_array_equal(LABELS, dataset.labels)


def test_folders_are_read_by_class(tmp_path: Path) -> None:
    """Each folder's images get the class that its name means, loosely."""
    for folder, index in (("T-shirt_top", 0), ("ankle-boot", 9), ("2", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").write_bytes(cv2.imencode(".png", IMAGES[index])[1].tobytes())
    (tmp_path / ".cache").mkdir()

    dataset = load_dataset(tmp_path, "test")

    assert dataset.names == ("2/a.png", "T-shirt_top/a.png", "ankle-boot/a.png")
    assert dataset.labels.tolist() == [2, 0, 9]
    np.testing.assert_array_equal(IMAGES[[2, 0, 9]], dataset.images)


@pytest.mark.parametrize(
    ("name", "label"),
    [("T-shirt_top", 0), ("t-shirt", 0), ("Tshirt", 0), ("0", 0), ("trousers", 1), ("Pullover", 2), ("9", 9),
     ("Ankle boot", 9), ("shirts", 6), ("bag", 8), ("hat", None), ("", None), ("10", None)],
)  # fmt: skip
def test_folder_names_mean_classes_loosely(name: str, label: int | None) -> None:
    """Case, blanks, plural and numbers do not matter; another garment does."""
    assert label == class_of(name)


BROKEN = {
    "short images": (idx(IMAGES)[:-1], idx(LABELS.astype(np.uint8)), "damaged"),
    "no magic": (b"hello, world, this is no IDX file", idx(LABELS.astype(np.uint8)), "no IDX file"),
    "labels for images": (idx(LABELS.astype(np.uint8)), idx(LABELS.astype(np.uint8)), "3 dimensions"),
    "too few labels": (idx(IMAGES), idx(LABELS[:5].astype(np.uint8)), "20 images, but 5 labels"),
    "unknown label": (idx(IMAGES), idx((LABELS + 5).astype(np.uint8)), "label 14"),
    "nothing": (idx(IMAGES[:0]), idx(LABELS[:0].astype(np.uint8)), "no image"),
    "other size": (idx(IMAGES[:, :14]), idx(LABELS.astype(np.uint8)), "expected"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_idx_files_are_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    """The line names the file and what is wrong with it."""
    images, labels, complaint = BROKEN[kind]
    write_idx(tmp_path, images, labels)

    with pytest.raises(DataError, match=complaint) as caught:
        load_dataset(tmp_path, "test")

    assert str(caught.value).startswith(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_damaged_gzip_is_refused(tmp_path: Path) -> None:
    """Half a download is named as what it is."""
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(IMAGES))[:100])
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(LABELS.astype(np.uint8)))

    with pytest.raises(DataError, match=r"idx3-ubyte\.gz: cannot be read"):
        load_dataset(tmp_path, "test")


def test_a_table_with_other_columns_is_refused(tmp_path: Path) -> None:
    """The line says how many columns came."""
    write_csv(tmp_path / "fashion-mnist_test.csv", columns=783)

    with pytest.raises(DataError, match="784 columns"):
        load_dataset(tmp_path, "test")


def test_a_folder_that_names_no_class_is_refused(tmp_path: Path) -> None:
    """A class that the model does not know is no data for it."""
    (tmp_path / "hats").mkdir()

    with pytest.raises(DataError, match="hats: names no class"):
        load_dataset(tmp_path, "test")


def test_a_file_that_is_no_image_is_named(tmp_path: Path) -> None:
    """The line says which file of the folder it is."""
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag" / "a.png").write_bytes(b"no image at all")

    with pytest.raises(DataError, match=r"a\.png: not-an-image"):
        load_dataset(tmp_path, "test")


@pytest.mark.parametrize("split", ["test", "train"])
def test_missing_data_are_refused(tmp_path: Path, split: str) -> None:
    """Neither a missing nor an empty directory is a dataset."""
    for place in (tmp_path, tmp_path / "missing"):
        with pytest.raises(DataError, match=str(place)):
            load_dataset(place, split)
