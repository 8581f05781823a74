"""When and where the inbox is walked: new folders at once; everything at the start and now and then.

Walking never costs more than about a twentieth of the time: after a walk that took one second the next one
waits for twenty.
"""

from collections.abc import Callable, Iterator

from ingest_agent.scanner import Found, Unreadable, Walk

SHARE = 20
TROUBLE_WAIT_MIN_S = 0.5
TROUBLE_WAIT_MAX_S = 60.0


class Rounds:
    """The walks: of single folders first, then the round through everything.

    `walk` makes a walk that begins at a folder. In `unvisited` folders a walk has still to find what
    events did not tell; their jobs do not close.
    """

    def __init__(self, walk: Callable[[bytes], Walk], every_s: float) -> None:
        self._walk = walk
        self.every_s = every_s
        self._folders: dict[bytes, bool] = {}
        self._current: Walk | None = None
        self._entries: Iterator[Found | Unreadable] | None = None
        self._is_round = False
        self._is_whole = True
        self._last_folder = b""
        self._next_round: float | None = None
        self._spent_s = 0.0
        self._rested = 0.0
        self._trouble_until: float | None = None
        self._trouble_wait_s = TROUBLE_WAIT_MIN_S
        self._unvisited: set[bytes] = set()
        self.rounds = 0
        self.in_whole_folder = False

    @property
    def walking(self) -> bool:
        """Whether there is something to walk now."""
        return self._current is not None or bool(self._folders)

    def next_due(self) -> float | None:
        """Return when the next round begins; None when none is planned."""
        return self._next_round

    def is_due(self, now: float) -> bool:
        """Tell whether a round should begin."""
        return self._next_round is not None and now >= self._next_round

    def look_into(self, relative: bytes, *, whole: bool) -> None:
        """Walk one folder soon; `whole` when it was renamed in, so that its files need not settle."""
        self._folders[relative] = whole or self._folders.get(relative, False)

    def begin(self, now: float, unvisited: set[bytes]) -> None:
        """Walk everything from the time `now` on; the jobs of `unvisited` folders wait for it."""
        self._next_round = now
        self._is_whole = False
        self._unvisited |= unvisited

    def begin_after_trouble(self, now: float) -> None:
        """Walk everything again before long; while troubles follow each other, after longer and longer."""
        until = self._trouble_until
        if until is None or now >= until:
            is_new = until is None or now > until + TROUBLE_WAIT_MAX_S
            wait_s = TROUBLE_WAIT_MIN_S if is_new else min(TROUBLE_WAIT_MAX_S, 2 * self._trouble_wait_s)
            self._trouble_wait_s = wait_s
            self._trouble_until = until = now + wait_s
        self.begin(until, set())

    def hasten(self, at: float) -> None:
        """Begin the next round at a time, or earlier where that is planned; a dear one rests all the same."""
        if self._next_round is not None:
            self._next_round = min(self._next_round, max(at, self._rested))

    def halt(self) -> None:
        """Walk no more until `begin`: the inbox is gone."""
        if self._current is not None:
            self._current.close()
        self._current = self._entries = self._next_round = None
        self._folders.clear()

    def may_find_in(self, folder: bytes) -> bool:
        """Tell whether a walk may still come upon files of a top-level folder."""
        if folder in self._unvisited or any(path.partition(b"/")[0] == folder for path in self._folders):
            return True
        # A round that came by itself finds what events missed, or nothing: no job waits for it.
        return self._current is not None and not self._is_round and self._current.folder == folder

    def step(self, room: int, now: float) -> Iterator[Found | Unreadable]:
        """Walk on by up to `room` entries."""
        while room > 0 and self._ready(now):
            assert self._entries is not None  # noqa: S101 - for the type checker: _ready has made it
            entry = next(self._entries, None)
            if entry is None:
                self._end(now)
                continue
            room -= 1
            self._passed()
            yield entry

    def spent(self, seconds: float) -> None:
        """Add what walking and looking up has cost."""
        self._spent_s += seconds

    def _ready(self, now: float) -> bool:
        if self._current is not None:
            return True
        if self._folders:
            folder = next(iter(self._folders))
            self.in_whole_folder = self._folders.pop(folder)
            self._start(folder, is_round=False)
        elif self.is_due(now):
            self._next_round = None
            self._is_whole = True
            self._spent_s = 0.0
            self.in_whole_folder = False
            self._start(b"", is_round=True)
        return self._current is not None

    def _start(self, folder: bytes, *, is_round: bool) -> None:
        self._current = self._walk(folder)
        self._entries = iter(self._current)
        self._is_round = is_round
        self._last_folder = self._current.folder

    def _passed(self) -> None:
        """Strike the folder that the walk has just left off the unvisited ones."""
        current = self._current
        if current is None or not self._is_round or current.folder == self._last_folder:
            return
        if self._is_whole and self._last_folder:
            self._unvisited.discard(self._last_folder)
        self._last_folder = current.folder

    def _end(self, now: float) -> None:
        self._current = self._entries = None
        if not self._is_round:
            return
        self.rounds += 1
        if self._is_whole:
            self._unvisited.clear()
        self._rested = now + SHARE * self._spent_s
        if self._next_round is None:
            self._next_round = max(now + self.every_s, self._rested)
