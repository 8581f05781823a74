"""A trained Keras network becomes an ONNX graph, layer by layer.

Keras keeps channels last, ONNX first; so pictures are carried as (n, channels, height, width), and only a
flattening between the two has to be told.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from model.onnx_file import Graph


class ExportError(ValueError):
    """The network has a layer that has no translation here."""


def to_onnx(network: keras.Model) -> bytes:
    """Write a functional network as ONNX, with input (n, 28, 28) uint8 and output (n, classes) logits."""
    graph = Graph(network.name)
    names: dict[int, str] = {id(network.inputs[0]): "pixels"}
    for layer in network.layers:
        if isinstance(layer, layers.InputLayer):
            continue
        sources = layer.input if isinstance(layer.input, list) else [layer.input]
        names[id(layer.output)] = _translate(graph, layer, [names[id(source)] for source in sources])
    logits = graph.add("Identity", [names[id(network.outputs[0])]])
    classes = network.outputs[0].shape[1]
    return graph.to_bytes(("pixels", "uint8", ("n", 28, 28)), (logits, "float32", ("n", classes)))


def _translate(graph: Graph, layer: Any, inputs: list[str]) -> str:
    for kind, translate in _TRANSLATIONS.items():
        if type(layer) is kind:
            return translate(graph, layer, inputs)  # type: ignore[no-any-return]
    raise ExportError(f"no ONNX translation for the layer {layer.name} ({type(layer).__name__})")


def _reshape(graph: Graph, layer: Any, inputs: list[str]) -> str:
    """Only the one at the start: pixels get their single channel."""
    if tuple(layer.input.shape[1:]) != (28, 28):
        raise ExportError(f"no ONNX translation for reshaping {layer.input.shape}")
    floats = graph.add("Cast", inputs, to=1)
    return graph.add("Unsqueeze", [floats, graph.constant(np.array([1], np.int64))])


def _rescaling(graph: Graph, layer: Any, inputs: list[str]) -> str:
    scaled = graph.add("Mul", [*inputs, graph.constant(np.array(layer.scale, np.float32))])
    return graph.add("Add", [scaled, graph.constant(np.array(layer.offset, np.float32))])


def _padding(layer: Any) -> list[int]:
    """TensorFlow's `same` as explicit numbers: the odd pixel goes to the bottom and the right."""
    window = layer.pool_size if hasattr(layer, "pool_size") else layer.kernel_size
    if layer.padding == "valid":
        return [0, 0, 0, 0]
    sides = zip(layer.input.shape[1:3], window, layer.strides, strict=True)
    totals = [max((-(-size // stride) - 1) * stride + reach - size, 0) for size, reach, stride in sides]
    return [total // 2 for total in totals] + [total - total // 2 for total in totals]


def _conv(graph: Graph, layer: Any, inputs: list[str]) -> str:
    kernel, *bias = layer.get_weights()
    groups = getattr(layer, "groups", 1)
    if isinstance(layer, layers.DepthwiseConv2D):
        groups = kernel.shape[2]
        kernel = kernel.reshape(*kernel.shape[:2], 1, -1)
    inputs = [*inputs, graph.constant(kernel.transpose(3, 2, 0, 1)), *(graph.constant(part) for part in bias)]
    output = graph.add("Conv", inputs, kernel_shape=list(layer.kernel_size), strides=list(layer.strides),
                       pads=_padding(layer), group=groups)  # fmt: skip
    return _activated(graph, layer, output)


def _dense(graph: Graph, layer: Any, inputs: list[str]) -> str:
    kernel, *bias = layer.get_weights()
    inputs = [*inputs, graph.constant(kernel), *(graph.constant(part) for part in bias)]
    return _activated(graph, layer, graph.add("Gemm", inputs))


def _activated(graph: Graph, layer: Any, output: str) -> str:
    activation = layer.activation.__name__
    if activation == "linear":
        return output
    if activation == "relu":
        return graph.add("Relu", [output])
    if activation == "sigmoid":
        return graph.add("Sigmoid", [output])
    raise ExportError(f"no ONNX translation for the activation {activation} of {layer.name}")


def _activation(graph: Graph, layer: Any, inputs: list[str]) -> str:
    return _activated(graph, layer, inputs[0])


def _normalisation(graph: Graph, layer: Any, inputs: list[str]) -> str:
    """Batch normalisation as one multiplication and addition, which engines fold into the convolution."""
    scale = layer.gamma.numpy() if layer.scale else 1.0
    factor = scale / np.sqrt(layer.moving_variance.numpy() + layer.epsilon)
    shift = (layer.beta.numpy() if layer.center else 0.0) - layer.moving_mean.numpy() * factor
    shape = (-1, 1, 1) if len(layer.input.shape) == 4 else (-1,)
    parts = (np.asarray(part, np.float32).reshape(shape) for part in (factor, shift))
    factor_name, shift_name = (graph.constant(part) for part in parts)
    return graph.add("Add", [graph.add("Mul", [*inputs, factor_name]), shift_name])


def _pooling(graph: Graph, layer: Any, inputs: list[str]) -> str:
    operator = "MaxPool" if isinstance(layer, layers.MaxPooling2D) else "AveragePool"
    return graph.add(operator, inputs, kernel_shape=list(layer.pool_size), strides=list(layer.strides),
                     pads=_padding(layer))  # fmt: skip


def _global_average(graph: Graph, layer: Any, inputs: list[str]) -> str:
    pooled = graph.add("GlobalAveragePool", inputs)
    return pooled if layer.keepdims else graph.add("Flatten", [pooled])


def _flatten(graph: Graph, layer: Any, inputs: list[str]) -> str:
    """Flatten in Keras' order, channels last, so that the dense layer's weights fit as they are."""
    if len(layer.input.shape) == 4:
        inputs = [graph.add("Transpose", inputs, perm=[0, 2, 3, 1])]
    return graph.add("Flatten", inputs)


def _nothing(graph: Graph, layer: Any, inputs: list[str]) -> str:  # noqa: ARG001  a translation's shape
    return inputs[0]


_TRANSLATIONS: dict[type, Any] = {
    layers.Reshape: _reshape,
    layers.Rescaling: _rescaling,
    layers.Conv2D: _conv,
    layers.DepthwiseConv2D: _conv,
    layers.Dense: _dense,
    layers.BatchNormalization: _normalisation,
    layers.ReLU: lambda graph, _, inputs: graph.add("Relu", inputs),
    layers.Activation: _activation,
    layers.MaxPooling2D: _pooling,
    layers.AveragePooling2D: _pooling,
    layers.GlobalAveragePooling2D: _global_average,
    layers.Flatten: _flatten,
    layers.Dropout: _nothing,
    layers.SpatialDropout2D: _nothing,
    layers.Add: lambda graph, _, inputs: graph.add("Add", inputs),
    layers.Multiply: lambda graph, _, inputs: graph.add("Mul", inputs),
}
