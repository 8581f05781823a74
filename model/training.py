"""Train the network, calibrate it, and put it into a bundle."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from model.calibration import softmax
from model.checkpoint import Checkpoint
from model.data import Dataset, load_dataset, split_dataset
from model.manifest import SECOND, load_manifest
from model.network import shape_of
from model.packing import answers_of, fingerprints, pack
from model.trainer import Recipe, Trainer
from model.weights import read_network

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

EPOCHS = 30
QUICK_EPOCHS = 3
CARRY_ON_EPOCHS = 8
CARRY_ON_RATE = (
    0.02  # what was learned is kept: higher rates forget it, and want a long run to learn it again
)
EXTRA_WEIGHT = 5  # a corrected image counts as often as so many others
QUICK_BATCH = 64  # many small steps, as there are few images


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
    start: Path | None = None,
    extra: Dataset | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Path:
    """Train on the `train` split of `data` and write a new bundle below `out`; return its directory.

    First the large network learns, then the small one that will answer before it, with the large one's
    answers as its teacher. `start` is a bundle's directory with whose weights and shapes both begin, at a
    lower rate. `extra` images, such as people's corrections, count `EXTRA_WEIGHT` times, and are
    never validated on. The same seed and data give the same networks on the same machine. `quick` takes a
    tenth of the images, three epochs, and a smaller network where there is no `start`. A run that was
    interrupted goes on after its last whole epoch when it is started again with the same settings, and ends
    where it would have ended. The first bundle below
    `out` becomes the current one. Raises `DataError`, and `BundleError` for `start`.
    """
    training, validation = split_dataset(load_dataset(data, "train"), quick=quick)
    if extra is not None:
        training = training.joined(*[extra] * EXTRA_WEIGHT)
    large = _quick_recipe(seed, epochs) if quick else Recipe(seed, epochs)
    small = large.for_first_network()
    tf.config.experimental.enable_op_determinism()
    run = _Run(training, validation, out, 2 * large.epochs, progress or (lambda _: None))
    begin = _networks_of(start) if start is not None else [None, None]
    small, large = _going_on(small, begin[0]), _going_on(large, begin[1])
    second = run.learn("second", large, 0, begin[1])
    teacher = teacher_of(second, training.images)
    if extra is not None:  # people know better than the teacher
        known = len(extra) * EXTRA_WEIGHT
        teacher[-known:] = np.eye(len(training.classes), dtype=np.float32)[training.labels[-known:]]
    first = run.learn("first", small, large.epochs, begin[0], teacher)
    code = {
        **asdict(large),
        "first": asdict(small),
        "start": start.name if start else "",
        "extra": 0 if extra is None else len(extra),
        "history": run.history,
    }
    bundle = pack(first, training, validation, out, second=second, code=code, data=fingerprints(data))
    run.forget()
    return bundle


def teacher_of(network: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Probabilities (n, classes) of a network, the mean of those for each image and its mirror image."""
    mirrored = np.ascontiguousarray(images[:, :, ::-1])
    one, other = (softmax(answers_of(network, each).logits, 1.0) for each in (images, mirrored))
    return ((one + other) / 2).astype(np.float32)


def _networks_of(bundle: Path) -> list[keras.Model]:
    """Read a bundle's networks, the first and the second; no first one where the bundle has one network."""
    if load_manifest(bundle).second:
        return [read_network(bundle), read_network(bundle / SECOND)]
    return [None, read_network(bundle)]


class _Run:
    """What the networks of one run share."""

    def __init__(
        self,
        training: Dataset,
        validation: Dataset,
        out: Path,
        epochs: int,
        tell: Callable[[Progress], None],
    ) -> None:
        self._training, self._validation = training, validation
        self._out, self._epochs, self._tell = out, epochs, tell
        self._checkpoints: list[Checkpoint] = []
        self.history: list[dict[str, float | str]] = []

    def learn(
        self,
        name: str,
        recipe: Recipe,
        done: int,
        start: keras.Model | None,
        teacher: NDArray[np.float32] | None = None,
    ) -> keras.Model:
        """Train a network, after so many epochs of others, from its checkpoint on; return it averaged.

        The history calls it `name`.
        """
        digest = _settings_digest(self._training, recipe, start, teacher)
        checkpoint = Checkpoint(self._out / f".training-{digest}")
        self._checkpoints.append(checkpoint)
        trainer = Trainer(recipe, self._training, start=start, teacher=teacher)
        history = checkpoint.load(trainer.variables)
        for epoch in range(len(history), recipe.epochs):
            history.append(self._epoch(trainer, epoch, done))
            checkpoint.save(trainer.variables, history)
        self.history += [{"network": name, **epoch} for epoch in history]
        return trainer.averaged

    def _epoch(self, trainer: Trainer, epoch: int, done: int) -> dict[str, float]:
        """Train an epoch, look at validation, and tell the caller of each step."""
        losses: list[float] = []
        for loss in trainer.epoch(epoch):
            losses.append(loss)
            self._tell(
                Progress(done + epoch, self._epochs, len(losses), trainer.steps, float(np.mean(losses)))
            )
        answers = trainer.logits(self._validation.images).argmax(axis=1)
        accuracy, mean = float((answers == self._validation.labels).mean()), float(np.mean(losses))
        self._tell(Progress(done + epoch, self._epochs, trainer.steps, trainer.steps, mean, accuracy))
        return {"loss": mean, "validation_accuracy": accuracy}

    def forget(self) -> None:
        """Remove what an interrupted run would have gone on from."""
        for checkpoint in self._checkpoints:
            checkpoint.remove()


def _going_on(recipe: Recipe, start: keras.Model | None) -> Recipe:
    """Return the recipe for going on with the weights of a network: at a lower rate, and with its shape."""
    if start is None:
        return recipe
    return replace(recipe, peak_rate=CARRY_ON_RATE, **(shape_of(start) or {}))


def _quick_recipe(seed: int, epochs: int) -> Recipe:
    return Recipe(seed, min(epochs, QUICK_EPOCHS), (0, 32, 96), (1, 1), batch=QUICK_BATCH, peak_rate=0.05)


def _settings_digest(
    training: Dataset, recipe: Recipe, start: keras.Model | None, teacher: NDArray[np.float32] | None
) -> str:
    """Name a run by all that decides its outcome, so that another run's checkpoint is never taken."""
    digest = hashlib.sha256(f"{recipe} {len(training)}".encode())
    begin = [] if start is None else start.get_weights()
    for part in (training.images, training.labels, *begin, *([] if teacher is None else [teacher])):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:12]
