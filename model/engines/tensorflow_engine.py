"""TensorFlow, the reference: what training and calibration were done with."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from model.engines.engine import ChunkedEngine, EngineError
from model.manifest import BundleError

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
        import tensorflow as tf  # noqa: PLC0415  heavy, and not needed to serve with another engine

        from model.weights import read_with_features  # noqa: PLC0415  loads Keras
    except ImportError as error:
        raise EngineError("the package tensorflow-cpu is not installed") from error
    if threads:
        _limit_threads(tf, threads)
    try:
        network = read_with_features(bundle)
    except BundleError as error:
        raise EngineError(f"TensorFlow cannot load {error}") from error
    return TensorflowEngine(network, tf)


def _limit_threads(tf: Any, threads: int) -> None:
    """TensorFlow takes this only before its first operation; later the first choice stays."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        return


class TensorflowEngine(ChunkedEngine):
    """A Keras network behind one compiled function."""

    name = "tensorflow"
    precision = "f32"

    def __init__(self, network: Any, tf: Any) -> None:
        super().__init__(*(output.shape[1] for output in network.outputs))
        self._call = tf.function(lambda pixels: network(pixels, training=False), reduce_retracing=False)
        self._constant = tf.constant

    def _run(self, part: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        size = next(bucket for bucket in BUCKETS if bucket >= len(part))
        padded = np.zeros((size, *part.shape[1:]), np.uint8)
        padded[: len(part)] = part
        logits, features = self._call(self._constant(padded))
        return logits.numpy()[: len(part)], features.numpy()[: len(part)]
