"""What the watching threads tell the agent's loop: paths to look at, in sets with a limit.

A hint is never a fact: it may come twice, late, or not at all. When a set is full or the kernel dropped
events, `lost` is set, and everything is walked again.
"""

import threading
import time
from collections.abc import Callable
from itertools import islice


class Hints:
    """Thread-safe sets of paths below the inbox. `wake` is called when the first hint after none came in."""

    def __init__(self, wake: Callable[[], None], limit: int = 20_000) -> None:
        self._wake = wake
        self._limit = limit
        self._lock = threading.Lock()
        self._finished: dict[bytes, None] = {}
        self._created: dict[bytes, float] = {}
        self._folders: dict[bytes, bool] = {}
        self._lost = False
        self._asleep = True

    def finished(self, relative: bytes) -> None:
        """Take in that a file was closed after writing, or renamed in: it can be read at once."""
        with self._lock:
            self._created.pop(relative, None)
            if len(self._finished) >= self._limit:
                self._lost = True
            else:
                self._finished[relative] = None
            self._rouse()

    def created(self, relative: bytes) -> None:
        """Take in that something appeared; it may still be written, so it is looked at a little later."""
        with self._lock:
            if relative in self._finished or relative in self._created:
                return
            if len(self._created) >= self._limit:
                self._lost = True
            else:
                self._created[relative] = time.monotonic()
            self._rouse()

    def folder(self, relative: bytes, *, whole: bool = False) -> None:
        """Take in that a folder appeared, or must be walked again; `whole` when it was renamed in."""
        with self._lock:
            if len(self._folders) >= self._limit:
                self._lost = True
            else:
                self._folders[relative] = whole or self._folders.get(relative, False)
            self._rouse()

    def lost(self) -> None:
        """Take in that events were dropped: everything has to be walked."""
        with self._lock:
            self._lost = True
            self._rouse()

    def _rouse(self) -> None:
        if self._asleep:
            self._asleep = False
            self._wake()

    def take_finished(self, limit: int) -> list[bytes]:
        """Take out up to `limit` finished files."""
        with self._lock:
            self._asleep = True
            taken = list(islice(self._finished, limit))
            for path in taken:
                del self._finished[path]
            return taken

    def take_folders(self) -> dict[bytes, bool]:
        """Take out the folders; each with whether it was renamed in."""
        with self._lock:
            self._asleep = True
            taken, self._folders = self._folders, {}
            return taken

    def take_created(self, before: float, limit: int) -> list[bytes]:
        """Take out up to `limit` files that appeared before a monotonic time and were not finished since."""
        with self._lock:
            self._asleep = True
            taken = [path for path, appeared in islice(self._created.items(), limit) if appeared <= before]
            for path in taken:
                del self._created[path]
            return taken

    def take_lost(self) -> bool:
        """Tell, once, whether events were lost."""
        with self._lock:
            lost, self._lost = self._lost, False
            return lost

    def has_any(self, before: float) -> bool:
        """Tell whether there is something to take out; what appeared after a monotonic time is not yet."""
        if self._finished or self._folders:
            return True
        with self._lock:
            return bool(self._created) and next(iter(self._created.values())) <= before

    def mention(self, folder: bytes) -> bool:
        """Tell whether there is a hint at something in a top-level folder."""
        prefix = folder + b"/"
        with self._lock:
            return any(
                path.startswith(prefix) or path == folder if folder else b"/" not in path
                for hints in (self._finished, self._created, self._folders)
                for path in hints
            )
