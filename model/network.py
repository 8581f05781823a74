"""The network: uint8 pixels in, logits out. Everything else treats it as a Keras model like any other."""

from __future__ import annotations

import keras
from keras import layers


def build_network(classes: int = 10, width: int = 32) -> keras.Model:
    """Two convolutions with batch normalisation and one hidden layer.

    Input (n, 28, 28) uint8, bright on black; output (n, classes) logits.
    """
    pixels = keras.Input((28, 28), dtype="uint8", name="pixels")
    flow = layers.Reshape((28, 28, 1))(pixels)
    flow = layers.Rescaling(1 / 255)(flow)
    for filters in (width, 2 * width):
        flow = layers.Conv2D(filters, 3, padding="same", use_bias=False)(flow)
        flow = layers.BatchNormalization(momentum=0.9)(flow)
        flow = layers.ReLU()(flow)
        flow = layers.MaxPooling2D()(flow)
    flow = layers.Flatten()(flow)
    flow = layers.Dropout(0.3)(flow)
    flow = layers.Dense(2 * width, use_bias=False)(flow)
    flow = layers.BatchNormalization(momentum=0.9)(flow)
    flow = layers.ReLU()(flow)
    flow = layers.Dropout(0.3)(flow)
    return keras.Model(pixels, layers.Dense(classes, name="logits")(flow), name="tailorbird")
