"""The store's loop: take what waits, write it in one transaction, say so, acknowledge.

Nothing is acknowledged before its commit. An error of the world (disk, lock, database away) is waited out
with the messages kept; an error of a message costs that message alone: it is put aside at its second failure.
"""

import time
from collections.abc import Sequence
from typing import Any, Literal

import sqlalchemy as sa

from broker.connection import Delivery
from broker.errors import MessageError, Unreachable
from broker.line import Line
from broker.live_settings import Live
from broker.messages import (
    Alert,
    Correction,
    JobSummary,
    ModelAnnouncement,
    Receipt,
)
from broker.parting import halves_of
from broker.settings import Monitor, Settings, Store, Upkeep
from store import database, lost, rules, upgrading
from store.disk import Disk
from store.figures import StoreFigures
from store.intake import Item, opened
from store.live import LIVE, bounds_of
from store.lock import StoreLock
from store.monitor import Monitoring, Watch
from store.parts import Part, Trouble, named, rows_of
from store.retention import Retention
from store.schema import REVISION
from store.writer import Outcome, Writer

TAKE = 64
"""Deliveries taken from the line at a time."""

HELD = 256
"""At most so many deliveries are kept, unacknowledged, while the world is not well."""

IDLE_S = 1.0
LOCKED = "database-locked"


class StoreService:
    """The store on the line. `run` returns when the line is to stop."""

    def __init__(
        self, settings: Store, line: Line, bounds: Monitor | None = None, upkeep: Upkeep | None = None
    ) -> None:
        self._settings = settings
        self._upkeep = upkeep or Upkeep()
        self._line = line
        self._path = database.file_of(settings.url)
        self.engine = database.writing_engine(settings)
        self.writer = Writer(self.engine, keep_pixels=settings.keep_pixels_days > 0)
        self.figures = StoreFigures(line, self._path)
        self.disk = Disk(self._path, settings.min_free_mb)
        given = Monitoring(bounds or Monitor(), settings.keep_pixels_days)
        self.watch = Watch(self.engine, self.disk, given)
        self.retention = Retention(settings, self._upkeep)
        self._lock = StoreLock(self._path)
        self.held: list[Item] = []
        self._trouble: Trouble | None = None
        self._model = ""
        line.live = Live(LIVE, self.take_over)

    def run(self) -> None:
        """Open the database and keep the line going until it stops."""
        try:
            self.open()
            if not self._line.stopping:
                self._line.serves(f"writing {database.shown(self._settings.url)}")
            while not self._line.stopping:
                self.step()
        finally:
            self.close()

    def take_over(self, settings: Settings) -> None:
        """Go on with changed settings."""
        own = self._settings = settings.store
        self._upkeep = self.retention.limits = settings.upkeep
        self.disk.min_free_mb = own.min_free_mb
        self.writer.keep_pixels = own.keep_pixels_days > 0
        self.watch.given = Monitoring(bounds_of(settings), own.keep_pixels_days)

    def close(self) -> None:
        """Let go of the database."""
        self.retention.close()
        self.engine.dispose()
        self._lock.__exit__()

    def step(self, timeout_s: float = IDLE_S) -> None:
        """Do what waits, at most one group of it."""
        self._watch_over()
        self._clear_away()
        if not self._well():
            return
        items = self.collect(timeout_s)
        if items:
            self.store(items)

    def open(self) -> None:
        """Bring the schema up to date; what is not the database's own fault is waited out."""
        while not self._line.stopping:
            self._line.health.prepares(self.disk.seconds_to_read(), "checking the database")
            try:
                database.refuse_network(self._path)
                self._lock.__enter__()
                lost.refuse_empty(self._path, self._upkeep.backups)
                before = upgrading.upgrade(self.engine, self._path)
                whole = database.check(self.engine, self._path, self._upkeep.start_check_s)
                self.disk.remember()
            except (sa.exc.SQLAlchemyError, OSError) as error:
                if not self._worldly(error):
                    raise
            else:
                self._recovered()
                self._announce(before, whole=whole)
                return

    def _announce(self, before: str | None, *, whole: bool) -> None:
        self._line.announce(database=database.shown(self._settings.url), schema=REVISION)
        if before != REVISION:
            came = "made" if before is None else f"brought from schema {before}"
            self._line.event("info", "database-ready", f"the database was {came} to schema {REVISION}")
        if not whole:
            looked_s = self._upkeep.start_check_s
            detail = (
                f"no damage found in {looked_s:g} s, which were not enough for all of it: `upkeep` looks on"
            )
            self._line.event("info", "check-unfinished", detail)

    def _watch_over(self) -> None:
        """Judge now and then how all is going, and tell what changed."""
        if not self.watch.due:
            return
        try:
            untold = self.watch.look()
        except Exception as error:  # noqa: BLE001 - whatever it is, the line must not wait for its monitor
            self._line.begin("monitor-failed", f"{type(error).__name__}: {' '.join(str(error).split())}")
            return
        self._line.end("monitor-failed", "the monitor looks again")
        self.figures.looked(self.watch.seen)
        for alert in untold:
            try:
                self._line.publish(self._line.topics.alerts(), alert)
            except Unreachable:
                return  # it is told after the next look
            self.watch.told(alert)
            self._tell(alert)

    def _clear_away(self) -> None:
        """Delete a little of what is too old to keep."""
        if not self.retention.due:
            return
        try:
            gone = self.retention.step()
        except Exception as error:  # noqa: BLE001 - as with the monitor: the line must not wait for it
            detail = f"{type(error).__name__}: {' '.join(str(error).split())}"
            self._line.begin("retention-failed", detail)
            return
        self._line.end("retention-failed", "old rows are deleted again")
        if gone:
            self._line.event("info", "retention", f"deleted, since too old to keep: {gone}")

    def _tell(self, alert: Alert) -> None:
        opened = alert.state == "open"
        detail = f"{alert.rule}: {alert.detail}"
        level: Literal["warning", "info"] = "warning" if opened else "info"
        self._line.event(level, "alert" if opened else "alert-over", detail, job_id=alert.job_id)

    def _well(self) -> bool:
        """Look at the disk; wait a moment and return False when there is too little room to take anything."""
        try:
            complaint = self.disk.complaint()
        except OSError as error:
            self._worldly(error)
            return False
        if complaint:
            self._line.begin("disk-low", complaint)
            self._wait(IDLE_S)
            return False
        self._line.end("disk-low", "there is room again")
        return True

    def collect(self, timeout_s: float) -> list[Item]:
        """Return what waits: at once, bounded by rows and by the time that collecting may take."""
        items = list(self.held)
        self.held.clear()
        if not items:
            items = self._take(timeout_s)
        deadline = time.monotonic() + self._settings.group_ms / 1000
        while rows_of(items) < self._settings.group_rows and time.monotonic() < deadline:
            found = self._take(0.0)
            if not found:
                break
            items += found
        return items

    def _take(self, timeout_s: float) -> list[Item]:
        found = []
        for delivery in self._line.receive(limit=TAKE, timeout_s=timeout_s):
            try:
                found.append(opened(delivery, self._line.topics))
            except MessageError as error:
                self._put_aside(delivery, "invalid", str(error))
        return found

    def store(self, items: Sequence[Item]) -> None:
        """Write all items, however long the world needs; only a stop amid a trouble ends it early."""
        self._note_waiting(items)
        parts = [Part(list(items))]
        while parts and not (self._trouble and self._line.stopping):
            part = parts.pop()
            try:
                began = time.monotonic()
                outcome = self._write(part)
                self.figures.committed(part.items, outcome, time.monotonic() - began)
            except Exception as error:  # noqa: BLE001 - the outermost loop: no message may stop or loop the line
                waited = not database.unclear(error) and self._worldly(error)
                parts += [part] if waited else self._divided(part, error)
            else:
                self._recovered()
                self._say(part.items, outcome)
            self._line.turned()
        self._note_waiting(self.held)

    def _note_waiting(self, items: Sequence[Item]) -> None:
        """Note since when the oldest message in hand has waited."""
        self._line.health.waiting_since = min((item.delivery.arrived for item in items), default=None)

    def _write(self, part: Part) -> Outcome:
        if self.disk.replaced():
            self._line.event(
                "warning", "database-replaced", f"another file stands at {self._path}: opening it"
            )
            self.engine.dispose()
            self.open()
        return self.writer.write([item.message for item in part.items])

    def _divided(self, part: Part, error: Exception) -> list[Part]:
        """Return what to try again, the first last; a message that failed twice, now alone, is put aside."""
        middle = len(part.items) // 2
        if middle:
            return [Part(part.items[middle:], 1), Part(part.items[:middle], 1)]
        if not part.failures:
            return [Part(part.items, 1)]
        item = part.items[0]
        self._put_aside(item.delivery, "poison", f"{type(error).__name__}: {error}", **named(item.message))
        return []

    def _put_aside(self, delivery: Delivery, reason: str, detail: str, **batch: Any) -> None:
        if self._line.topics.kind(delivery.topic) == "rejects" and reason == "poison":
            # It has been put aside once: doing it again would go round for ever.
            self._line.event("error", "reject-lost", f"{delivery.topic}: {detail}")
            self._line.acknowledge(delivery)
            return
        try:
            self._line.reject(delivery, reason, detail, **batch)
        except Unreachable:
            return  # the broker still has the message, and gives it again

    def _say(self, items: Sequence[Item], outcome: Outcome) -> None:
        """Publish what was committed, then acknowledge. Receipts that get lost are asked for again."""
        topics = self._line.topics
        for receipt in outcome.receipts:
            self._publish(topics.receipts(receipt.source), receipt)
        for summary in outcome.summaries:
            self._publish(topics.summaries(summary.source), summary)
        for correction in outcome.corrections:
            self._publish(topics.corrections(correction.source), correction)
        for summary in outcome.flagged:
            detail = (
                f"{summary.folder or summary.source}: {', '.join(summary.flags)} of {summary.stored} images"
            )
            self._line.event("warning", "one-class-job", detail, job_id=summary.job_id)
        for item in items:
            if isinstance(item.message, ModelAnnouncement):
                self._tell_unknown(item.message)
        for place, item in enumerate(items):
            if place in outcome.foreign:
                self._put_aside(item.delivery, "invalid", outcome.foreign[place])
            else:
                self._line.acknowledge(item.delivery)

    def _tell_unknown(self, model: ModelAnnouncement) -> None:
        """Name the classes with a bound that this model does not have, once; each predictor announces it."""
        if model.version == self._model:
            return
        self._model = model.version
        if unknown := rules.unknown_classes(model.classes, self.watch.given.bounds):
            detail = f"[monitor] class_accuracy: {model.version} has no class {', '.join(unknown)}"
            known = f"it has {', '.join(model.classes)}"
            self._line.event("warning", "class-accuracy-unknown", f"{detail}; {known}")

    def _publish(self, topic: str, message: Receipt | JobSummary | Correction) -> None:
        try:
            self._line.publish(topic, message)
        except Unreachable:
            return
        except MessageError as error:
            halves = halves_of(message)
            for half in halves:
                self._publish(topic, half)
            if not halves:
                self._line.event("error", "receipt-too-large", str(error), job_id=message.job_id)

    def _worldly(self, error: Exception) -> bool:
        """Tell whether an error is the world's; if so say it once, and wait before the next try."""
        word = database.trouble(error)
        if word is None:
            return False
        self._trouble = self._trouble or Trouble()
        if word != LOCKED or self._trouble.lasted_s >= self._settings.busy_timeout_s:
            hint = f"; {database.WHAT_TO_DO}" if word == "database-damaged" else ""
            self._line.begin(word, f"{' '.join(str(error).split())}: waiting{hint}")
        if word not in {LOCKED, "disk-full"}:
            self.engine.dispose()  # a connection may remember that it could only read
        self._wait(self._trouble.next_wait_s())
        return True

    def _recovered(self) -> None:
        if self._trouble is not None:
            self._trouble = None
            for word in sorted(database.TROUBLES):
                self._line.end(word, "the database is well again")

    def _wait(self, seconds: float) -> None:
        """Wait, but hear what the connection has to tell; what comes meanwhile is kept, up to a bound."""
        deadline = time.monotonic() + seconds
        while not self._line.stopping and (left_s := deadline - time.monotonic()) > 0:
            if len(self.held) < HELD and rows_of(self.held) < self._settings.group_rows:
                self.held += self._take(left_s)
                self._note_waiting(self.held)
            else:
                self._line.pause(left_s)
