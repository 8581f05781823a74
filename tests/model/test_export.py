"""The exported graph computes what the Keras network computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
keras = pytest.importorskip("keras", reason="TensorFlow is not installed")

from keras import layers  # noqa: E402  after its skip

from model.bundle import WEIGHTS  # noqa: E402
from model.export import ExportError, to_onnx  # noqa: E402
from model.manifest import BundleError  # noqa: E402
from model.network import build_network  # noqa: E402
from model.weights import read_network, round_weights, with_features, write_network  # noqa: E402

PIXELS = np.random.default_rng(5).integers(0, 256, (6, 28, 28)).astype(np.uint8)


def shaken(network: Any) -> Any:
    """The network with random weights, batch statistics included."""
    random = np.random.default_rng(7)
    network.set_weights([random.uniform(0.1, 0.5, weight.shape) for weight in network.get_weights()])
    return network


def every_layer() -> Any:
    """A network with every layer that has a translation."""
    pixels = keras.Input((28, 28), dtype="uint8")
    flow = layers.Rescaling(1 / 255, offset=-0.3)(layers.Reshape((28, 28, 1))(pixels))
    flow = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(flow)
    short = layers.Conv2D(8, 1, strides=2, padding="same", use_bias=False)(flow)
    flow = layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2)(flow)
    flow = layers.Activation("relu")(layers.BatchNormalization(scale=False)(flow))
    flow = layers.Add()([flow, short])
    gate = layers.Dense(8, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(flow))
    flow = layers.Multiply()([flow, gate]) if gate.shape[1:] == (8,) else flow
    flow = layers.AveragePooling2D(2, padding="same")(layers.MaxPooling2D(2, strides=1)(flow))
    flow = layers.SpatialDropout2D(0.5)(flow)
    side = layers.GlobalMaxPooling2D()(flow)
    flow = layers.BatchNormalization(center=False)(
        layers.Dense(8)(layers.Dropout(0.5)(layers.Flatten()(flow)))
    )
    return keras.Model(pixels, layers.Dense(10)(layers.ReLU()(layers.Concatenate()([flow, side]))))


@pytest.mark.parametrize("build", [build_network, every_layer])
def test_the_graph_gives_the_networks_answers(build: object, tmp_path: Path) -> None:
    """ONNX Runtime's answer is Keras' answer."""
    network = shaken(build())  # type: ignore[operator]
    round_weights(network)
    write_network(tmp_path, network)
    (tmp_path / "graph.onnx").write_bytes(to_onnx(network, WEIGHTS))
    session = onnxruntime.InferenceSession(tmp_path / "graph.onnx", providers=["CPUExecutionProvider"])

    logits, features = session.run(["logits", "features"], {"pixels": PIXELS})

    wanted = with_features(network)(PIXELS, training=False)
    np.testing.assert_allclose(logits, wanted[0].numpy(), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(features, wanted[1].numpy(), rtol=1e-4, atol=1e-3)


def test_a_network_survives_its_files(tmp_path: Path) -> None:
    """A rounded network is read back to the last bit."""
    network = shaken(build_network())
    round_weights(network)
    write_network(tmp_path, network)

    for wanted, weight in zip(network.get_weights(), read_network(tmp_path).get_weights(), strict=True):
        np.testing.assert_array_equal(wanted, weight)


@pytest.mark.parametrize("name", ["layers.json", "weights.bin"])
def test_damaged_files_are_no_network(tmp_path: Path, name: str) -> None:
    """Half a file is named as such."""
    write_network(tmp_path, build_network())
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-9])

    with pytest.raises(BundleError, match="no network"):
        read_network(tmp_path)


def test_a_layer_without_translation_is_named() -> None:
    """An unknown layer is an error, never a wrong graph."""
    pixels = keras.Input((28, 28), dtype="uint8")
    network = keras.Model(pixels, layers.LayerNormalization(name="odd")(layers.Flatten()(pixels)))

    with pytest.raises(ExportError, match="odd"):
        to_onnx(network, WEIGHTS)
