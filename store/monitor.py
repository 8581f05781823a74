"""Alerts: each opens once, with its rule, value and bound, and closes once, when its cause has been gone."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from broker.messages import Alert
from broker.settings import Monitor
from store import statements as sql
from store.disk import Disk
from store.pixels import prune_pixels
from store.rules import Judgement, judged
from store.statements import Session
from store.times import stamp_of
from store.window import figures

LOOK_S = 5.0
"""Seconds between two looks: a look reads a few hundred rows."""

PRUNE_S = 3600.0

Key = tuple[str, str]


@dataclass(frozen=True)
class Monitoring:
    """What the monitor is told: its bounds, and how long pixels are kept."""

    bounds: Monitor
    keep_pixels_days: float


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
        self._given = given
        self._clock = clock
        self._next_look = clock() + LOOK_S
        self._next_prune = clock()
        self._well_since: dict[Key, float] = {}

    @property
    def due(self) -> bool:
        """Whether it is time to look again."""
        return self._clock() >= self._next_look

    def look(self, at: datetime | None = None) -> list[Alert]:
        """Judge, write the alerts that open or close, forget old pixels; return those alerts.

        Raises what the driver raises, and OSError for the disk.
        """
        self._next_look = self._clock() + LOOK_S
        at = at or datetime.now(UTC)
        with self._engine.begin() as connection:
            session = Session(connection)
            self._prune(session, at)
            seen = figures(connection, self._given.bounds, at)
            free_mb, least_mb = self._disk.free_mb(), self._disk.min_free_mb
            words = judged(replace(seen, free_mb=free_mb, least_free_mb=least_mb), self._given.bounds)
            return self._changes(session, words, stamp_of(at))

    def _changes(self, session: Session, words: list[Judgement], at: str) -> list[Alert]:
        standing = {(row.rule, row.subject): row for row in session.run(sql.SELECT_OPEN_ALERTS).all()}
        changed = []
        for word in words:
            row = standing.get(word.key)
            if word.bad and row is None:
                changed.append(_opened(session, word, at))
            elif row is not None and self._is_over(word):
                changed.append(_closed(session, word, row, at))
        return changed

    def _is_over(self, word: Judgement) -> bool:
        """Tell whether an alert's cause has been gone for as long as it must."""
        if word.bad:
            self._well_since.pop(word.key, None)
            return False
        now = self._clock()
        if now - self._well_since.setdefault(word.key, now) < self._given.bounds.cooldown_s:
            return False
        del self._well_since[word.key]
        return True

    def _prune(self, session: Session, at: datetime) -> None:
        if self._clock() >= self._next_prune:
            self._next_prune = self._clock() + PRUNE_S
            prune_pixels(session, stamp_of(at - timedelta(days=self._given.keep_pixels_days)))


def _opened(session: Session, word: Judgement, at: str) -> Alert:
    name = f"{word.rule}-{at.replace('-', '').replace(':', '')[:15]}Z-{secrets.token_hex(4)}"
    alert = Alert(
        alert_id=name,
        rule=word.rule,
        subject=word.subject,
        state="open",
        value=word.value,
        bound=word.bound,
        detail=word.detail,
        opened_at=at,
        job_id=word.job_id,
    )
    values = (name, word.rule, word.subject, "open", word.value, word.bound, word.detail, at, word.job_id)
    session.run(sql.INSERT_ALERT, values)
    return alert


def _closed(session: Session, word: Judgement, row: sa.Row[tuple[str, ...]], at: str) -> Alert:
    session.run(sql.CLOSE_ALERT, (at, row.alert_id))
    return Alert(
        alert_id=row.alert_id,
        rule=word.rule,
        subject=word.subject,
        state="closed",
        value=word.value,
        bound=word.bound,
        detail=word.detail,
        opened_at=row.opened_at,
        closed_at=at,
        job_id=row.job_id,
    )
