"""Files that are not whole yet: which they are, and when to look at each again. Pure but for what it keeps.

A file that was closed after writing or renamed in is read at once. Any other is read when its size and time
of change have stood still for `settle_s`. One that does not become pixels is tried again when it changes, and
is given up when it has stood still for `give_up_s`.
"""

import heapq
import math
from collections import Counter
from dataclasses import dataclass

from broker.places import folder_and_name
from ingest_agent.reading import Stat

# How long a file that never comes to rest keeps its folder's job from closing.
HOLD_S = 60.0
LOOK_MIN_S = 0.2
LOOK_MAX_S = 1.0


@dataclass(slots=True)
class Waiting:
    """One file that is not whole. Times are monotonic seconds."""

    relative: bytes
    first_seen: float
    stat: Stat | None = None
    since: float = 0.0
    due: float = 0.0
    attempts: int = 0
    reason: str = ""
    detail: str = ""


class WaitingRoom:
    """At most `places` waiting files, by path and by time."""

    def __init__(self, places: int = 20_000) -> None:
        self._places = places
        self._files: dict[bytes, Waiting] = {}
        self._order: list[tuple[float, bytes]] = []
        self._by_folder: Counter[bytes] = Counter()
        self.turned_away = False

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, relative: bytes) -> bool:
        return relative in self._files

    def get(self, relative: bytes) -> Waiting | None:
        """Return what is known of a waiting file."""
        return self._files.get(relative)

    def put(self, relative: bytes, due: float, now: float) -> Waiting | None:
        """Let a file wait until `due`; None (and `turned_away`) when there is no place."""
        file = self._files.get(relative)
        if file is None:
            if len(self._files) >= self._places:
                self.turned_away = True
                return None
            file = self._files[relative] = Waiting(relative, first_seen=now, since=now)
            self._by_folder[folder_and_name(relative)[0]] += 1
        file.due = due
        heapq.heappush(self._order, (due, relative))
        return file

    def remove(self, relative: bytes) -> Waiting | None:
        """Let a file go: it was taken, failed, or is no more."""
        file = self._files.pop(relative, None)
        if file is not None:
            folder = folder_and_name(relative)[0]
            self._by_folder[folder] -= 1
            if not self._by_folder[folder]:
                del self._by_folder[folder]
        return file

    def due(self, now: float, limit: int) -> list[Waiting]:
        """Return up to `limit` files whose time has come; they stay until removed or put again."""
        found: list[Waiting] = []
        while self._order and self._order[0][0] <= now and len(found) < limit:
            due, relative = heapq.heappop(self._order)
            file = self._files.get(relative)
            if file is not None and file.due == due:
                file.due = math.inf  # once only, even if it was put off to the same time twice
                found.append(file)
        return found

    def next_due(self) -> float | None:
        """Return when the next file has to be looked at."""
        while self._order:
            due, relative = self._order[0]
            file = self._files.get(relative)
            if file is not None and file.due == due:
                return due
            heapq.heappop(self._order)
        return None

    def holds(self, folder: bytes, now: float) -> bool:
        """Tell whether a folder has files that may soon be images."""
        if not self._by_folder.get(folder):
            return False
        return any(
            now - file.first_seen < HOLD_S
            for relative, file in self._files.items()
            if folder_and_name(relative)[0] == folder
        )


@dataclass(frozen=True)
class Patience:
    """How long a file must stand still; its clock and ours may differ by `clock_margin_s`."""

    settle_s: float
    give_up_s: float
    clock_margin_s: float = 0.0

    @property
    def look_s(self) -> float:
        """How often a waiting file is looked at."""
        return min(max(self.settle_s, LOOK_MIN_S), LOOK_MAX_S)

    def still_s(self, stat: Stat, since: float, now: float, wall_s: float) -> float:
        """Return for how long a file has stood still: as seen by us, or as its own time of change says."""
        by_clock = wall_s - stat.mtime_ns / 1e9 - self.clock_margin_s
        return max(now - since, by_clock)

    def is_settled(self, still_s: float) -> bool:
        """Tell whether a file that nobody said to be finished may be read."""
        return still_s >= self.settle_s

    def is_hopeless(self, still_s: float) -> bool:
        """Tell whether a file that is no image will not become one any more."""
        return still_s >= self.give_up_s
