"""Training gives a bundle that serves, the same one for the same seed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

from model.bundle import read_golden, verify
from model.classifier import Classifier
from model.data import DataError, Dataset, load_dataset
from model.manifest import CLASSES, load_manifest
from model.training import Progress, train
from tests.model.test_data import idx

# Each run compiles the network and its steps anew, which takes a busy machine long.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

RANDOM = np.random.default_rng(11)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 images in which the class is a bright row, easy to learn."""
    folder = tmp_path_factory.mktemp("data")
    labels = np.arange(600) % 10
    images = RANDOM.integers(0, 60, (600, 28, 28)).astype(np.uint8)
    images[np.arange(600), 2 + 2 * labels] = 250
    (folder / "train-images-idx3-ubyte").write_bytes(idx(images))
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(labels.astype(np.uint8)))
    return folder


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Progress]]:
    """A bundle from seed 3, and what was told while it was trained."""
    seen: list[Progress] = []
    out = tmp_path_factory.mktemp("bundles")
    return train(data, out, seed=3, epochs=2, quick=True, progress=seen.append), seen


def test_training_gives_what_serves(data: Path, trained: tuple[Path, list[Progress]], tmp_path: Path) -> None:
    """The current one from now on, with its data's checksums; another seed gives another."""
    first, seen = trained
    other = train(data, tmp_path / "c", seed=4, epochs=2, quick=True)

    assert first.name != other.name
    assert (first.parent / "current").read_text() == f"{first.name}\n"
    assert verify(first).data["training"].keys() == {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"}
    assert [step.epoch for step in seen if step.validation_accuracy is not None] == [0, 1, 2, 3]
    assert Classifier.open(first.parent).version == first.name
    manifest = load_manifest(first)
    assert ["second", "second", "first", "first"] == [one["network"] for one in manifest.code["history"]]
    held_out = manifest.accuracy["validation"]["images"]
    assert held_out == np.sum(manifest.validation["confusion"])
    assert held_out == sum(images for images, _, _ in manifest.validation["reliability"])
    assert held_out == len(load_dataset(data, "validation"))


def test_too_few_images_of_a_class_are_refused(data: Path, tmp_path: Path) -> None:
    """The line names the class."""
    folder = Path(shutil.copytree(data, tmp_path / "few"))
    labels = (np.arange(600) % 9).astype(np.uint8)
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(labels))

    with pytest.raises(DataError, match="0 images of Ankle boot"):
        train(folder, tmp_path / "out", quick=True)


def test_an_interrupted_training_goes_on_and_ends_the_same(
    data: Path, trained: tuple[Path, list[Progress]], tmp_path: Path
) -> None:
    """Stopped in its second epoch and started again, it trains only what is missing.

    Two runs of one seed agree to the last bit, in one go or in two.
    """

    def interrupt(step: Progress) -> None:
        if step.epoch == 1:
            raise KeyboardInterrupt

    seen: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "parts", seed=3, epochs=2, quick=True, progress=interrupt)
    parts = train(
        data, tmp_path / "parts", seed=3, epochs=2, quick=True, progress=lambda step: seen.append(step.epoch)
    )

    assert set(seen) == {1, 2, 3}
    np.testing.assert_array_equal(read_golden(trained[0]).logits, read_golden(parts).logits)
    assert trained[0].name.rpartition("-")[2] == parts.name.rpartition("-")[2]  # the day may be another
    assert sorted(file.name for file in (tmp_path / "parts").iterdir()) == sorted([parts.name, "current"])


def test_training_goes_on_from_a_bundle_with_corrections(
    data: Path, trained: tuple[Path, list[Progress]], tmp_path: Path
) -> None:
    """What people corrected is learned, against the labels of all that look alike, and the bundle says so."""
    first, _ = trained
    images = np.random.default_rng(3).integers(0, 60, (200, 28, 28)).astype(np.uint8)
    images[:, 26] = 250  # a row that no class of the data has
    corrections = Dataset(images, np.full(200, 8), CLASSES, tuple(str(index) for index in range(200)))

    after = train(data, tmp_path / "a", seed=6, epochs=2, quick=True, start=first, extra=corrections)

    assert {"start": first.name, "extra": 200} == {
        name: load_manifest(after).code[name] for name in ("start", "extra")
    }
    labels = Classifier.open(after).classify(images).labels
    assert (labels == 8).mean() > 0.9
