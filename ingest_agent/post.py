"""The post at the inbox: whether it is there, how it is watched, and what happens when it goes away.

An inbox that is missing or has lost its mount is nothing but waited for: nothing in it counts as deleted.
"""

from broker.line import Line
from broker.names import text_of
from broker.settings import IngestAgent
from ingest_agent.findings import WorldTrouble
from ingest_agent.hints import Hints
from ingest_agent.inbox import Inbox, Root
from ingest_agent.intake import Intake
from ingest_agent.jobs import Jobs
from ingest_agent.waiting import Patience
from ingest_agent.watcher import Watcher

CHECK_S = 1.0
POLL_S = 2.0
RETRY_S = 5.0
# The clock of a file server may differ from ours by as much without making a fresh file look old.
SERVER_CLOCK_MARGIN_S = 60.0


class InboxPost:
    """Keeps the inbox watched."""

    def __init__(
        self,
        own: IngestAgent,
        line: Line,
        inbox: Inbox,
        hints: Hints,
        watcher: Watcher,
        intake: Intake,
        jobs: Jobs,
    ) -> None:
        self._own = own
        self._line = line
        self._inbox = inbox
        self._hints = hints
        self._watcher = watcher
        self._intake = intake
        self._jobs = jobs
        self._root: Root | None = None
        self._watches = False
        self._is_limited = False
        self._next_check = 0.0
        self._troubled_after: int | None = None

    def use(self, own: IngestAgent) -> None:
        """Take other settings over: how often to walk, and how patient to be."""
        self._own = own
        if self._root is not None:
            self._set_pace(self._root)

    @property
    def is_open(self) -> bool:
        """Whether the inbox is there."""
        return self._root is not None

    @property
    def identity(self) -> str:
        """What the inbox is, for as long as it is there; "" when it is not."""
        return "" if self._root is None else self._root.identity

    def check(self, now: float) -> None:
        """Look after the inbox; cheap enough for every turn."""
        if self._hints.take_lost():
            self._line.event("info", "events-lost", "the kernel's or the agent's list of events was full")
            self._intake.rounds.begin(now, self._jobs.folders())
        if now < self._next_check:
            return
        self._next_check = now + CHECK_S
        self._check_root(now)
        if self._root is not None and self._watches and not self._watcher.alive:
            self._line.event("warning", "watch-died", "the watching thread ended; watching anew")
            self._open(self._root, now)
        self._check_limit()
        self._check_turned_away(now)
        self._check_troubles(now)

    def _check_root(self, now: float) -> None:
        key = self._inbox.key()
        if self._root is not None and key == self._root.key:
            return
        root = None if key is None else self._inbox.root()
        if root is None:
            self._close()
            self._line.begin("inbox-away", f"{self.shown}: {self._inbox.why_not()}")
            return
        if self._root is not None:
            before, after = self._root.mount, root.mount
            told = f", on {after.source or '?'} instead of {before.source or '?'}" if before != after else ""
            self._line.event("warning", "inbox-replaced", f"{self.shown} is another directory now{told}")
        self._open(root, now)
        self._line.end("inbox-away", f"{self.shown} is there")

    @property
    def shown(self) -> str:
        """The inbox's path as text."""
        return text_of(self._inbox.path)

    def _open(self, root: Root, now: float) -> None:
        self._watcher.stop()
        self._root = root
        self._watches = self._wants_events(root) and self._watch()
        self._is_limited = False
        self._jobs.root = root.identity
        self._set_pace(root)
        rounds = self._intake.rounds
        rounds.halt()
        rounds.begin(now, self._jobs.folders())
        how = "by events" if self._watches else "by polling"
        self._line.event("info", "inbox-watched", f"{self.shown} is watched {how}")

    def _set_pace(self, root: Root) -> None:
        margin_s = SERVER_CLOCK_MARGIN_S if root.mount.is_network else 0.0
        patience = Patience(self._own.settle_s, self._own.give_up_s, margin_s)
        self._intake.use(patience, inodes=root.mount.has_steady_inodes)
        by_events = self._watches and not self._is_limited
        self._intake.rounds.every_s = self._own.rescan_s if by_events else min(POLL_S, self._own.rescan_s)

    def _wants_events(self, root: Root) -> bool:
        if self._own.watch == "auto":
            return not root.mount.is_network
        return self._own.watch == "events"

    def _watch(self) -> bool:
        try:
            self._watcher.start(self._inbox.path)
        except OSError as error:
            self._line.event("warning", "events-not-available", f"{error.strerror or error}; polling instead")
            return False
        return True

    def _close(self) -> None:
        if self._root is not None:
            self._watcher.stop()
            self._intake.rounds.halt()
            self._root = None

    def _check_limit(self) -> None:
        """Poll as well where the kernel does not watch all folders (fs.inotify.max_user_watches)."""
        if self._watches and self._watcher.is_limited and not self._is_limited:
            self._is_limited = True
            self._intake.rounds.every_s = min(POLL_S, self._own.rescan_s)
            self._line.event(
                "warning", "events-not-available", "the kernel watches no more folders; polling as well"
            )

    def _check_turned_away(self, now: float) -> None:
        """Files for which there was no place among the waiting ones are found again by a walk."""
        if self._intake.waiting.turned_away:
            self._intake.waiting.turned_away = False
            self._intake.rounds.hasten(now + self._own.settle_s)

    # What could not be read

    def trouble(self, trouble: WorldTrouble, now: float) -> None:
        """Say once that something cannot be read, and walk again before long."""
        self._line.begin("cannot-read", trouble.detail)
        self._troubled_after = self._intake.rounds.rounds
        self._intake.rounds.hasten(now + RETRY_S)

    def _check_troubles(self, now: float) -> None:
        """Say that the trouble is over once a whole round came by without one."""
        if self._troubled_after is None:
            return
        if self._intake.rounds.rounds > self._troubled_after + 1:
            self._troubled_after = None
            self._line.end("cannot-read", "everything in the inbox can be read")
        else:
            self._intake.rounds.hasten(now + RETRY_S)

    def stop(self) -> None:
        """Stop watching and walking."""
        self._watcher.stop()
        self._intake.rounds.halt()
