"""The network in a bundle: its layers as Keras' JSON, its weights in one file, kernels in half precision.

One file of weights serves TensorFlow and the exported graphs alike, so that a bundle stays small.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from model.bundle import LAYERS, WEIGHTS
from model.export import last_dense, stored_type
from model.manifest import BundleError


def round_weights(network: keras.Model) -> None:
    """Round the network's kernels as they will be stored, so that what is measured is what is served."""
    network.set_weights([_rounded(weight) for weight in network.get_weights()])


def _rounded(weight: np.ndarray) -> np.ndarray:
    return weight.astype(stored_type(weight.shape)).astype(np.float32)


def write_network(folder: Path, network: keras.Model) -> None:
    """Write the network's layers and weights into a bundle's directory."""
    (folder / LAYERS).write_text(network.to_json(), encoding="utf-8")
    with (folder / WEIGHTS).open("wb") as stream:
        for weight in network.get_weights():
            stream.write(weight.astype(stored_type(weight.shape)).tobytes())


def read_network(folder: Path) -> Any:
    """Build the network of a bundle's directory. Raises `BundleError`."""
    try:
        network = keras.models.model_from_json((folder / LAYERS).read_text(encoding="utf-8"))
        content = (folder / WEIGHTS).read_bytes()
        network.set_weights(_parts(content, [weight.shape for weight in network.weights]))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BundleError(f"{folder}: no network: {str(error).splitlines()[0]}") from error
    return network


def read_with_features(folder: Path) -> Any:
    """Build the network of a bundle's directory with two outputs, logits and features."""
    return with_features(read_network(folder))


def with_features(network: keras.Model) -> Any:
    """Give a network a second output: the features from which its last layer makes the logits."""
    return keras.Model(network.inputs[0], [network.outputs[0], last_dense(network).input])


def _parts(content: bytes, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    parts: list[np.ndarray] = []
    position = 0
    for shape in shapes:
        kind, count = stored_type(shape), int(np.prod(shape))
        part = np.frombuffer(content, kind, count, position).reshape(shape)
        parts.append(part.astype(np.float32))
        position += part.nbytes
    if position != len(content):
        raise ValueError(f"{len(content)} bytes of weights, expected {position}")
    return parts
