"""Train the network, calibrate it, and put it into a bundle."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from model.bundle import CARD, WEIGHTS, Golden, new_bundle, seal, sha256, write_golden
from model.calibration import fit_temperature
from model.classifier import softmax
from model.data import DataError, Dataset, load_dataset
from model.evaluation import Evaluation, judge
from model.export import to_onnx
from model.manifest import CLASSES, CURRENT, Manifest
from model.network import build_network
from model.preprocessing import InputSpec

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
    and three epochs. The first bundle below `out` becomes the current one. Raises `DataError`.
    """
    dataset = load_dataset(data, "train")
    training, validation = _split(dataset, quick=quick)
    epochs = min(epochs, 3) if quick else epochs
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    network = build_network(len(dataset.classes))
    steps = -(-len(training) // BATCH)
    _compile(network, steps * epochs)
    history = []
    for epoch in range(epochs):
        report = _Reporter(progress, epoch, epochs, steps)
        images, labels = _augmented(training, np.random.default_rng((seed, epoch)))
        network.fit(images, labels, batch_size=BATCH, shuffle=False, verbose=0, callbacks=[report])
        accuracy = float((_logits(network, validation.images).argmax(axis=1) == validation.labels).mean())
        history.append({"loss": report.loss, "validation_accuracy": accuracy})
        report.finish(accuracy)
    return _bundle(network, validation, data, out, {"seed": seed, "epochs": epochs, "history": history})


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


def _bundle(network: keras.Model, validation: Dataset, data: Path, out: Path, run: dict[str, Any]) -> Path:
    logits = _logits(network, validation.images)
    temperature = fit_temperature(logits, validation.labels)
    figures = judge(softmax(logits, temperature), validation.labels, validation.classes)
    created = datetime.now(UTC)
    version = _version(network, created)
    with new_bundle(out, version) as scratch:
        network.save(scratch / WEIGHTS, include_optimizer=False)
        (scratch / "graph.onnx").write_bytes(to_onnx(network))
        write_golden(scratch, _golden(validation.images, logits))
        manifest = Manifest(
            version=version,
            created_at=created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            classes=CLASSES,
            input=InputSpec(),
            temperature=temperature,
            weights=int(network.count_params()),
            accuracy={"validation": {name: figures.to_dict()[name] for name in _HEADLINE}},
            data={"training": _fingerprints(data)},
            code={
                **run,
                "python": sys.version.split()[0],
                "tensorflow": tf.__version__,
                "keras": keras.__version__,
            },
            graphs={"f32": "graph.onnx"},
        )
        (scratch / CARD).write_text(_card(manifest, figures), encoding="utf-8")
        seal(scratch, manifest)
    if not (out / CURRENT).exists():
        (out / CURRENT).write_text(f"{version}\n", encoding="utf-8")
    return out / version


_HEADLINE = ("images", "accuracy", "balanced_accuracy", "ece")


def _version(network: keras.Model, created: datetime) -> str:
    """Name the day, and seven digits that depend on nothing but the weights."""
    digest = np.concatenate([np.asarray(weight).ravel() for weight in network.get_weights()])
    return f"{created:%Y-%m-%d}-{_hash(digest.astype('<f4').tobytes())}"


def _versions() -> dict[str, str]:
    return {"python": sys.version.split()[0], "tensorflow": tf.__version__, "keras": keras.__version__}


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:7]


def _golden(images: NDArray[np.uint8], logits: NDArray[np.float32], count: int = 64) -> Golden:
    """Images whose label does not hang on rounding: the first and second class are well apart."""
    top = np.sort(softmax(logits, 1.0), axis=1)
    chosen = np.flatnonzero(top[:, -1] - top[:, -2] > 0.1)[:count]
    return Golden(images[chosen], logits[chosen])


def _fingerprints(data: Path) -> dict[str, str]:
    """SHA-256 of the files that were trained on, where they are few."""
    files = [data] if data.is_file() else sorted(file for file in data.iterdir() if file.is_file())
    return {file.name: sha256(file) for file in files if "train" in file.name}


def _card(manifest: Manifest, figures: Evaluation) -> str:
    rows = "\n".join(
        f"| {name} | {row['precision']:.3f} | {row['recall']:.3f} | {row['support']} |"
        for name, row in figures.per_class.items()
    )
    return f"""# Model {manifest.version}

{manifest.weights:,} weights; {manifest.code["epochs"]} epochs, seed {manifest.code["seed"]}; temperature
{manifest.temperature:.3f}. On {figures.images:,} validation images: accuracy {figures.accuracy:.2%}, expected
calibration error {figures.ece:.2%}.

| class | precision | recall | images |
|---|---|---|---|
{rows}
"""
