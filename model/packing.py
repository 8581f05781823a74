"""A trained network becomes a bundle: rounded, calibrated, guarded, exported, described."""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from model.bundle import WEIGHTS, Golden, new_bundle, seal, sha256, write_golden
from model.calibration import fit_temperature
from model.card import write_card
from model.classifier import softmax
from model.engines import Answer
from model.evaluation import judge, reliability
from model.export import to_onnx
from model.guard import Guard, write_guard
from model.guard_fitting import fit_guard
from model.manifest import CURRENT, Manifest
from model.preprocessing import InputSpec
from model.weights import round_weights, with_features, write_network

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from model.data import Dataset

GRAPH = "graph.onnx"
GOLDEN_IMAGES = 64
_HEADLINE = ("images", "accuracy", "balanced_accuracy", "ece")


def pack(
    network: keras.Model,
    training: Dataset,
    validation: Dataset,
    out: Path,
    *,
    code: Mapping[str, Any] | None = None,
    data: Mapping[str, str] | None = None,
) -> Path:
    """Write a new bundle with a trained network below `out` and return its directory.

    The network takes (n, 28, 28) uint8 and gives (n, classes) logits; its kernels are rounded to half
    precision first. Calibration and thresholds come from `validation` alone. `code` says how it was trained,
    `data` what with. The first bundle below `out` becomes the current one.
    """
    round_weights(network)
    guard = fit_guard(lambda images: answers_of(network, images), training, validation)
    answers = answers_of(network, validation.images)
    temperature = fit_temperature(answers.logits, validation.labels)
    probabilities = softmax(answers.logits, temperature)
    figures = judge(probabilities, validation.labels, validation.classes)
    created = datetime.now(UTC)
    manifest = Manifest(
        version=f"{created:%Y-%m-%d}-{_fingerprint(network, guard)}",
        created_at=created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        classes=validation.classes,
        input=InputSpec(),
        temperature=temperature,
        weights=int(network.count_params()),
        accuracy={"validation": {name: figures.to_dict()[name] for name in _HEADLINE}},
        data={"training": dict(data or {})},
        code={**(code or {}), **_versions()},
        thresholds=guard.thresholds,
        graphs={"f32": GRAPH},
    )
    with new_bundle(out, manifest.version) as scratch:
        write_network(scratch, network)
        (scratch / GRAPH).write_bytes(to_onnx(network, WEIGHTS))
        write_guard(scratch, guard)
        write_golden(scratch, _golden(validation.images, answers.logits))
        history = list((code or {}).get("history", []))
        write_card(scratch, manifest, figures, reliability(probabilities, validation.labels), history)
        seal(scratch, manifest)
    if not (out / CURRENT).exists():
        (out / CURRENT).write_text(f"{manifest.version}\n", encoding="utf-8")
    return out / manifest.version


def answers_of(network: keras.Model, images: NDArray[np.uint8]) -> Answer:
    """Run the reference in batches; the same arithmetic as the engine of that name."""
    with_both = with_features(network)
    call = tf.function(lambda pixels: with_both(pixels, training=False))
    parts = [call(tf.constant(images[at : at + 250])) for at in range(0, len(images), 250)]
    logits, features = (np.concatenate([part[index].numpy() for part in parts]) for index in (0, 1))
    return Answer(logits, features)


def fingerprints(data: Path) -> dict[str, str]:
    """Return the SHA-256 of the files that were trained on, where they are few."""
    files = [data] if data.is_file() else sorted(file for file in data.iterdir() if file.is_file())
    return {file.name: sha256(file) for file in files if "train" in file.name}


def _fingerprint(network: keras.Model, guard: Guard) -> str:
    """Name seven digits that depend on what decides an answer and on nothing else."""
    parts = [*network.get_weights(), guard.means, guard.whitening, guard.weights]
    content = b"".join(part.astype("<f4").tobytes() for part in parts)
    settings = json.dumps([InputSpec().to_dict(), dict(guard.thresholds)], sort_keys=True)
    return hashlib.sha256(content + settings.encode()).hexdigest()[:7]


def _versions() -> dict[str, str]:
    return {"python": sys.version.split()[0], "tensorflow": tf.__version__, "keras": keras.__version__}


def _golden(images: NDArray[np.uint8], logits: NDArray[np.float32]) -> Golden:
    """Images whose label does not hang on rounding: the first and second class are well apart."""
    top = np.sort(softmax(logits, 1.0), axis=1)
    apart = top[:, -1] - top[:, -2]
    chosen = np.flatnonzero(apart > min(0.1, np.quantile(apart, 0.5)))[:GOLDEN_IMAGES]
    return Golden(images[chosen], logits[chosen])
