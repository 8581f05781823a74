"""Augmentation is the same for the same seed, and leaves alone what it is told to leave alone."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

from model.augmentation import augment  # noqa: E402  after its skip

IMAGES = np.zeros((64, 28, 28), np.uint8)
IMAGES[:, 6:22, 8:17] = np.random.default_rng(3).integers(90, 250, (64, 16, 9))


def augmented(seed: int, photo_share: float, erased_share: float) -> np.ndarray:
    """The images after one pass."""
    return np.asarray(augment(tf.constant(IMAGES), tf.constant([seed, 7]), photo_share, erased_share))


def test_the_same_seed_gives_the_same_pixels() -> None:
    """And another seed gives others."""
    first, again, other = augmented(1, 0.5, 0.5), augmented(1, 0.5, 0.5), augmented(2, 0.5, 0.5)

    assert ("uint8", IMAGES.shape) == (str(first.dtype), first.shape)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_without_photos_and_patches_images_are_only_mirrored_and_moved() -> None:
    """Every image keeps its pixels, up to two pixels from where they were, about half the other way round."""
    mirrored = 0
    for image, moved in zip(IMAGES, augmented(1, 0.0, 0.0), strict=True):
        np.testing.assert_array_equal(np.sort(image, axis=None), np.sort(moved, axis=None))
        rows, columns = np.nonzero(moved)
        assert abs(rows.min() - 6) <= 2
        garment = moved[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        mirrored += bool((garment == image[6:22, 8:17][:, ::-1]).all())

    assert 16 < mirrored < 48


def test_photos_differ_from_the_studio() -> None:
    """Most of the images that are made like photos have other values than the garment had."""
    changed = [
        not np.isin(photo, np.unique(image)).all()
        for image, photo in zip(IMAGES, augmented(1, 1.0, 0.0), strict=True)
    ]

    assert sum(changed) > 56
