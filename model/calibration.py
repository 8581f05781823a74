"""One temperature makes confidence mean what it says (Guo et al. 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.intp]) -> float:
    """Find the temperature of the least mean negative log-likelihood on validation logits (n, classes).

    Golden-section search over the logarithm of 0.05 to 20; the likelihood has one minimum there.
    """
    low, high = np.log(0.05), np.log(20.0)
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(60):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if _loss(logits, labels, np.exp(left)) < _loss(logits, labels, np.exp(right)):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def _loss(logits: NDArray[np.float32], labels: NDArray[np.intp], temperature: float) -> float:
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    chosen = scaled[np.arange(len(labels)), labels]
    return float((np.log(np.exp(scaled).sum(axis=1)) - chosen).mean())
