"""The recipe's schedule, and a step that learns."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

from model.data import Dataset
from model.trainer import Recipe, Trainer

pytestmark = pytest.mark.slow


def test_the_rate_rises_for_an_epoch_and_falls_to_nothing() -> None:
    """The cosine's top is nearly reached after the first epoch; the last step hardly moves anything."""
    recipe = Recipe(epochs=20)
    rates = [recipe.rate(epoch / 10) for epoch in range(200)]

    assert rates[0] < 0.02 * recipe.peak_rate
    assert rates.index(max(rates)) == 10
    assert max(rates) == pytest.approx(recipe.peak_rate, rel=0.01)
    assert sorted(rates[10:], reverse=True) == rates[10:]
    assert rates[-1] < 1e-4 * recipe.peak_rate


def test_the_end_of_a_run_belongs_to_plain_images() -> None:
    """Fewer and fewer photos, and at the end none, and no patches either."""
    recipe = Recipe(epochs=100)

    assert recipe.shares(0) == (recipe.photo_share, recipe.erased_share)
    assert recipe.shares(50)[0] == pytest.approx(0.75 * recipe.photo_share)
    assert recipe.shares(89) == (0.0, 0.0)


def test_the_averaged_network_learns() -> None:
    """Two classes that one row tells apart are told apart after a few steps."""
    labels = np.arange(512) % 2
    images = np.random.default_rng(1).integers(0, 60, (512, 28, 28)).astype(np.uint8)
    images[np.arange(512), 4 + 16 * labels] = 250
    names = tuple(str(index) for index in range(512))
    recipe = Recipe(
        epochs=4, batch=32, widths=(4, 8, 8), blocks=(1, 1), peak_rate=0.03, photo_share=0.0, erased_share=0.0
    )
    trainer = Trainer(recipe, Dataset(images, labels, ("above", "below"), names))

    losses = [loss for epoch in range(recipe.epochs) for loss in trainer.epoch(epoch)]

    assert np.mean(losses[-8:]) < np.mean(losses[:8])
    assert (trainer.logits(images).argmax(axis=1) == labels).mean() > 0.95


def test_a_teacher_is_followed_where_the_labels_say_nothing() -> None:
    """With a share of 1 the network learns the teacher's answers, against every label."""
    labels = np.arange(512) % 2
    images = np.random.default_rng(1).integers(0, 60, (512, 28, 28)).astype(np.uint8)
    images[np.arange(512), 4 + 16 * labels] = 250
    names = tuple(str(index) for index in range(512))
    recipe = Recipe(
        epochs=4, batch=32, widths=(4, 8, 8), blocks=(1, 1), peak_rate=0.03, photo_share=0.0,
        erased_share=0.0, teacher_share=1.0,
    )  # fmt: skip
    opposite = np.eye(2, dtype=np.float32)[1 - labels]
    trainer = Trainer(recipe, Dataset(images, labels, ("above", "below"), names), teacher=opposite)

    for epoch in range(recipe.epochs):
        for _ in trainer.epoch(epoch):
            pass

    assert (trainer.logits(images).argmax(axis=1) == 1 - labels).mean() > 0.95
