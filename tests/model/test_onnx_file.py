"""ONNX files written here are read by the engines."""

from __future__ import annotations

import numpy as np
import pytest

from model.onnx_file import Graph


def test_a_graph_of_every_kind_of_attribute_runs() -> None:
    """Numbers, texts, lists and tensors arrive in the engine as they were meant."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    graph = Graph("test")
    floats = graph.add("Cast", ["x"], to=1)
    padded = graph.add("Pad", [floats, graph.constant(np.array([0, 0, 1, 1], np.int64))], mode="edge")
    leaky = graph.add("LeakyRelu", [padded], alpha=0.5)
    summed = graph.add("ReduceMax", [leaky], axes=[0, 1], keepdims=0)
    graph.name_output(summed, "y")
    content = graph.to_bytes(("x", "int32", ("n", 2)), [("y", "float32", ())])

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    assert float(session.run(None, {"x": np.array([[-8, -6], [-4, -2]], np.int32)})[0]) == -1.0
