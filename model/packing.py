"""A trained network becomes a bundle: rounded, calibrated, guarded, exported, described."""

from __future__ import annotations

import hashlib
import json
import logging
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from model.bundle import WEIGHTS, Golden, new_bundle, seal, sha256, write_golden
from model.calibration import fit_calibration, fit_temperature, softmax
from model.card import write_card
from model.engines import Answer, EngineError, load_engine
from model.evaluation import judge, reliability
from model.export import to_onnx
from model.guard import Guard, write_guard
from model.guard_fitting import fit_guard, with_score
from model.manifest import CURRENT, Manifest
from model.preprocessing import InputSpec
from model.quantizing import CALIBRATION_IMAGES, QuantizingError, quantize
from model.weights import round_weights, with_features, write_network

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from model.data import Dataset

GRAPH = "graph.onnx"
GRAPH_INT8 = "graph-int8.xml"
GOLDEN_IMAGES = 64
# On golden images all precisions agree within this, half of what is allowed on other machines.
GOLDEN_DISTANCE = 0.01
_HEADLINE = ("images", "accuracy", "balanced_accuracy", "ece")

_log = logging.getLogger(__name__)


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
    precision first. With NNCF installed the bundle has an int8 graph too. Calibration, one temperature for
    each precision, and thresholds come from `validation` alone. `code` says how it was trained, `data` what
    with. The first bundle below `out` becomes the current one.
    """
    round_weights(network)
    guard = fit_guard(lambda images: answers_of(network, images), training, validation)
    answers = answers_of(network, validation.images)
    temperature, spread = fit_calibration(answers.logits, validation.labels)
    probabilities = softmax(answers.logits, temperature, spread)
    figures = judge(probabilities, validation.labels, validation.classes)
    created = datetime.now(UTC)
    manifest = Manifest(
        version=f"{created:%Y-%m-%d}-{_fingerprint(network, guard)}",
        created_at=created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        classes=validation.classes,
        input=InputSpec(),
        temperature=temperature,
        spread=spread,
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
        manifest = _with_int8(scratch, manifest, training)
        write_guard(scratch, guard)
        seal(scratch, manifest)
        others = _other_precisions(scratch, manifest, validation.images)
        guard = with_score(guard, [answers, *others.values()], validation.images)
        manifest = replace(_with_figures(manifest, others, validation), thresholds=guard.thresholds)
        write_golden(scratch, _golden(validation.images, answers, list(others.values())))
        history = list((code or {}).get("history", []))
        write_card(scratch, manifest, figures, reliability(probabilities, validation.labels), history)
        seal(scratch, manifest)
    if not (out / CURRENT).exists():
        (out / CURRENT).write_text(f"{manifest.version}\n", encoding="utf-8")
    return out / manifest.version


def _with_int8(scratch: Path, manifest: Manifest, training: Dataset) -> Manifest:
    """Add an int8 graph where that can be made."""
    try:
        quantize(scratch / GRAPH, training.images[:CALIBRATION_IMAGES], scratch / GRAPH_INT8)
    except QuantizingError as error:
        _log.warning("%s", error)
        return manifest
    return replace(manifest, graphs={**manifest.graphs, "int8": GRAPH_INT8})


def _other_precisions(bundle: Path, manifest: Manifest, images: NDArray[np.uint8]) -> dict[str, Answer]:
    """Answers in each precision besides the reference's that OpenVINO serves on this machine."""
    found = {}
    for precision in [name for name in ("bf16", "int8") if name != "int8" or name in manifest.graphs]:
        try:
            found[precision] = load_engine(bundle, "openvino", precision).answer(images)
        except EngineError as error:
            _log.info("no %s: %s", precision, error)
    return found


def _with_figures(manifest: Manifest, others: Mapping[str, Answer], validation: Dataset) -> Manifest:
    """Add the temperatures and the validation's figures of the other precisions."""
    temperatures, accuracy = {}, dict(manifest.accuracy)
    for precision, (logits, _) in others.items():
        temperatures[precision] = fit_temperature(logits, validation.labels, manifest.spread)
        probabilities = softmax(logits, temperatures[precision], manifest.spread)
        figures = judge(probabilities, validation.labels, validation.classes).to_dict()
        accuracy[f"validation {precision}"] = {name: figures[name] for name in _HEADLINE}
    return replace(manifest, temperatures=temperatures, accuracy=accuracy)


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


def _golden(images: NDArray[np.uint8], answers: Answer, others: list[Answer]) -> Golden:
    """Images whose answer does not hang on rounding: two best classes well apart, all precisions near."""
    logits = answers.logits
    wanted = softmax(logits, 1.0)
    top = np.sort(wanted, axis=1)
    apart = top[:, -1] - top[:, -2]
    fit = apart > min(0.1, np.quantile(apart, 0.5))
    for other in others:
        near = np.abs(softmax(other.logits, 1.0) - wanted).max(axis=1) < GOLDEN_DISTANCE
        fit &= near & (other.logits.argmax(axis=1) == logits.argmax(axis=1))
    chosen = np.flatnonzero(fit)[:GOLDEN_IMAGES]
    return Golden(images[chosen], logits[chosen])
