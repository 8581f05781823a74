"""How the network learns: the recipe, one step, and the averaged weights that are kept.

SGD with Nesterov's momentum, a cosine schedule with a warm-up, label smoothing (Szegedy et al. 2016), and an
exponential moving average of the weights. Photos are imitated throughout but for the end, which belongs to
Fashion-MNIST as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from model.augmentation import augment
from model.manifest import BundleError
from model.network import FusedBatchNormalization, build_network, take_over

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from model.data import Dataset


# With fewer weights than this from the bundle to begin with, a low rate would train random ones.
LEAST_TAKEN_OVER = 0.5


@dataclass(frozen=True)
class Recipe:
    """Settings of a run; with the same data they give the same network on the same machine.

    Shares are 0..1: of the images that are made like photos at the start (half of it at the end), of those
    that lose a patch, of the run, at its end, in which neither happens, and of what is to be learned that
    comes from a teacher's probabilities where there is one (Hinton et al. 2015) rather than from the labels.
    """

    seed: int = 0
    epochs: int = 30
    widths: tuple[int, int, int] = (32, 64, 192)
    blocks: tuple[int, int] = (3, 1)
    batch: int = 256
    peak_rate: float = 0.12
    warm_up_epochs: float = 1.0
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    averaging: float = 0.998
    photo_share: float = 0.2
    erased_share: float = 0.35
    plain_share: float = 0.12
    teacher_share: float = 0.5

    def for_first_network(self) -> Recipe:
        """Return the recipe of the small network that answers before this recipe's one, taught by it."""
        return replace(self, widths=(0, 32, 64), blocks=(1, 1), teacher_share=0.7, erased_share=0.2)

    def rate(self, epoch: float) -> float:
        """Learning rate after so many epochs."""
        up = min(1.0, (epoch + 0.01) / min(self.warm_up_epochs, 0.2 * self.epochs))
        return self.peak_rate * up * (1 + math.cos(math.pi * epoch / self.epochs)) / 2

    def shares(self, epoch: float) -> tuple[float, float]:
        """Shares of photo-like and of erased images after so many epochs."""
        done = epoch / self.epochs
        if done > 1 - self.plain_share:
            return 0.0, 0.0
        return self.photo_share * (1 - done / 2), self.erased_share


def fastest_policy() -> str:
    """Return `mixed_bfloat16` where a GPU or the processor computes in it, `float32` otherwise."""
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    able = "avx512_bf16" in flags or "amx_bf16" in flags or bool(tf.config.list_physical_devices("GPU"))
    return "mixed_bfloat16" if able else "float32"


class Trainer:
    """The network that learns, its optimizer, and the `averaged` network that is kept."""

    def __init__(
        self,
        recipe: Recipe,
        training: Dataset,
        *,
        start: keras.Model | None = None,
        teacher: NDArray[np.float32] | None = None,
    ) -> None:
        """Build the network, with the weights of `start` where its layers fit.

        `teacher` has probabilities (n, classes) for the training images. Raises `BundleError` when little of
        `start` fits.
        """
        keras.utils.set_random_seed(recipe.seed)
        classes = len(training.classes)
        shape = (classes, recipe.widths, recipe.blocks)
        self._recipe = recipe
        self._network = build_network(*shape, normalisation=FusedBatchNormalization, dtype=fastest_policy())
        if start is not None and (share := take_over(self._network, start)) < LEAST_TAKEN_OVER:
            raise BundleError(
                f"only {share:.0%} of the weights can begin with the bundle's: its network is another one"
            )
        self.averaged = build_network(*shape)
        self.averaged.set_weights(self._network.get_weights())
        self._targets = tf.constant(_targets(recipe, training, teacher))
        self._optimizer = keras.optimizers.SGD(0.0, momentum=recipe.momentum, nesterov=True)
        self._optimizer.build(self._network.trainable_variables)
        self._images = tf.constant(training.images)
        self._step = tf.function(self._learn)
        self._infer = tf.function(lambda pixels: self.averaged(pixels, training=False))
        self.steps = max(1, len(training) // recipe.batch)

    @property
    def variables(self) -> list[Any]:
        """All that changes in training."""
        return [*self._network.variables, *self.averaged.variables, *self._optimizer.variables]

    def epoch(self, epoch: int) -> Iterator[float]:
        """Train an epoch, counted from 0; yield the loss of each step."""
        order = np.random.default_rng((self._recipe.seed, epoch)).permutation(len(self._images))
        for step in range(self.steps):
            chosen = order[step * self._recipe.batch : (step + 1) * self._recipe.batch]
            done = epoch * self.steps + step
            now = epoch + step / self.steps
            self._optimizer.learning_rate.assign(self._recipe.rate(now))
            keep = min(self._recipe.averaging, (1 + done) / (10 + done))
            settings = tf.constant([keep, *self._recipe.shares(now)], tf.float32)
            seed = tf.constant([self._recipe.seed, done], tf.int32)
            yield float(self._step(tf.constant(chosen), seed, settings))

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits (n, classes) of the averaged network."""
        parts = [self._infer(tf.constant(images[at : at + 250])).numpy() for at in range(0, len(images), 250)]
        return np.concatenate(parts)

    def _learn(self, chosen: Any, seed: Any, settings: Any) -> Any:
        """Take one step; `settings` are what the average keeps and the two shares."""
        pixels = augment(tf.gather(self._images, chosen), seed, settings[1], settings[2])
        truth = tf.gather(self._targets, chosen)
        variables = self._network.trainable_variables
        with tf.GradientTape() as tape:
            logits = self._network(pixels, training=True)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(truth, logits))
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        self._optimizer.apply(
            [self._decayed(*pair) for pair in zip(gradients, variables, strict=True)], variables
        )
        for mean, weight in zip(self.averaged.weights, self._network.weights, strict=True):
            mean.value.assign_add((1 - settings[0]) * (weight.value - mean.value))
        return loss

    def _decayed(self, gradient: Any, variable: Any) -> Any:
        """Kernels decay; the vectors of normalisations and the last layer's offsets do not."""
        if len(variable.shape) == 1:
            return gradient
        return gradient + self._recipe.weight_decay * tf.convert_to_tensor(variable.value)


def _targets(recipe: Recipe, training: Dataset, teacher: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Probabilities (n, classes) to learn: the smoothed labels, mixed with the teacher's answers."""
    classes, smoothing = len(training.classes), recipe.label_smoothing
    truth = np.full((len(training), classes), smoothing / classes, np.float32)
    truth[np.arange(len(training)), training.labels] += 1 - smoothing
    if teacher is None:
        return truth
    return (1 - recipe.teacher_share) * truth + recipe.teacher_share * teacher
