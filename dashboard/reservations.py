"""Who is looking at which question, so that two people are not asked about the same image at once."""

import threading
import time
from collections.abc import Callable

from store.answers import Key

HELD_S = 300.0
"""How long an image is kept for whoever it is shown to; then they are thought to have gone."""


class Reservations:
    """Images in hand, by holder; of this process only: the store settles what this cannot know."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[Key, tuple[object, float]] = {}

    def take(self, key: Key, holder: object) -> bool:
        """Hold an image, or hold it on; False where somebody else does."""
        with self._lock:
            at = self._clock()
            self._held = {one: held for one, held in self._held.items() if held[1] > at}
            if key in self._held and self._held[key][0] is not holder:
                return False
            self._held[key] = (holder, at + HELD_S)
            return True

    def free(self, holder: object, key: Key | None = None) -> None:
        """Let go of one image, or of all that the holder has."""
        with self._lock:
            self._held = {
                one: held
                for one, held in self._held.items()
                if held[0] is not holder or key not in {None, one}
            }
