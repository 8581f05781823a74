"""Alerts: each opens once, with its rule, value and bound, and closes once, when its cause has been gone."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from broker.messages import Alert
from broker.settings import Monitor
from store import statements as sql
from store.disk import Disk
from store.pixels import PRUNED_AT_ONCE, prune_pixels
from store.rules import Figures, Judgement, judged, trusted_accuracy
from store.statements import Session
from store.times import stamp_of
from store.window import figures

LOOK_S = 5.0
LONGEST_S = 300.0
"""Seconds between two looks, and at most, when they fail."""

PRUNE_S = 3600.0
UNJUDGED_S = 3600.0
"""An alert whose rule has said nothing of its subject for so long, since it was turned off, since another
model serves or since the source is gone, is closed: nobody could ever say that it is over."""

UNJUDGED = "closed, since its rule had nothing to judge for an hour"

Key = tuple[str, str]


@dataclass(frozen=True)
class Monitoring:
    """What the monitor is told: its bounds, and how long pixels are kept."""

    bounds: Monitor
    keep_pixels_days: float


@dataclass(frozen=True)
class Seen:
    """What a look saw: shares 0..1, seconds; None where there is nothing to say."""

    open_alerts: int = 0
    expected_accuracy: float | None = None
    canary_latency_s: float | None = None


class Watch:
    """Looks at the database now and then, and writes what became of its alerts."""

    def __init__(
        self,
        engine: sa.Engine,
        disk: Disk,
        given: Monitoring,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._disk = disk
        self.given = given
        """The bounds in force."""
        self.seen = Seen()
        self._clock = clock
        self._began_at = datetime.now(UTC)
        self._wait_s = LOOK_S
        self._next_look = clock() + LOOK_S
        self._next_prune = clock()
        self._well_since: dict[Key, float] = {}
        self._unjudged_since: dict[Key, float] = {}
        self._told: list[Alert] = []

    @property
    def due(self) -> bool:
        """Whether it is time to look again."""
        return self._clock() >= self._next_look

    def look(self, at: datetime | None = None) -> list[Alert]:
        """Judge, write the alerts that open or close, forget old pixels; return what nobody was told of yet.

        Each look that fails doubles the time to the next one, up to LONGEST_S. Raises what the driver raises,
        and OSError for the disk.
        """
        self._wait_s = min(2 * self._wait_s, LONGEST_S)
        self._next_look = self._clock() + self._wait_s
        at = at or datetime.now(UTC)
        with self._engine.begin() as connection:
            session = Session(connection)
            for alert in self._told:
                session.run(sql.TELL_ALERT, (alert.state, alert.alert_id))
            self._prune(session, at)
            seen = figures(connection, self.given.bounds, at, self._began_at)
            free_mb, least_mb = self._disk.free_mb(), self._disk.min_free_mb
            words = judged(replace(seen, free_mb=free_mb, least_free_mb=least_mb), self.given.bounds)
            self._change(session, words, stamp_of(at))
            untold = [_alert(row) for row in session.run(sql.SELECT_UNTOLD_ALERTS)]
            self.seen = self._seen(session, seen)
        self._told = []
        self._wait_s = LOOK_S
        self._next_look = self._clock() + LOOK_S
        return untold

    def _seen(self, session: Session, figures: Figures) -> Seen:
        return Seen(
            open_alerts=len(session.run(sql.SELECT_OPEN_ALERTS).all()),
            expected_accuracy=trusted_accuracy(figures, self.given.bounds),
            canary_latency_s=max(figures.latencies_s.values(), default=None),
        )

    def told(self, alert: Alert) -> None:
        """Remember that an alert was published; until the next look it may be told again after a crash."""
        self._told.append(alert)

    def _change(self, session: Session, words: list[Judgement], at: str) -> None:
        standing = {(row.rule, row.subject): row.alert_id for row in session.run(sql.SELECT_OPEN_ALERTS)}
        for word in words:
            alert_id = standing.pop(word.key, None)
            self._unjudged_since.pop(word.key, None)
            if word.bad and alert_id is None:
                _open(session, word, at)
            elif alert_id is not None and self._is_over(word):
                session.run(sql.CLOSE_ALERT, (at, f"; then {word.detail}", alert_id))
        for key, alert_id in standing.items():
            if self._has_lasted(self._unjudged_since, key, UNJUDGED_S):
                session.run(sql.CLOSE_ALERT, (at, f"; {UNJUDGED}", alert_id))

    def _is_over(self, word: Judgement) -> bool:
        """Tell whether an alert's cause has been gone for as long as it must."""
        if word.bad:
            self._well_since.pop(word.key, None)
            return False
        return self._has_lasted(self._well_since, word.key, self.given.bounds.cooldown_s)

    def _has_lasted(self, since: dict[Key, float], key: Key, seconds: float) -> bool:
        """Tell whether something has been so for so long; forget it then."""
        now = self._clock()
        if now - since.setdefault(key, now) < seconds:
            return False
        del since[key]
        return True

    def _prune(self, session: Session, at: datetime) -> None:
        """Forget some pixels; look again soon where there were more."""
        if self._clock() >= self._next_prune:
            before = stamp_of(at - timedelta(days=self.given.keep_pixels_days))
            more = prune_pixels(session, before) == PRUNED_AT_ONCE
            self._next_prune = self._clock() + (0.0 if more else PRUNE_S)


def _open(session: Session, word: Judgement, at: str) -> None:
    name = f"{word.rule}-{at.replace('-', '').replace(':', '')[:15]}Z-{secrets.token_hex(4)}"
    values = (name, word.rule, word.subject, "open", word.value, word.bound, word.detail, at, word.job_id)
    session.run(sql.INSERT_ALERT, values)


def _alert(row: Any) -> Alert:
    return Alert(
        alert_id=row.alert_id,
        rule=row.rule,
        subject=row.subject,
        state=row.state,
        value=row.value,
        bound=row.bound,
        detail=row.detail,
        opened_at=row.opened_at,
        closed_at=row.closed_at or "",
        job_id=row.job_id,
    )
