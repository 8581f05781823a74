"""Train the network, calibrate it, and put it into a bundle."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from model.checkpoint import Checkpoint
from model.data import DataError, Dataset, load_dataset
from model.packing import fingerprints, pack
from model.trainer import Recipe, Trainer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

EPOCHS = 30
VALIDATION_SHARE = 1 / 12
QUICK_IMAGES = 6_000
QUICK_EPOCHS = 3
QUICK_BATCH = 64  # many small steps, as there are few images
LEAST_PER_CLASS = 10


@dataclass(frozen=True)
class Progress:
    """Where training is. `validation_accuracy` (0..1) is set after each epoch's last step."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    validation_accuracy: float | None = None


def train(
    data: Path,
    out: Path,
    *,
    seed: int = 0,
    epochs: int = EPOCHS,
    quick: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Path:
    """Train on the `train` split of `data` and write a new bundle below `out`; return its directory.

    The same seed and data give the same network on the same machine. `quick` takes a tenth of the images
    and three epochs. A run that was interrupted goes on after its last whole epoch when it is started again
    with the same settings, and ends where it would have ended. The first bundle below `out` becomes the
    current one. Raises `DataError`.
    """
    dataset = load_dataset(data, "train")
    training, validation = _split(dataset, quick=quick)
    recipe = _quick_recipe(seed, epochs) if quick else Recipe(seed, epochs)
    tf.config.experimental.enable_op_determinism()
    checkpoint = Checkpoint(out / f".training-{_settings_digest(training, recipe)}")
    trainer = Trainer(recipe, training)
    history = checkpoint.load(trainer.variables)
    for epoch in range(len(history), recipe.epochs):
        history.append(_epoch(trainer, epoch, recipe.epochs, validation, progress))
        checkpoint.save(trainer.variables, history)
    run = {**asdict(recipe), "history": history}
    bundle = pack(trainer.averaged, training, validation, out, code=run, data=fingerprints(data))
    checkpoint.remove()
    return bundle


def _epoch(
    trainer: Trainer,
    epoch: int,
    epochs: int,
    validation: Dataset,
    progress: Callable[[Progress], None] | None,
) -> dict[str, float]:
    """Train an epoch, look at validation, and tell the caller's progress function of each step."""
    tell = progress or (lambda _: None)
    losses: list[float] = []
    for loss in trainer.epoch(epoch):
        losses.append(loss)
        tell(Progress(epoch, epochs, len(losses), trainer.steps, float(np.mean(losses))))
    accuracy = float((trainer.logits(validation.images).argmax(axis=1) == validation.labels).mean())
    mean = float(np.mean(losses))
    tell(Progress(epoch, epochs, trainer.steps, trainer.steps, mean, accuracy))
    return {"loss": mean, "validation_accuracy": accuracy}


def _quick_recipe(seed: int, epochs: int) -> Recipe:
    return Recipe(seed, min(epochs, QUICK_EPOCHS), QUICK_BATCH, peak_rate=0.05)


def _settings_digest(training: Dataset, recipe: Recipe) -> str:
    """Name a run by all that decides its outcome, so that another run's checkpoint is never taken."""
    digest = hashlib.sha256(f"{recipe} {len(training)}".encode())
    digest.update(training.images.tobytes())
    digest.update(training.labels.tobytes())
    return digest.hexdigest()[:12]


def _split(dataset: Dataset, *, quick: bool) -> tuple[Dataset, Dataset]:
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
    return _subset(dataset, chosen), _subset(dataset, order[:held])


def _subset(dataset: Dataset, chosen: NDArray[np.intp]) -> Dataset:
    names = tuple(dataset.names[index] for index in chosen)
    return Dataset(dataset.images[chosen], dataset.labels[chosen], dataset.classes, names)
