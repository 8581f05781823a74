"""What takes reading every row: counted in a thread of its own, once however many ask, and kept for a while.

Whoever asks waits in the loop, not in a thread: so pages that count keep nobody else from the database.
"""

import asyncio
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from broker.errors import SettingsError

SHARE = 0.01
"""What a count may take of the time: it is kept for a hundred times as long as it took."""
KEPT = 64
MOST = 16
"""Counts that are under way or wait for their turn."""
BUSY = "The page counts for others just now: load it again in a minute."
T = TypeVar("T")


class Counting:
    """The latest counts by what they are of, and those that are coming."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "counting")
        self._known: dict[Hashable, tuple[float, Any]] = {}
        self._coming: dict[Hashable, asyncio.Task[Any]] = {}

    async def of(self, key: Hashable, count: Callable[[], T]) -> T:
        """Return what `count` returns, or returned a while ago. Raises SettingsError where too many wait."""
        until, found = self._known.get(key, (0.0, None))
        if self._clock() < until:
            return found  # type: ignore[no-any-return] # of this key
        if key not in self._coming:
            if len(self._coming) >= MOST:
                raise SettingsError(BUSY)
            self._coming[key] = asyncio.create_task(self._counted(key, count))
        return await asyncio.shield(self._coming[key])

    async def _counted(self, key: Hashable, count: Callable[[], T]) -> T:
        def timed() -> tuple[T, float]:
            began = self._clock()
            return count(), self._clock() - began

        try:
            found, took_s = await asyncio.get_running_loop().run_in_executor(self._thread, timed)
        finally:
            del self._coming[key]
        self._known.pop(key, None)
        self._known[key] = self._clock() + took_s / SHARE, found
        while len(self._known) > KEPT:
            del self._known[next(iter(self._known))]
        return found
