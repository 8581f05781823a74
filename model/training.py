"""Train the network, calibrate it, and put it into a bundle."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from model.checkpoint import Checkpoint
from model.data import DataError, Dataset, load_dataset
from model.network import build_network
from model.packing import fingerprints, pack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

BATCH = 128
VALIDATION_SHARE = 1 / 12
QUICK_IMAGES = 6_000
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
    epochs: int = 14,
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
    epochs = min(epochs, 3) if quick else epochs
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    steps = -(-len(training) // BATCH)
    checkpoint = Checkpoint(out / f".training-{_settings_digest(training, seed, epochs)}")
    network = build_network(len(dataset.classes))
    _compile(network, steps * epochs)
    history = checkpoint.load(network)
    for epoch in range(len(history), epochs):
        report = _Reporter(progress, epoch, epochs, steps)
        images, labels = _augmented(training, np.random.default_rng((seed, epoch)))
        network.fit(images, labels, batch_size=BATCH, shuffle=False, verbose=0, callbacks=[report])
        accuracy = float((_logits(network, validation.images).argmax(axis=1) == validation.labels).mean())
        history.append({"loss": report.loss, "validation_accuracy": accuracy})
        checkpoint.save(network, history)
        report.finish(accuracy)
    run = {"seed": seed, "epochs": epochs, "history": history}
    bundle = pack(network, training, validation, out, code=run, data=fingerprints(data))
    checkpoint.remove()
    return bundle


def _settings_digest(training: Dataset, seed: int, epochs: int) -> str:
    """Name a run by all that decides its outcome, so that another run's checkpoint is never taken."""
    digest = hashlib.sha256(f"{seed} {epochs} {len(training)}".encode())
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


def _compile(network: keras.Model, steps: int) -> None:
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=3e-3, warmup_steps=max(1, steps // 10)
    )
    network.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=0.02),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )


def _augmented(dataset: Dataset, random: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """Shuffle, and mirror half of the images.

    Shifting costs accuracy here: these garments are centred and touch the border.
    """
    order = random.permutation(len(dataset))
    images = dataset.images[order]
    mirrored = random.random(len(images)) < 0.5
    images[mirrored] = images[mirrored, :, ::-1]
    return images, dataset.labels[order]


def _logits(network: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    parts = [np.asarray(network(images[at : at + 500], training=False)) for at in range(0, len(images), 500)]
    return np.concatenate(parts)


class _Reporter(keras.callbacks.Callback):  # type: ignore[misc] # keras has no types
    """Passes each step on to the caller's progress function."""

    def __init__(
        self, progress: Callable[[Progress], None] | None, epoch: int, epochs: int, steps: int
    ) -> None:
        super().__init__()
        self._progress, self._epoch, self._epochs, self._steps = progress, epoch, epochs, steps
        self.loss = float("nan")

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.loss = float((logs or {}).get("loss", float("nan")))
        if self._progress is not None:
            self._progress(Progress(self._epoch, self._epochs, batch + 1, self._steps, self.loss))

    def finish(self, accuracy: float) -> None:
        if self._progress is not None:
            self._progress(Progress(self._epoch, self._epochs, self._steps, self._steps, self.loss, accuracy))
