"""A garment on a floor, a bed or a carpet is cut out of it; on a studio's ground nothing changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from model import preprocessing
from model.classifier import Classifier
from model.cutting_out import cut_out
from model.data import load_dataset
from model.evaluation import judge
from model.preprocessing import InputSpec, prepare_pixels

SPEC = InputSpec()
BEFORE = replace(SPEC, cut_out_spread=255.0)
FIRST = replace(BEFORE, resize="subsample")
CLOTH = (140, 60, 50)


def outline(size: int = 300) -> NDArray[np.bool_]:
    """Where the garment is: a dress, narrow above and wide below."""
    down, right = np.mgrid[0:size, 0:size] / size
    inside: NDArray[np.bool_] = (down > 0.15) & (down < 0.85) & (np.abs(right - 0.5) < 0.1 + 0.2 * down)
    return inside


def floor(size: int = 300, seed: int = 1) -> NDArray[np.uint8]:
    """Boards of a floor: brown, striped and grainy, brighter to one side."""
    random = np.random.default_rng(seed)
    down, right = np.mgrid[0:size, 0:size]
    level = 150 + 35 * np.sign(np.sin(down / 9)) + 30 * right / size + random.normal(0, 12, (size, size))
    boards: NDArray[np.uint8] = np.clip(level[..., None] * (0.7, 0.9, 1.1), 0, 255).astype(np.uint8)
    return boards


def photo(seed: int = 1) -> NDArray[np.uint8]:
    """A blue dress on the floor."""
    picture = floor(seed=seed)
    grain = np.random.default_rng(seed).normal(0, 10, (*picture.shape[:2], 1))
    cloth = np.clip(np.array(CLOTH) + grain, 0, 255).astype(np.uint8)
    return np.where(outline()[..., None], cloth, picture).astype(np.uint8)


def overlap(pixels: NDArray[np.uint8], where: NDArray[np.bool_]) -> float:
    """Return the intersection over the union of what is bright and where it should be."""
    bright = pixels > 32
    return float((bright & where).sum() / (bright | where).sum())


def wanted() -> NDArray[np.bool_]:
    """The garment alone, as a studio would show it."""
    studio = np.where(outline(), 60, 255).astype(np.uint8)
    return prepare_pixels(studio, SPEC) > 32


def test_garment_is_cut_out_of_a_floor() -> None:
    """Its shape is what a studio's ground would give; with the steps of before it was not."""
    found, before = (overlap(prepare_pixels(photo(), spec), wanted()) for spec in (SPEC, BEFORE))
    assert found > 0.9
    assert before < 0.7


def test_same_picture_is_always_cut_alike() -> None:
    """Whatever chance had been asked for before."""
    first = prepare_pixels(photo(), SPEC)
    cv2.setRNGSeed(77)
    np.testing.assert_array_equal(first, prepare_pixels(photo(), SPEC))


def test_gray_picture_is_cut_out_too() -> None:
    """Where garment and ground differ in brightness."""
    gray = cv2.cvtColor(photo(), cv2.COLOR_BGR2GRAY).astype(np.uint8)
    assert overlap(prepare_pixels(gray, SPEC), wanted()) > 0.8


def test_studio_changes_nothing() -> None:
    """A ground that is even but for a camera's noise is none to be cut out of."""
    random = np.random.default_rng(2)
    ground = np.clip(random.normal(235, 2, (300, 300, 3)), 0, 255).astype(np.uint8)
    picture = np.where(outline()[..., None], np.array(CLOTH, np.uint8), ground)
    np.testing.assert_array_equal(prepare_pixels(picture, BEFORE), prepare_pixels(picture, SPEC))


def test_bundle_of_before_goes_on_as_it_was() -> None:
    """Its manifest, and an announcement of it, lack the setting."""
    settings = SPEC.to_dict()
    del settings["cut_out_spread"]
    spec = InputSpec.from_dict(settings)
    np.testing.assert_array_equal(prepare_pixels(photo(), BEFORE), prepare_pixels(photo(), spec))


@pytest.mark.parametrize("side", [1, 2, 3, 5, 8, 27, 29])
def test_what_is_too_small_to_hold_a_garment_is_not_cut(side: int) -> None:
    """Nor is it refused: the plain steps make pixels of it."""
    noise = np.random.default_rng(side).integers(0, 256, (side, side + 1, 3)).astype(np.uint8)
    assert prepare_pixels(noise, SPEC).shape == (28, 28)


def test_announcement_of_a_huge_thumbnail_makes_no_huge_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cut takes time and memory by its pixels: they are ours to bound."""
    seen: list[tuple[int, ...]] = []

    def counted(picture: NDArray[np.uint8], differs: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
        seen.append(picture.shape)
        return cut_out(picture, differs)

    monkeypatch.setattr(preprocessing, "cut_out", counted)
    large = cv2.resize(photo(), (1500, 1500)).astype(np.uint8)
    assert overlap(prepare_pixels(large, replace(SPEC, thumbnail=4096)), wanted()) > 0.85
    assert [(128, 128, 3)] == seen


def test_ground_alone_has_no_garment() -> None:
    """Where nothing differs there is nothing to cut out."""
    picture = floor(73)
    assert cut_out(picture, np.zeros(picture.shape[:2], np.bool_)) is None


def test_pieces_stay_together_and_specks_go() -> None:
    """A pair of shoes is two pieces; dust is none."""
    picture = np.full((73, 73, 3), 200, np.uint8)
    picture[20:50, 10:30], picture[20:50, 45:65], picture[8:10, 60:62] = 30, 40, 35
    found = cut_out(picture, picture[..., 0] < 100)
    assert found is not None
    assert found[35, 20]
    assert found[35, 55]
    assert not found[9, 61]


@pytest.mark.slow
def test_home_photos_are_read_better(bundle: Path, fashion_mnist: Path) -> None:
    """Garments on beds and floors, six classes: the balanced accuracy rises by ten points and more."""
    photos = fashion_mnist.parent / "photos"
    if not photos.is_dir():
        pytest.skip(f"no photos at {photos}")
    classifier = Classifier.open(bundle)
    after, before = (
        judge(classifier.classify(one.images).probabilities, one.labels, one.classes).balanced_accuracy
        for one in (load_dataset(photos, "test", spec) for spec in (SPEC, FIRST))
    )
    assert after > 0.6
    assert after - before > 0.1
