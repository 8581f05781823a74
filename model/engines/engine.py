"""What every engine can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class EngineError(RuntimeError):
    """An engine cannot serve: its package is missing, or it disagrees with the bundle; one line."""


class Engine(Protocol):
    """A loaded network. `precision` is `f32`, `bf16` or `int8`: chosen, never found out."""

    name: str
    precision: str

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Answer pixels (n, 28, 28) uint8 with logits (n, classes) float32; n may be 0."""
        ...

    def answer(self, pixels: NDArray[np.uint8]) -> Answer:
        """Answer pixels (n, 28, 28) uint8 with logits and features; n may be 0."""
        ...


class Answer(NamedTuple):
    """Logits (n, classes) float32, and the features (n, k) float32 from which the last layer made them."""

    logits: NDArray[np.float32]
    features: NDArray[np.float32]


class ChunkedEngine:
    """Answers any number of images by calls of at most `chunk` images, which bounds the memory."""

    chunk = 256

    def __init__(self, classes: int, features: int) -> None:
        self._classes, self._features = classes, features

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Answer pixels (n, 28, 28) uint8 with logits (n, classes) float32; n may be 0."""
        return self.answer(pixels).logits

    def answer(self, pixels: NDArray[np.uint8]) -> Answer:
        """Answer pixels (n, 28, 28) uint8 with logits and features; n may be 0."""
        count = len(pixels)
        logits = np.empty((count, self._classes), np.float32)
        features = np.empty((count, self._features), np.float32)
        for at in range(0, count, self.chunk):
            part = np.ascontiguousarray(pixels[at : at + self.chunk])
            logits[at : at + len(part)], features[at : at + len(part)] = self._run(part)
        return Answer(logits, features)

    def _run(self, part: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        raise NotImplementedError
