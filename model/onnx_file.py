"""Write ONNX files: the few protobuf messages of onnx.proto3 that a feed-forward network needs.

The `onnx` and `tf2onnx` packages would do this too; they pin an older protobuf than TensorFlow wants.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import pack
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OPSET = 17
IR_VERSION = 8

_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7, "float16": 10}

Shape = tuple[int | str, ...]


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    coded = bytearray()
    while value > 0x7F:
        coded.append(value & 0x7F | 0x80)
        value >>= 7
    coded.append(value)
    return bytes(coded)


def _field(number: int, value: float | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    if isinstance(value, float):
        return _varint(number << 3 | 5) + pack("<f", value)
    payload = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _tensor(name: str, array: np.ndarray) -> bytes:
    dims = b"".join(_field(1, side) for side in array.shape)
    raw = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    return dims + _field(2, _TYPES[array.dtype.name]) + _field(8, name) + _field(9, raw)


def _outside(name: str, array: np.ndarray, file: str, offset: int) -> bytes:
    """Code a tensor whose bytes lie in another file of the same directory."""
    entries = {"location": file, "offset": str(offset), "length": str(array.nbytes)}
    pairs = b"".join(_field(13, _field(1, key) + _field(2, value)) for key, value in entries.items())
    dims = b"".join(_field(1, side) for side in array.shape)
    return dims + _field(2, _TYPES[array.dtype.name]) + _field(8, name) + pairs + _field(14, 1)


def _attribute(name: str, value: float | str | list[int]) -> bytes:
    if isinstance(value, int):
        return _field(1, name) + _field(3, value) + _field(20, 2)
    if isinstance(value, float):
        return _field(1, name) + _field(2, value) + _field(20, 1)
    if isinstance(value, str):
        return _field(1, name) + _field(4, value) + _field(20, 3)
    return _field(1, name) + b"".join(_field(8, item) for item in value) + _field(20, 7)


def _value(name: str, kind: str, shape: Shape) -> bytes:
    sides = b"".join(_field(1, _field(2 if isinstance(side, str) else 1, side)) for side in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, _TYPES[kind]) + _field(2, sides)))


@dataclass
class Graph:
    """An ONNX graph under construction. Names of tensors are unique."""

    name: str
    _nodes: list[bytes] = field(default_factory=list)
    _initializers: list[bytes] = field(default_factory=list)
    _count: int = 0

    def constant(self, array: np.ndarray) -> str:
        """Add a tensor of weights and return its name."""
        name = self._new("c")
        self._initializers.append(_tensor(name, array))
        return name

    def outside(self, array: np.ndarray, file: str, offset: int) -> str:
        """Add a tensor that lies in `file`, beside this one, from byte `offset` on; return its name."""
        name = self._new("w")
        self._initializers.append(_outside(name, array, file, offset))
        return name

    def add(self, operator: str, inputs: list[str], **attributes: float | str | list[int]) -> str:
        """Add a node with one output and return that output's name."""
        output = self._new(operator)
        self._append(operator, inputs, output, attributes)
        return output

    def name_output(self, source: str, name: str) -> None:
        """Make a tensor known outside under a name of its own."""
        self._append("Identity", [source], name, {})

    def to_bytes(self, source: tuple[str, str, Shape], results: Sequence[tuple[str, str, Shape]]) -> bytes:
        """Return the file's bytes; `source` and `results` are name, type and shape of input and outputs."""
        graph = b"".join(_field(1, node) for node in self._nodes) + _field(2, self.name)
        graph += b"".join(_field(5, tensor) for tensor in self._initializers)
        graph += _field(11, _value(*source)) + b"".join(_field(12, _value(*result)) for result in results)
        opset = _field(1, "") + _field(2, OPSET)
        return _field(1, IR_VERSION) + _field(2, "tailorbird") + _field(7, graph) + _field(8, opset)

    def _append(
        self, operator: str, inputs: list[str], output: str, attributes: Mapping[str, float | str | list[int]]
    ) -> None:
        coded = b"".join(_field(1, name) for name in inputs) + _field(2, output) + _field(3, output)
        coded += _field(4, operator)
        coded += b"".join(_field(5, _attribute(name, value)) for name, value in attributes.items())
        self._nodes.append(coded)

    def _new(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count}"
