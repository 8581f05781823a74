"""Engines are measured in processes of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.benchmark import measure_engine
from model.engines import EngineError


def test_a_measurement_has_all_figures(bundle: Path) -> None:
    """Start, times by batch, speed and memory are all there and above 0."""
    figures = measure_engine(bundle, "onnxruntime/f32", threads=1, seconds=0.01)

    assert figures.engine == "onnxruntime/f32"
    assert list(figures.batch_ms) == ["1", "32", "256"]
    assert figures.images_per_s == pytest.approx(256_000 / figures.batch_ms["256"])
    assert min(figures.start_s, figures.memory_mib, *figures.batch_ms.values()) > 0


def test_an_engine_that_cannot_serve_is_one_line(bundle: Path) -> None:
    """The line names the engine and the reason."""
    with pytest.raises(EngineError, match=r"^abacus cannot be measured: no engine is called[^\n]*$"):
        measure_engine(bundle, "abacus")
