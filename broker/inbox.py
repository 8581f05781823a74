"""What waits between a network thread and a service's loop: bounded by messages and by bytes.

The bound is kept by whoever fills it: `full` says when to stop reading. Waiting and waking go through
`SimpleQueue`, whose `put` may be called in a signal handler.
"""

import contextlib
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from broker.connection import Delivery, Notice

Item = Delivery | Notice | None


class Inbox:
    """Deliveries and notices in the order in which they came."""

    def __init__(self, limit_messages: int = 1000, limit_bytes: int = 33_554_432) -> None:
        self._items: SimpleQueue[Item] = SimpleQueue()
        self._limit_messages = limit_messages
        self._limit_bytes = limit_bytes
        self._messages = 0
        self._bytes = 0
        self._lock = threading.Lock()
        self._woken = False
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
        self._items.put(item)

    def wake(self) -> None:
        """Make a waiting `take` return; safe in any thread and in a signal handler."""
        if not self._woken:
            self._woken = True
            self._items.put(None)

    def take(self, limit: int, timeout_s: float) -> list[Delivery | Notice]:
        """Return up to `limit` items, waiting at most `timeout_s` for the first."""
        found: list[Delivery | Notice] = []
        wait_s = timeout_s
        with contextlib.suppress(Empty):
            while len(found) < limit:
                item = self._items.get(block=wait_s > 0, timeout=wait_s)
                wait_s = 0.0
                if item is None:
                    self._woken = False
                else:
                    found.append(item)
        self._release(found)
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
