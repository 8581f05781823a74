"""Int8 by NNCF, a tool that only building a bundle needs: eight bits for weights and activations."""

from __future__ import annotations

import contextlib
import io
import logging
from typing import TYPE_CHECKING

import numpy as np

from model.telemetry import refuse_telemetry

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

CALIBRATION_IMAGES = 512
_BATCH = 64


class QuantizingError(RuntimeError):
    """Int8 cannot be made here; one line that says what is missing."""


def quantize(graph: Path, images: NDArray[np.uint8], out: Path) -> None:
    """Write an OpenVINO graph in int8, `out` (.xml) and its weights beside it (.bin).

    `images` (n, 28, 28) uint8 show which values occur. Raises `QuantizingError` without NNCF and OpenVINO.
    """
    refuse_telemetry()
    try:
        import nncf  # noqa: PLC0415  optional, and heavy
        import openvino  # noqa: PLC0415
    except ImportError as error:
        raise QuantizingError(f"no int8: the package {error.name} is not installed") from error
    nncf.set_log_level(logging.ERROR)
    batches = [images[at : at + _BATCH] for at in range(0, len(images), _BATCH)]
    # Converting folds what only reading does not: the kernels' own precision and order of axes.
    # NNCF draws progress bars on stdout, where the answer belongs.
    with contextlib.redirect_stdout(io.StringIO()):
        quantized = nncf.quantize(
            openvino.convert_model(graph),
            nncf.Dataset(batches),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(batches),
            fast_bias_correction=False,
        )
    openvino.save_model(quantized, out)
