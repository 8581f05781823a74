"""When to send again: the round trip's smoothed mean and deviation, as in TCP (RFC 6298).

Pure: the time comes as an argument, the chance as a function.
"""

import random
from collections.abc import Callable

ALPHA = 1 / 8
BETA = 1 / 4
JITTER = 0.25


class RoundTrip:
    """The measured round trip of batches and the timeout that follows from it.

    The timeout is `srtt + 4 rttvar`, at least `min_s`; each time it runs out it doubles, up to `max_s`, and
    stays doubled for batches sent afterwards until a batch that was sent only once has been answered (Karn).
    """

    def __init__(self, min_s: float, max_s: float, chance: Callable[[], float] = random.random) -> None:
        self._min_s = min_s
        self._max_s = max(min_s, max_s)
        self._chance = chance
        self._doublings = 0
        self.srtt_s: float | None = None
        self.rttvar_s = 0.0

    def bound(self, min_s: float, max_s: float) -> None:
        """Keep the timeout between these from now on."""
        self._min_s, self._max_s = min_s, max(min_s, max_s)

    @property
    def base_s(self) -> float:
        """The timeout before doubling and jitter."""
        measured = 0.0 if self.srtt_s is None else self.srtt_s + 4 * self.rttvar_s
        return min(self._max_s, max(self._min_s, measured))

    def measured(self, round_trip_s: float) -> None:
        """Take in the round trip of a batch that was sent only once."""
        self._doublings = 0
        if self.srtt_s is None:
            self.srtt_s, self.rttvar_s = round_trip_s, round_trip_s / 2
            return
        self.rttvar_s += BETA * (abs(self.srtt_s - round_trip_s) - self.rttvar_s)
        self.srtt_s += ALPHA * (round_trip_s - self.srtt_s)

    def timed_out(self, timeouts: int) -> None:
        """Take in that a batch has waited in vain for the `timeouts`th time."""
        self._doublings = max(self._doublings, timeouts)

    def fresh_start(self) -> None:
        """Forget the doubling: whoever did not answer is there again."""
        self._doublings = 0

    def timeout_s(self, timeouts: int = 0) -> float:
        """Return how long to wait for an answer to a batch that timed out `timeouts` times before."""
        doublings = min(max(timeouts, self._doublings), 32)
        wait_s = min(self._max_s, self.base_s * 2.0**doublings)
        return wait_s * (1 - JITTER + 2 * JITTER * self._chance())
