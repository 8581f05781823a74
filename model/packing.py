"""A trained network becomes a bundle: rounded, calibrated, guarded, exported, described."""

from __future__ import annotations

import hashlib
import json
import logging
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from model.bundle import WEIGHTS, Golden, new_bundle, seal, sha256, write_golden
from model.calibration import fit_calibration, fit_temperature, softmax
from model.card import write_card
from model.engines import Answer, EngineError, load_engine
from model.evaluation import Evaluation, judge, reliability
from model.expectations import expectations
from model.export import to_onnx
from model.guard import Guard, write_guard
from model.guard_fitting import fit_guard, with_score
from model.manifest import CURRENT, SECOND, Manifest
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
REFERENCE = "f32"
# Of the validation images, the share that the first network is least sure of goes to the second.
SECOND_SHARE = 0.06
_HEADLINE = ("images", "accuracy", "balanced_accuracy", "ece")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Part:
    """A network that was written: its manifest, and its answers for the validation images by precision."""

    manifest: Manifest
    answers: Mapping[str, Answer]

    def probabilities(self, precision: str) -> NDArray[np.float32]:
        """Calibrated probabilities (n, classes) in a precision."""
        temperature = self.manifest.temperature_of(precision)
        return softmax(self.answers[precision].logits, temperature, self.manifest.spread)


def pack(
    network: keras.Model,
    training: Dataset,
    validation: Dataset,
    out: Path,
    *,
    second: keras.Model | None = None,
    code: Mapping[str, Any] | None = None,
    data: Mapping[str, str] | None = None,
) -> Path:
    """Write a new bundle with a trained network below `out` and return its directory.

    The network takes (n, 28, 28) uint8 and gives (n, classes) logits; its kernels are rounded to half
    precision first. `second` is a better one, for the images of which `network` is least sure. With NNCF
    installed each has an int8 graph too. Calibration, one temperature for each precision, and thresholds come
    from `validation` alone. `code` says how it was trained, `data` what with. The first bundle below `out`
    becomes the current one.
    """
    networks = [network] if second is None else [network, second]
    for each in networks:
        round_weights(each)
    guard = fit_guard(lambda images: answers_of(network, images), training, validation)
    created = datetime.now(UTC)
    blank = Manifest(
        version=f"{created:%Y-%m-%d}-{_fingerprint(networks, guard)}",
        created_at=created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        classes=validation.classes,
        input=InputSpec(),
        temperature=1.0,
        weights=sum(int(each.count_params()) for each in networks),
        data={"training": dict(data or {})},
        code={**(code or {}), **_versions()},
        graphs={"f32": GRAPH},
    )
    with new_bundle(out, blank.version) as scratch:
        first = _write_part(scratch, network, blank, training, validation)
        guard = with_score(guard, list(first.answers.values()), validation.images)
        write_guard(scratch, guard)
        probabilities = {precision: first.probabilities(precision) for precision in first.answers}
        manifest, clear = first.manifest, np.full(len(validation), fill_value=True)
        if second is not None:
            manifest, clear = _add_second(scratch, second, first, training, validation, probabilities)
        write_golden(scratch, _golden(validation.images, first.answers, clear))
        figures = {
            precision: judge(found, validation.labels, validation.classes)
            for precision, found in probabilities.items()
        }
        bins = reliability(probabilities[REFERENCE], validation.labels)
        manifest = replace(
            manifest,
            thresholds=guard.thresholds,
            accuracy=_headlines(figures),
            expectations=expectations(figures[REFERENCE], validation.images, probabilities[REFERENCE]),
            validation={"confusion": figures[REFERENCE].confusion, "reliability": bins.to_list()},
        )
        write_card(scratch, manifest, figures[REFERENCE], bins, list((code or {}).get("history", [])))
        seal(scratch, manifest)
    if not (out / CURRENT).exists():
        (out / CURRENT).write_text(f"{manifest.version}\n", encoding="utf-8")
    return out / manifest.version


def _write_part(
    folder: Path, network: keras.Model, manifest: Manifest, training: Dataset, validation: Dataset
) -> _Part:
    """Write a network and its graphs, and calibrate each precision that this machine can serve."""
    write_network(folder, network)
    (folder / GRAPH).write_bytes(to_onnx(network, WEIGHTS))
    manifest = _with_int8(folder, manifest, training)
    reference = answers_of(network, validation.images)
    temperature, spread = fit_calibration(reference.logits, validation.labels)
    manifest = seal(folder, replace(manifest, temperature=temperature, spread=spread))
    others = _other_precisions(folder, manifest, validation.images)
    temperatures = {
        precision: fit_temperature(answer.logits, validation.labels, spread)
        for precision, answer in others.items()
    }
    return _Part(replace(manifest, temperatures=temperatures), {REFERENCE: reference, **others})


def _add_second(
    folder: Path,
    network: keras.Model,
    first: _Part,
    training: Dataset,
    validation: Dataset,
    probabilities: dict[str, NDArray[np.float32]],
) -> tuple[Manifest, NDArray[np.bool_]]:
    """Add a network for the images of which the first is least sure; put its answers into `probabilities`.

    It is calibrated on those images. Returns the bundle's manifest, and which images the first answers.
    """
    confidence = probabilities[REFERENCE].max(axis=1)
    count = max(1, round(SECOND_SHARE * len(confidence)))
    below = float(np.nextafter(np.sort(confidence)[count - 1], np.float32(2)))
    unclear = np.flatnonzero(confidence < below)
    target = folder / SECOND
    target.mkdir()
    blank = replace(
        first.manifest, weights=int(network.count_params()), graphs={"f32": GRAPH}, temperatures={}, files={}
    )
    part = _write_part(target, network, blank, training, validation.subset(unclear))
    write_golden(target, _golden(validation.images[unclear], part.answers))
    seal(target, part.manifest)
    for precision in list(probabilities):
        if precision in part.answers:
            probabilities[precision][unclear] = part.probabilities(precision)
        else:  # what only one of the two can do, the pair cannot
            del probabilities[precision]
    return replace(
        first.manifest, second={"below": below, "share": len(unclear) / len(confidence)}
    ), confidence >= below


def _headlines(figures: Mapping[str, Evaluation]) -> dict[str, Any]:
    """Name the main figures on validation by precision; the reference's are `validation` alone."""
    return {
        "validation" if precision == REFERENCE else f"validation {precision}": {
            name: found.to_dict()[name] for name in _HEADLINE
        }
        for precision, found in figures.items()
    }


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


def _fingerprint(networks: list[keras.Model], guard: Guard) -> str:
    """Name seven digits that depend on what decides an answer and on nothing else."""
    weights = [weight for network in networks for weight in network.get_weights()]
    parts = [*weights, guard.means, guard.whitening, guard.weights]
    content = b"".join(part.astype("<f4").tobytes() for part in parts)
    settings = json.dumps([InputSpec().to_dict(), dict(guard.thresholds)], sort_keys=True)
    return hashlib.sha256(content + settings.encode()).hexdigest()[:7]


def _versions() -> dict[str, str]:
    return {"python": sys.version.split()[0], "tensorflow": tf.__version__, "keras": keras.__version__}


def _golden(
    images: NDArray[np.uint8], answers: Mapping[str, Answer], allowed: NDArray[np.bool_] | None = None
) -> Golden:
    """Images whose answer does not hang on rounding: two best classes well apart, all precisions near."""
    logits = answers[REFERENCE].logits
    wanted = softmax(logits, 1.0)
    top = np.sort(wanted, axis=1)
    apart = top[:, -1] - top[:, -2]
    fit = apart > min(0.1, np.quantile(apart, 0.5))
    if allowed is not None:
        fit &= allowed
    for other in answers.values():
        near = np.abs(softmax(other.logits, 1.0) - wanted).max(axis=1) < GOLDEN_DISTANCE
        fit &= near & (other.logits.argmax(axis=1) == logits.argmax(axis=1))
    if not fit.any():  # few images: better doubtful ones than none
        fit = np.full(len(images), fill_value=True)
    chosen = np.flatnonzero(fit)[:GOLDEN_IMAGES]
    return Golden(images[chosen], logits[chosen])
