"""How long to wait before the next try: doubling, bounded, and never in step with others."""

import random


class Backoff:
    """Waits of `first_s` doubling to `last_s`, each spread by ±25 %, so that many do not come at once."""

    def __init__(
        self, first_s: float = 1.0, last_s: float = 60.0, *, dice: random.Random | None = None
    ) -> None:
        self._first_s = first_s
        self._last_s = last_s
        self._wait_s = first_s
        self._dice = dice or random.Random()  # noqa: S311 - spreads waits, keeps no secret

    def next_s(self) -> float:
        """Return the next wait in seconds."""
        wait_s = self._wait_s
        self._wait_s = min(self._wait_s * 2, self._last_s)
        return wait_s * self._dice.uniform(0.75, 1.25)

    def reset(self) -> None:
        """Begin again: it went well."""
        self._wait_s = self._first_s

    def at_most(self, wait_s: float) -> None:
        """Take no longer wait than this next."""
        self._wait_s = min(self._wait_s, wait_s)

    def slow_down(self) -> None:
        """Take the longest wait next."""
        self._wait_s = self._last_s
