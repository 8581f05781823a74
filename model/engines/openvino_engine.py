"""OpenVINO: the fastest on Intel processors, in a precision that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from model.bundle import graph_file
from model.engines.engine import EngineError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

CHUNK = 256


def load(bundle: Path, precision: str, threads: int) -> OpenvinoEngine:
    """Load a bundle's graph. Raises `EngineError` when the package is missing or refuses."""
    try:
        import openvino  # noqa: PLC0415  optional, and heavy
    except ImportError as error:
        raise EngineError("the package openvino is not installed") from error
    core = openvino.Core()
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


class OpenvinoEngine:
    """One inference request of a compiled model."""

    name = "openvino"

    def __init__(self, compiled: Any, precision: str) -> None:
        self.precision = precision
        self._request = compiled.create_infer_request()
        self._classes: int = compiled.output(0).partial_shape[1].get_length()

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Answer pixels (n, 28, 28) uint8 with logits (n, classes) float32."""
        answers = np.empty((len(pixels), self._classes), np.float32)
        for at in range(0, len(pixels), CHUNK):
            part = np.ascontiguousarray(pixels[at : at + CHUNK])
            answers[at : at + len(part)] = self._request.infer([part], share_inputs=True, share_outputs=True)[
                0
            ]
        return answers
