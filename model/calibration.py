"""A temperature makes confidence mean what it says (Guo et al. 2017), a spread helps where one is not enough.

Label smoothing presses the logits of clear images together: a temperature that suits them makes the unclear
ones too sure. So the gap of each logit to the largest is stretched, the more the larger it is, before it is
divided by the temperature: gap + spread * gap^2. The order of the classes stays. A spread of 0 is the
temperature alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPREADS = np.linspace(0.0, 0.5, 26)
STEPS = 32


def softmax(logits: NDArray[np.float32], temperature: float, spread: float = 0.0) -> NDArray[np.float32]:
    """Probabilities of logits (n, classes) at a temperature and a spread; rows sum to 1."""
    powers = np.exp(_scaled(logits, temperature, spread))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)  # type: ignore[no-any-return]


def fit_calibration(logits: NDArray[np.float32], labels: NDArray[np.intp]) -> tuple[float, float]:
    """Find the temperature and the spread of the least loss on validation logits (n, classes)."""
    pairs = [(fit_temperature(logits, labels, spread), float(spread)) for spread in SPREADS]
    return min(pairs, key=lambda pair: _loss(logits, labels, *pair))


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.intp], spread: float = 0.0) -> float:
    """Find the temperature of the least mean negative log-likelihood on validation logits (n, classes).

    Golden-section search over the logarithm of 0.05 to 20, to a millionth; the likelihood has one minimum
    there (Kiefer 1953: of two points within, one serves the next step as well).
    """

    def loss(at: float) -> float:
        return _loss(logits, labels, float(np.exp(at)), spread)

    low, high = float(np.log(0.05)), float(np.log(20.0))
    golden = float(np.sqrt(5) - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = loss(left), loss(right)
    for _ in range(STEPS):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = loss(right)
    return float(np.exp((low + high) / 2))


def _loss(logits: NDArray[np.float32], labels: NDArray[np.intp], temperature: float, spread: float) -> float:
    scaled = _scaled(logits, temperature, spread)
    chosen = scaled[np.arange(len(labels)), labels]
    return float((np.log(np.exp(scaled).sum(axis=1)) - chosen).mean())


def _scaled(logits: NDArray[np.float32], temperature: float, spread: float) -> NDArray[np.float64]:
    """Logits as they enter the softmax: the largest of a row is 0, the others below."""
    below = logits.astype(np.float64)
    below -= below.max(axis=1, keepdims=True)
    return below * (1 - spread * below) / temperature
