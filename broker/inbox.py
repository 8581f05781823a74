"""What waits between a network thread and a service's loop: bounded by messages and by bytes.

The bound is kept by whoever fills it: `full` says when to stop reading.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

from broker.auto_reset_event import AutoResetEvent
from broker.connection import Delivery, Notice


class Inbox:
    """Deliveries and notices in the order in which they came."""

    def __init__(self, limit_messages: int = 1000, limit_bytes: int = 33_554_432) -> None:
        self._items: deque[Delivery | Notice] = deque()
        self._news = AutoResetEvent()
        self._woken = False
        self._limit_messages = limit_messages
        self._limit_bytes = limit_bytes
        self._messages = 0
        self._bytes = 0
        self._lock = threading.Lock()
        self.on_space: Callable[[], None] | None = None
        """Called in the receiver's thread when an inbox that was full has room again."""

    @property
    def full(self) -> bool:
        """Whether nothing more should be put in for now."""
        return self._messages >= self._limit_messages or self._bytes >= self._limit_bytes

    def put(self, item: Delivery | Notice) -> None:
        """Add a delivery or a notice; never waits."""
        if isinstance(item, Delivery):
            self._count(1, len(item.payload))
        self._items.append(item)
        self._news.set()

    def wake(self) -> None:
        """Make a waiting `take` return; safe in any thread and in a signal handler."""
        self._woken = True
        self._news.set()

    def take(self, limit: int, timeout_s: float) -> list[Delivery | Notice]:
        """Return up to `limit` items, waiting at most `timeout_s` for the first; for one receiver."""
        deadline = time.monotonic() + timeout_s
        found = self._there(limit)
        while not found and not self._woken and self._news.wait(deadline - time.monotonic()):
            found = self._there(limit)  # or none: the news was of what was taken before
        self._woken = False
        self._release(found)
        return found

    def _there(self, limit: int) -> list[Delivery | Notice]:
        found: list[Delivery | Notice] = []
        while self._items and len(found) < limit:
            found.append(self._items.popleft())
        return found

    def _release(self, found: list[Delivery | Notice]) -> None:
        deliveries = [item for item in found if isinstance(item, Delivery)]
        if not deliveries:
            return
        was_full = self.full
        self._count(-len(deliveries), -sum(len(item.payload) for item in deliveries))
        if was_full and self.on_space is not None:
            self.on_space()

    def _count(self, messages: int, size_bytes: int) -> None:
        with self._lock:
            self._messages += messages
            self._bytes += size_bytes
