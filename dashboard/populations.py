"""How many images there are to ask people about, counted now and then: every row of the database is read."""

import threading
import time
from collections.abc import Callable

from store.queries import Connection
from store.review_queue import Standing, population, standing
from store.review_scope import Scope
from store.sampling import Stratum

KEPT_S = 600.0
"""How old a count may be: the answers themselves are read each time."""
KEPT = 32


class Populations:
    """The latest counts by scope. One is made at a time, however many ask."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[Scope, tuple[float, tuple[Stratum, ...]]] = {}

    def standing(self, connection: Connection, scope: Scope) -> Standing:
        """Return how far the answers have come; this may take seconds for millions of images."""
        with self._lock:
            known = self._known.get(scope)
            if known is None or self._clock() - known[0] > KEPT_S:
                known = self._clock(), population(connection, scope)
                self._known.pop(scope, None)
                self._known[scope] = known
                while len(self._known) > KEPT:
                    del self._known[next(iter(self._known))]
        return standing(connection, scope, known[1])
