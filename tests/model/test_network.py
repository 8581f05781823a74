"""The network that trains is the network that is saved, only faster."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="TensorFlow is not installed")

from model.network import FusedBatchNormalization, build_network  # noqa: E402  after its skip

PIXELS = np.random.default_rng(5).integers(0, 256, (16, 28, 28)).astype(np.uint8)


def test_the_fused_normalisation_is_keras_own_in_training() -> None:
    """The same outputs from the same batch, and nearly the same collected mean."""
    inputs = np.random.default_rng(2).normal(3, 2, (32, 7, 7, 5)).astype(np.float32)
    fused, plain = FusedBatchNormalization(momentum=0.9), keras.layers.BatchNormalization(momentum=0.9)

    np.testing.assert_allclose(fused(inputs, training=True), plain(inputs, training=True), atol=1e-4)
    np.testing.assert_allclose(fused.moving_mean, plain.moving_mean, rtol=1e-4)
    np.testing.assert_allclose(fused.moving_variance, plain.moving_variance, rtol=1e-2)


def test_both_networks_share_their_weights() -> None:
    """Weights fit from one into the other, and answers are the same up to bfloat16's rounding."""
    training = build_network(normalisation=FusedBatchNormalization, dtype="mixed_bfloat16")
    saved = build_network()
    saved.set_weights(training.get_weights())

    wanted, found = saved(PIXELS, training=False), training(PIXELS, training=False)

    assert "float32" == keras.backend.standardize_dtype(found.dtype)
    np.testing.assert_allclose(wanted, found, atol=0.05 * float(np.abs(wanted).max()))
