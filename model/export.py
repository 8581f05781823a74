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


class _Builder(Graph):
    """A graph whose kernels lie in the bundle's file of weights."""

    def __init__(self, network: keras.Model, file: str) -> None:
        super().__init__(network.name)
        self._file = file
        self._places = {
            id(weight): place for weight, place in zip(network.weights, places(network), strict=True)
        }

    def kernel(self, weight: Any, shape: tuple[int, ...], order: tuple[int, ...] | None = None) -> str:
        """Give a kernel, stored in half precision, as float32 in another shape and order of axes."""
        stored = np.empty(shape, np.float16)
        name = self.add("Cast", [self.outside(stored, self._file, self._places[id(weight)])], to=1)
        return name if order is None else self.add("Transpose", [name], perm=list(order))


def places(network: keras.Model) -> list[int]:
    """Return the byte at which each of the network's weights begins in the file of weights."""
    sizes = [int(np.prod(weight.shape)) * stored_type(weight.shape).itemsize for weight in network.weights]
    return [sum(sizes[:index]) for index in range(len(sizes))]


def stored_type(shape: tuple[int, ...]) -> np.dtype[Any]:
    """Kernels are stored in half precision; vectors are few, and some have a wide range."""
    return np.dtype("<f2" if len(shape) > 1 else "<f4")


def last_dense(network: keras.Model) -> Any:
    """Return the layer that makes the logits; what goes into it are the network's features."""
    return next(layer for layer in reversed(network.layers) if isinstance(layer, layers.Dense))


def to_onnx(network: keras.Model, weights_file: str) -> bytes:
    """Write a functional network as ONNX; its kernels are read from `weights_file` beside it.

    Input `pixels` (n, 28, 28) uint8; outputs `logits` (n, classes) and `features` (n, k), what the last
    dense layer sees. Raises `ExportError`.
    """
    graph = _Builder(network, weights_file)
    names: dict[int, str] = {id(network.inputs[0]): "pixels"}
    for layer in network.layers:
        if isinstance(layer, layers.InputLayer):
            continue
        sources = layer.input if isinstance(layer.input, list) else [layer.input]
        names[id(layer.output)] = _translate(graph, layer, [names[id(source)] for source in sources])
    results = {"logits": network.outputs[0], "features": last_dense(network).input}
    for name, tensor in results.items():
        graph.name_output(names[id(tensor)], name)
    outputs = [(name, "float32", ("n", tensor.shape[1])) for name, tensor in results.items()]
    return graph.to_bytes(("pixels", "uint8", ("n", 28, 28)), outputs)


def _translate(graph: _Builder, layer: Any, inputs: list[str]) -> str:
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


def _conv(graph: _Builder, layer: Any, inputs: list[str]) -> str:
    height, width, into, out = layer.kernel.shape
    groups = getattr(layer, "groups", 1)
    if isinstance(layer, layers.DepthwiseConv2D):
        groups, into, out = into, 1, into * out
    kernel = graph.kernel(layer.kernel, (height, width, into, out), (3, 2, 0, 1))
    output = graph.add("Conv", [*inputs, kernel, *_bias(graph, layer)], kernel_shape=[height, width],
                       strides=list(layer.strides), pads=_padding(layer), group=groups)  # fmt: skip
    return _activated(graph, layer, output)


def _dense(graph: _Builder, layer: Any, inputs: list[str]) -> str:
    kernel = graph.kernel(layer.kernel, tuple(layer.kernel.shape))
    return _activated(graph, layer, graph.add("Gemm", [*inputs, kernel, *_bias(graph, layer)]))


def _bias(graph: Graph, layer: Any) -> list[str]:
    return [graph.constant(layer.bias.numpy())] if layer.use_bias else []


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


def _global_pooling(graph: Graph, layer: Any, inputs: list[str]) -> str:
    largest = isinstance(layer, layers.GlobalMaxPooling2D)
    pooled = graph.add("GlobalMaxPool" if largest else "GlobalAveragePool", inputs)
    return pooled if layer.keepdims else graph.add("Flatten", [pooled])


def _flatten(graph: Graph, layer: Any, inputs: list[str]) -> str:
    """Flatten in Keras' order, channels last, so that the dense layer's weights fit as they are."""
    if len(layer.input.shape) == 4:
        inputs = [graph.add("Transpose", inputs, perm=[0, 2, 3, 1])]
    return graph.add("Flatten", inputs)


def _concatenate(graph: Graph, layer: Any, inputs: list[str]) -> str:
    """Channels are the last axis in Keras and the second in ONNX, which for vectors is the same."""
    if layer.axis not in (-1, len(layer.output.shape) - 1):
        raise ExportError(f"no ONNX translation for joining along axis {layer.axis} ({layer.name})")
    return graph.add("Concat", inputs, axis=1)


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
    layers.GlobalAveragePooling2D: _global_pooling,
    layers.GlobalMaxPooling2D: _global_pooling,
    layers.Flatten: _flatten,
    layers.Dropout: _nothing,
    layers.SpatialDropout2D: _nothing,
    layers.Concatenate: _concatenate,
    layers.Add: lambda graph, _, inputs: graph.add("Add", inputs),
    layers.Multiply: lambda graph, _, inputs: graph.add("Mul", inputs),
}
