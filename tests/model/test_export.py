"""The exported graph computes what the Keras network computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
keras = pytest.importorskip("keras", reason="TensorFlow is not installed")

from keras import layers  # noqa: E402  after its skip

from model.export import ExportError, to_onnx  # noqa: E402
from model.network import build_network  # noqa: E402

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
    side = layers.GlobalAveragePooling2D()(flow)
    flow = layers.BatchNormalization(center=False)(
        layers.Dense(8)(layers.Dropout(0.5)(layers.Flatten()(flow)))
    )
    return keras.Model(pixels, layers.Dense(10)(layers.ReLU()(layers.Add()([flow, side]))))


@pytest.mark.parametrize("build", [build_network, every_layer])
def test_the_graph_gives_the_networks_logits(build: object) -> None:
    """ONNX Runtime's answer is Keras' answer."""
    network = shaken(build())  # type: ignore[operator]
    session = onnxruntime.InferenceSession(to_onnx(network), providers=["CPUExecutionProvider"])

    logits = session.run(None, {"pixels": PIXELS})[0]

    np.testing.assert_allclose(logits, np.asarray(network(PIXELS, training=False)), rtol=1e-4, atol=1e-3)


def test_a_layer_without_translation_is_named() -> None:
    """An unknown layer is an error, never a wrong graph."""
    pixels = keras.Input((28, 28), dtype="uint8")
    network = keras.Model(pixels, layers.LayerNormalization(name="odd")(layers.Flatten()(pixels)))

    with pytest.raises(ExportError, match="odd"):
        to_onnx(network)
