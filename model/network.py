"""The network: uint8 pixels in, logits out. Everything else treats it as a Keras model like any other."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers


def build_network(
    classes: int = 10,
    widths: tuple[int, int, int] = (16, 64, 192),
    blocks: tuple[int, int] = (1, 1),
    normalisation: type[layers.BatchNormalization] = layers.BatchNormalization,
    dtype: str = "float32",
) -> keras.Model:
    """Residual network (He et al. 2016) whose work is done at 14x14 and 7x7.

    There a few wide layers suit int8 and bfloat16 units. Input (n, 28, 28) uint8, bright on black; output
    (n, classes) float32 logits. `widths` are the filters at 28x28, 14x14 and 7x7, `blocks` the residual
    blocks at 14x14 and 7x7; without filters at 28x28 (0) the first layer, 5x5, halves the image itself, which
    is faster. Training passes `FusedBatchNormalization` and perhaps `mixed_bfloat16`; the
    weights are the same, and the network that is saved has Keras' own layers in float32.
    """

    def unit(flow: Any, filters: int, name: str, strides: int = 1, kernel: int = 3) -> Any:
        flow = layers.Conv2D(
            filters, kernel, strides, padding="same", use_bias=False, kernel_initializer="he_normal",
            dtype=dtype, name=name,
        )(flow)  # fmt: skip
        flow = normalisation(momentum=0.95, epsilon=1e-3, dtype=dtype, name=f"{name}_norm")(flow)
        return layers.ReLU(dtype=dtype)(flow)

    pixels = keras.Input((28, 28), dtype="uint8", name="pixels")
    flow = layers.Rescaling(1 / 255, dtype=dtype)(layers.Reshape((28, 28, 1), dtype=dtype)(pixels))
    if widths[0]:
        flow = unit(flow, widths[0], "stem")
        flow = unit(flow, widths[1], "half_down", strides=2)
    else:
        flow = unit(flow, widths[1], "stem", strides=2, kernel=5)
    for stage, filters, count in zip(("half", "quarter"), widths[1:], blocks, strict=True):
        if stage == "quarter":
            flow = unit(flow, filters, "quarter_down", strides=2)
        for block in range(count):
            inner = unit(flow, filters, f"{stage}_{block}_first")
            flow = layers.Add(dtype=dtype)([flow, unit(inner, filters, f"{stage}_{block}_second")])
    pooled = [layers.GlobalAveragePooling2D(dtype=dtype)(flow), layers.GlobalMaxPooling2D(dtype=dtype)(flow)]
    # The maximum makes features large; an eighth of them keeps the last layer's steps in line.
    features = layers.Rescaling(1 / 8, dtype=dtype)(layers.Concatenate(dtype=dtype)(pooled))
    logits = layers.Dense(classes, name="logits", dtype="float32")(features)
    return keras.Model(pixels, logits, name="tailorbird")


def shape_of(network: keras.Model) -> dict[str, Any] | None:
    """Return `widths` and `blocks` of a network that `build_network` has built; None for another one."""
    filters = {layer.name: layer.filters for layer in network.layers if isinstance(layer, layers.Conv2D)}
    if not {"stem", "quarter_down"} <= filters.keys():
        return None
    first, second = (
        (filters["stem"], filters["half_down"]) if "half_down" in filters else (0, filters["stem"])
    )
    blocks = [
        sum(name.startswith(f"{stage}_") and name.endswith("_first") for name in filters)
        for stage in ("half", "quarter")
    ]
    return {"widths": (first, second, filters["quarter_down"]), "blocks": tuple(blocks)}


def take_over(network: keras.Model, start: keras.Model) -> float:
    """Give a network the weights of `start`'s layers of the same name and shapes.

    Returns the share 0..1 of the network's own weights that came that way.
    """
    taken = 0
    for layer in start.layers:
        twin = network.get_layer(layer.name) if layer.name in {own.name for own in network.layers} else None
        shapes = [weight.shape for weight in layer.weights]
        if twin is not None and shapes and shapes == [weight.shape for weight in twin.weights]:
            twin.set_weights(layer.get_weights())
            taken += layer.count_params()
    return float(taken / network.count_params())


class FusedBatchNormalization(layers.BatchNormalization):  # type: ignore[misc] # keras has no types
    """Batch normalisation that trains by TensorFlow's one fused operation.

    Keras 3 spells it out in a dozen passes over memory, which makes the whole step 2.5 times slower.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:  # noqa: FBT001  Keras'
        """Normalise by the batch's own statistics in training, by the collected ones otherwise."""
        if not training:
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(self.gamma.value),
            offset=tf.convert_to_tensor(self.beta.value),
            mean=tf.zeros([0]),
            variance=tf.zeros([0]),
            epsilon=self.epsilon,
            is_training=True,
        )
        for collected, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            collected.assign(collected * self.momentum + batch * (1 - self.momentum))
        return outputs
