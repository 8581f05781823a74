"""Augmentation in TensorFlow: (n, 28, 28) uint8 in and out, the same pixels for the same seed."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

SIDE = 28


class Dice:
    """Random numbers of one batch, each draw with a seed of its own: the order of threads is no matter."""

    def __init__(self, count: Any, seed: Any) -> None:
        self.count, self._seed, self._draws = count, seed, 0

    def uniform(self, low: float, high: float) -> Any:
        """(n,) numbers between `low` and `high`."""
        return tf.random.stateless_uniform((self.count,), self._next(), low, high)

    def column(self, low: float, high: float) -> Any:
        """(n, 1, 1, 1) numbers between `low` and `high`, one for all pixels of an image."""
        return _column(self.uniform(low, high))

    def chance(self, probability: Any) -> Any:
        """(n,) booleans, true with that probability."""
        return self.uniform(0, 1) < probability

    def noise(self) -> Any:
        """Draw normal noise, (n, 28, 28, 1)."""
        return tf.random.stateless_normal((self.count, SIDE, SIDE, 1), self._next())

    def _next(self) -> Any:
        self._draws += 1
        return tf.stack([self._seed[0], self._seed[1] * 64 + self._draws])


def augment(images: Any, seed: Any, photo_share: Any, erased_share: Any) -> Any:
    """Mirror and move every image, make `photo_share` of them like photos, erase a patch of `erased_share`.

    `images` (n, 28, 28) uint8, `seed` (2,) int32: the run's and the batch's; shares 0..1.
    """
    dice = Dice(tf.shape(images)[0], seed)
    photo = dice.chance(photo_share)
    flow = tf.cast(images, tf.float32)[..., tf.newaxis]
    flow = _placed(flow, dice, photo)
    flow = _photographed(flow, dice, photo)
    flow = _erased(flow, dice, erased_share)
    return tf.cast(tf.clip_by_value(tf.round(flow), 0, 255), tf.uint8)[..., 0]


def _placed(flow: Any, dice: Dice, photo: Any) -> Any:
    """Mirror half, shift by whole pixels up to 2; photos also turn, shrink, stretch and shear a little."""
    loose = tf.cast(photo, tf.float32)
    angle = loose * dice.uniform(-0.17, 0.17)
    scale = tf.exp(loose * dice.uniform(-0.1, 0.2))  # above 1 the garment shrinks
    aspect = tf.exp(loose * dice.uniform(-0.1, 0.1))
    shear = loose * dice.uniform(-0.08, 0.08)
    mirror = 1 - 2 * tf.cast(dice.chance(0.5), tf.float32)
    centre = (SIDE - 1) / 2
    a, b = scale * aspect * tf.cos(angle), -scale * tf.sin(angle) + shear
    c, d = scale * tf.sin(angle), scale / aspect * tf.cos(angle)
    right, down = tf.round(dice.uniform(-2.49, 2.49)), tf.round(dice.uniform(-2.49, 2.49))
    left_edge = centre - mirror * (a * centre + b * centre) + right
    upper_edge = centre - (c * centre + d * centre) + down
    zero = tf.zeros_like(a)
    rows = tf.stack([mirror * a, mirror * b, left_edge, c, d, upper_edge, zero, zero], axis=1)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=flow, transforms=rows, output_shape=[SIDE, SIDE], fill_value=0.0,
        interpolation="BILINEAR", fill_mode="CONSTANT",
    )  # fmt: skip


def _photographed(flow: Any, dice: Dice, photo: Any) -> Any:
    """Other edges, light, contrast, sharpness, grain and ground than Zalando's studio gives."""

    def some(probability: float) -> Any:
        return _column(photo & dice.chance(probability))

    grown = tf.nn.max_pool2d(flow, 3, 1, "SAME")
    shrunk = -tf.nn.max_pool2d(-flow, 3, 1, "SAME")
    garment = tf.cast(-tf.nn.max_pool2d(-grown, 3, 1, "SAME") > 8, tf.float32)
    # A dark garment on a bright ground is bright after negation; a white one stays nearly as dark as that.
    flow = tf.where(some(0.15), garment * (dice.column(160, 255) - flow * dice.column(0.4, 0.9)), flow)
    flow = tf.where(some(0.08), shrunk, flow)
    flow = tf.where(some(0.08), grown, flow)
    level = tf.maximum(flow, 0) / 255
    flow = tf.where(some(0.4), 255 * level ** tf.exp(dice.column(-0.6, 0.6)), flow)
    flow = tf.where(some(0.4), garment * dice.column(0, 60) + flow * dice.column(0.3, 0.9), flow)
    axis = tf.linspace(-1.0, 1.0, SIDE)
    slope = dice.column(-0.3, 0.3) * axis[tf.newaxis, :, tf.newaxis, tf.newaxis]
    slope += dice.column(-0.3, 0.3) * axis[tf.newaxis, tf.newaxis, :, tf.newaxis]
    flow = tf.where(some(0.3), flow * (1 + slope), flow)
    smooth = tf.nn.avg_pool2d(flow, 3, 1, "SAME")
    amount = tf.where(_column(dice.chance(0.5)), dice.column(-0.8, -0.2), dice.column(0.2, 0.8))
    flow = tf.where(some(0.4), flow + amount * (smooth - flow), flow)
    flow = tf.where(some(0.25), flow + dice.column(2, 20) * dice.noise() * (0.1 + 0.9 * garment), flow)
    # Shadow and uneven ground that the trimming left, and an even ground that was not taken off.
    flow = tf.where(some(0.2), tf.maximum(flow, dice.column(2, 40) * (1 - garment) * (1 + slope)), flow)
    return tf.where(some(0.35), tf.maximum(flow, dice.column(0, 40)), flow)


def _erased(flow: Any, dice: Dice, share: Any) -> Any:
    """Random erasing (Zhong et al. 2020): a rectangle of 2 to 35 % of the image becomes one gray or noise."""
    half = tf.sqrt(dice.uniform(0.02, 0.35)) * SIDE / 2
    stretch = tf.exp(dice.uniform(-0.8, 0.8) / 2)
    row, column = dice.uniform(0, SIDE), dice.uniform(0, SIDE)
    axis = tf.range(SIDE, dtype=tf.float32)[tf.newaxis]
    rows = tf.abs(axis - row[:, tf.newaxis]) < (half * stretch)[:, tf.newaxis]
    columns = tf.abs(axis - column[:, tf.newaxis]) < (half / stretch)[:, tf.newaxis]
    erased = dice.chance(share)[:, tf.newaxis, tf.newaxis] & rows[:, :, tf.newaxis] & columns[:, tf.newaxis]
    noise = 127 + 70 * dice.noise()
    filling = tf.where(_column(dice.chance(0.5)), noise, dice.column(0, 255))
    return tf.where(erased[..., tf.newaxis], filling, flow)


def _column(values: Any) -> Any:
    return values[:, tf.newaxis, tf.newaxis, tf.newaxis]
