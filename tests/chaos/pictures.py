"""Pictures to drop: each one different, 28x28, bright on black, as PNG."""

import random

import cv2
import numpy as np


def picture(rng: random.Random) -> bytes:
    """Return the bytes of a PNG that no other call returns: a bright shape and some grain on black."""
    seed = rng.getrandbits(63)
    grain = np.random.default_rng(seed)
    pixels = np.zeros((28, 28), np.uint8)
    top, left = grain.integers(2, 8, 2)
    pixels[top : 28 - top, left : 28 - left] = grain.integers(60, 255, (28 - 2 * top, 28 - 2 * left))
    done, encoded = cv2.imencode(".png", pixels)
    if not done:
        raise RuntimeError("OpenCV could not encode a PNG")
    return encoded.tobytes()


def no_picture(rng: random.Random) -> bytes:
    """Return bytes that are no usable image: a text, half a PNG, nothing at all."""
    return rng.choice([b"this is a shopping list\n" * 9, picture(rng)[:100], b""])
