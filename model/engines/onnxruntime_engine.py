"""ONNX Runtime: starts fast, needs little memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model.bundle import graph_file
from model.engines.engine import ChunkedEngine, EngineError
from model.telemetry import refuse_telemetry

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


def load(bundle: Path, precision: str, threads: int) -> OnnxruntimeEngine:
    """Load a bundle's graph. Raises `EngineError` when the package is missing or refuses."""
    if precision == "bf16":
        raise EngineError("ONNX Runtime serves f32 and int8, not bf16")
    file = graph_file(bundle, precision)
    if file.suffix != ".onnx":
        raise EngineError(f"the bundle's {precision} graph is OpenVINO's")
    refuse_telemetry()
    try:
        import onnxruntime  # noqa: PLC0415  optional, and heavy
    except ImportError as error:
        raise EngineError("the package onnxruntime is not installed") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # The arena keeps the memory of the largest batch for ever.
    options.enable_cpu_mem_arena = False
    try:
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common base but this
        raise EngineError(f"ONNX Runtime cannot load {file}: {str(error).splitlines()[0]}") from error
    return OnnxruntimeEngine(session, precision)


class OnnxruntimeEngine(ChunkedEngine):
    """A session of ONNX Runtime."""

    name = "onnxruntime"

    def __init__(self, session: Any, precision: str) -> None:
        super().__init__(*(output.shape[1] for output in session.get_outputs()))
        self.precision = precision
        self._session = session

    def _run(self, part: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        logits, features = self._session.run(["logits", "features"], {"pixels": part})
        return logits, features
