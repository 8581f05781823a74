"""What every engine can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
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
