"""The network that trains is the network that is saved, only faster."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="TensorFlow is not installed")

from model.network import FusedBatchNormalization, build_network, shape_of, take_over  # noqa: E402  after its skip

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


def test_a_larger_network_takes_over_the_layers_that_fit() -> None:
    """What has the same name and shapes is the same afterwards; a new block keeps its own beginning."""
    smaller, larger = (
        build_network(widths=(4, 6, 8), blocks=(1, 1)),
        build_network(widths=(4, 6, 8), blocks=(2, 1)),
    )
    own = larger.get_layer("half_1_first").get_weights()

    take_over(larger, smaller)

    for name in ("stem", "half_0_second", "quarter_0_first_norm", "logits"):
        for mine, theirs in zip(
            larger.get_layer(name).get_weights(), smaller.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(own[0], larger.get_layer("half_1_first").get_weights()[0])


@pytest.mark.parametrize(
    "shape",
    [{"widths": (0, 4, 6), "blocks": (1, 2)}, {"widths": (3, 4, 6), "blocks": (3, 1)}],
)
def test_shape_of_a_network_is_found_again(shape: dict[str, tuple[int, ...]]) -> None:
    """So that training can go on from a bundle of any shape; of other networks there is none."""
    assert shape == shape_of(build_network(widths=shape["widths"], blocks=shape["blocks"]))  # type: ignore[arg-type]
    assert shape_of(keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Conv2D(2, 3)])) is None
