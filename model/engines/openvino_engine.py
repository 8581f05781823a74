"""OpenVINO: the fastest on Intel processors, in a precision that is asked for."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from model.bundle import graph_file
from model.engines.engine import ChunkedEngine, EngineError
from model.telemetry import refuse_telemetry

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# Larger batches are filled up to a multiple of this, since OpenVINO compiles anew for each new size.
STEP = 4


def load(bundle: Path, precision: str, threads: int) -> OpenvinoEngine:
    """Load a bundle's graph. Raises `EngineError` when the package is missing or refuses."""
    core = _core()
    if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise EngineError("this processor has no bfloat16")
    # Left to itself, OpenVINO takes bfloat16 on processors that have it.
    settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32"}
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    file = graph_file(bundle, precision)
    try:
        compiled = core.compile_model(core.read_model(file), "CPU", settings)
    except RuntimeError as error:
        raise EngineError(f"OpenVINO cannot load {file}: {str(error).splitlines()[-1]}") from error
    return OpenvinoEngine(compiled, precision)


@functools.cache
def _core() -> Any:
    """Return this process's one core, never given back. Raises `EngineError` without the package.

    Each core's first network gives the thread a stack for its signals, and takes it away with the core. Of
    several cores the last to end puts back a stack that is gone, and the next SIGTERM becomes a SIGSEGV.
    """
    refuse_telemetry()
    try:
        import openvino  # noqa: PLC0415  optional, and heavy
    except ImportError as error:
        raise EngineError("the package openvino is not installed") from error
    return openvino.Core()


class OpenvinoEngine(ChunkedEngine):
    """One inference request of a compiled model."""

    name = "openvino"

    def __init__(self, compiled: Any, precision: str) -> None:
        super().__init__(*(output.partial_shape[1].get_length() for output in compiled.outputs))
        self.precision = precision
        self._request = compiled.create_infer_request()

    def _run(self, part: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        count = len(part)
        if count > STEP and (missing := -count % STEP):
            part = np.pad(part, ((0, missing), (0, 0), (0, 0)))
        results = self._request.infer([part], share_inputs=True, share_outputs=True)
        return results[0][:count], results[1][:count]
