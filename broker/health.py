"""How a service is: one judgement for systemd's watchdog, for `GET /health` and for the figures.

Progress decides, no timer. The service's own loop says each time that it turns, and what other threads have
in hand must move. A loop that waits for the world (the broker away, a full disk, a locked database) turns and
is alive; one that hangs in a call, or a thread that hangs with an image, is stuck.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from broker.notify import Notifier

State = Literal["starting", "ok", "degraded", "waiting", "stuck", "stopping"]

TELL_S = 0.5
"""How often systemd is told, at most."""
START_S = 30.0
"""How much longer a start may take, from each turn of a loop that still waits for something."""
STUCK_S = 60.0
GOES_ON = frozenset(
    {
        *("cannot-read", "metrics-not-served", "monitor-failed", "notes-not-written"),
        *("results-not-written", "retention-failed", "shadow-behind", "shadow-failed"),
    }
)
"""Troubles in spite of which images flow."""
WAITS = frozenset(
    {
        *("broker-away", "refused", "taken-over", "not-authorised", "too-large", "quota"),
        *("no-predictor", "no-store", "no-input-spec", "canary-missed"),
        *("inbox-away", "ledger-trouble", "disk-low", "disk-full"),
        *("database-away", "database-damaged", "database-in-use", "database-io", "database-locked"),
        *("database-missing", "database-read-only", "database-unfit", "database-unreadable"),
    }
)
"""Troubles during which images wait."""


@dataclass(frozen=True)
class Work:
    """What another thread has in hand, and since when (monotonic) it has not moved."""

    what: str
    since: float


@dataclass(frozen=True)
class Trouble:
    """A trouble of the world, and since when (monotonic) it lasts."""

    detail: str
    since: float


@dataclass(frozen=True)
class Report:
    """How a service is. `ok` and `degraded` work; `why` is "" for `ok`."""

    state: State
    why: str
    waiting_s: float
    """How long the oldest image or message in the service's hands has waited; 0 when there is none."""
    troubles: Mapping[str, Trouble]

    @property
    def well(self) -> bool:
        """Whether images flow."""
        return self.state in {"ok", "degraded"}

    @property
    def alive(self) -> bool:
        """Whether it gets on by itself as soon as the world lets it: what feeds the watchdog."""
        return self.state != "stuck"


class Health:
    """What is known of one service. Whoever changes it is the service's loop; `report` is for any thread."""

    def __init__(
        self,
        notifier: Notifier | None = None,
        stuck_s: float = STUCK_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._notifier = notifier or Notifier()
        self._clock = clock
        self._turned_at = clock()
        self._next_tell = 0.0
        self._fed_at = self._extended_at = float("-inf")
        self._serving = ""
        self._stopping = False
        self._is_ready = False
        self._told = ""
        self._troubles: dict[str, Trouble] = {}
        self.stuck_s = stuck_s
        self.connected = False
        """Whether the broker has accepted the service and its subscriptions, as far as the loop knows."""
        self.waiting_since: float | None = None
        """Since when (monotonic) the oldest image or message in the service's hands has waited."""
        self.in_work: Callable[[], Work | None] = lambda: None
        """What moves outside the loop, the one first that has moved least lately. Cheap, for any thread."""

    def prepares(self, seconds: float, words: str = "loading the model") -> None:
        """Say what begins that may take so long, before anything is served."""
        if not self._is_ready:
            self._told = f"starting: {words}"
            self._notifier.extend(seconds, self._told)

    def serves(self, words: str) -> None:
        """Say that all of the service's own is open and loaded; `words` are its status from now on."""
        self._serving = words
        self.turned(at_once=True)

    def begin(self, trouble: str, detail: str) -> bool:
        """Note a trouble; True when it is new."""
        if trouble in self._troubles:
            return False
        self._troubles[trouble] = Trouble(detail, self._clock())
        self._next_tell = 0.0
        return True

    def end(self, trouble: str) -> float | None:
        """Note that a trouble is over; return the seconds that it lasted, None when there was none."""
        found = self._troubles.pop(trouble, None)
        self._next_tell = 0.0
        return None if found is None else self._clock() - found.since

    def stopping(self) -> None:
        """Say that the service ends."""
        self._stopping = True
        self._notifier.tell(STOPPING=1, STATUS="stopping")

    def turned(self, *, at_once: bool = False) -> None:
        """Say that the loop turns; now and then this tells systemd."""
        now = self._turned_at = self._clock()
        if at_once or now >= self._next_tell:
            self._next_tell = now + TELL_S
            self._tell(self.report(), now)

    def reloaded(self, reload: Callable[[], None]) -> None:
        """Have the settings read again, and say so where a start is not still under way."""
        if self._is_ready:
            self._notifier.reloading()
        try:
            reload()
        finally:
            if self._is_ready:
                self._notifier.tell(READY=1)

    def report(self) -> Report:
        """Return how the service is now."""
        now = self._clock()
        troubles = dict(self._troubles)
        since = self.waiting_since
        waiting_s = 0.0 if since is None else max(0.0, now - since)
        state, why = self._judged(now, troubles)
        return Report(state, why, waiting_s, troubles)

    def _judged(self, now: float, troubles: Mapping[str, Trouble]) -> tuple[State, str]:
        standing = _words({word: one for word, one in troubles.items() if word not in GOES_ON})
        if self._stopping:
            return "stopping", "asked to stop"
        if not self._serving:
            return "starting", standing or "opening what it needs"
        if stuck := self._stuck(now):
            return "stuck", stuck
        if standing or not self.connected:
            return "waiting", standing or "not connected to the broker yet"
        return ("degraded", _words(troubles)) if troubles else ("ok", "")

    def _stuck(self, now: float) -> str:
        idle_s = now - self._turned_at
        if idle_s > self.stuck_s:
            return f"the loop has not turned for {idle_s:.0f} s"
        work = self.in_work()
        if work is not None and now - work.since > self.stuck_s:
            return f"{work.what} has not moved for {now - work.since:.0f} s"
        return ""

    def _tell(self, report: Report, now: float) -> None:
        """Tell systemd what is new, and feed its watchdog unless something is stuck."""
        words: dict[str, str | int] = {}
        if not self._is_ready and self._serving and self.connected:
            words["READY"] = 1
        elif not self._is_ready and now - self._extended_at >= START_S / 6:
            self._extended_at = now
            words["EXTEND_TIMEOUT_USEC"] = round(START_S * 1e6)
        status = self._serving if report.state == "ok" else f"{report.state}: {report.why}"
        if status != self._told:
            self._told = words["STATUS"] = status
        every_s = self._notifier.watchdog_s
        if every_s is not None and report.alive and now - self._fed_at >= min(every_s / 4, TELL_S * 10):
            self._fed_at = now
            words["WATCHDOG"] = 1
        if words:
            self._notifier.tell(**words)
        if "READY" in words:
            self._is_ready = self._notifier.is_heard  # else it is said again


def _words(troubles: Mapping[str, Trouble]) -> str:
    return "; ".join(f"{word}: {one.detail}" for word, one in troubles.items())
