"""TensorFlow, the reference: what training and calibration were done with."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from model.bundle import WEIGHTS
from model.engines.engine import EngineError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# Batches are padded to one of these sizes, so that TensorFlow compiles a handful of shapes and no more.
BUCKETS = (1, 8, 32, 128, 256)


def load(bundle: Path, precision: str, threads: int) -> TensorflowEngine:
    """Load a bundle's weights. Raises `EngineError` when TensorFlow is missing or refuses."""
    if precision != "f32":
        raise EngineError(f"TensorFlow serves f32 only, not {precision}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import keras  # noqa: PLC0415  heavy, and not needed to serve with another engine
        import tensorflow as tf  # noqa: PLC0415
    except ImportError as error:
        raise EngineError("the package tensorflow-cpu is not installed") from error
    if threads:
        _limit_threads(tf, threads)
    try:
        network = keras.models.load_model(bundle / WEIGHTS, compile=False)
    except (OSError, ValueError, TypeError) as error:
        raise EngineError(f"TensorFlow cannot load {bundle / WEIGHTS}: {error}") from error
    return TensorflowEngine(network, tf)


def _limit_threads(tf: Any, threads: int) -> None:
    """TensorFlow takes this only before its first operation; later the first choice stays."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        return


class TensorflowEngine:
    """A Keras network behind one compiled function."""

    name = "tensorflow"
    precision = "f32"

    def __init__(self, network: Any, tf: Any) -> None:
        self._classes: int = network.output_shape[-1]
        self._call = tf.function(lambda pixels: network(pixels, training=False), reduce_retracing=False)
        self._constant = tf.constant

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Answer pixels (n, 28, 28) uint8 with logits (n, classes) float32."""
        answers = np.empty((len(pixels), self._classes), np.float32)
        for at in range(0, len(pixels), BUCKETS[-1]):
            part = pixels[at : at + BUCKETS[-1]]
            size = next(bucket for bucket in BUCKETS if bucket >= len(part))
            padded = np.zeros((size, *part.shape[1:]), np.uint8)
            padded[: len(part)] = part
            answers[at : at + len(part)] = self._call(self._constant(padded)).numpy()[: len(part)]
        return answers
