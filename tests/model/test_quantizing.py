"""Int8 graphs are made where the tool for it is, and missed in one line where it is not."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from model.bundle import graph_file, read_golden
from model.quantizing import QuantizingError, quantize

PIXELS = np.zeros((64, 28, 28), np.uint8)


def test_without_the_tool_int8_is_missed_in_one_line(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package is named, and nothing is written."""
    monkeypatch.setitem(sys.modules, "nncf", None)

    with pytest.raises(QuantizingError, match="nncf is not installed"):
        quantize(graph_file(bundle, "f32"), PIXELS, tmp_path / "graph.xml")

    assert [] == list(tmp_path.iterdir())


def test_an_int8_graph_is_half_as_large_and_answers_alike(bundle: Path, tmp_path: Path) -> None:
    """Most golden labels survive even a calibration by few images."""
    pytest.importorskip("nncf", reason="NNCF is not installed")
    openvino = pytest.importorskip("openvino", reason="OpenVINO is not installed")
    golden = read_golden(bundle)

    quantize(graph_file(bundle, "f32"), golden.pixels, tmp_path / "graph.xml")

    answers = openvino.Core().compile_model(tmp_path / "graph.xml", "CPU")([golden.pixels])[0]
    assert (answers.argmax(axis=1) == golden.logits.argmax(axis=1)).mean() > 0.9
    assert (tmp_path / "graph.bin").stat().st_size < 0.6 * (bundle / "weights.bin").stat().st_size
