"""The agent's loop: one thread that decides everything; others only read files, watch, and carry messages.

Each turn takes what came in, makes durable what must be, publishes it, and reads no more files than the
window has room for. After a crash the ledger brings back whatever was on its way.
"""

import contextlib
import time
from types import TracebackType
from typing import Self

from broker.connection import Delivery
from broker.errors import MessageError, Unreachable
from broker.line import Line
from broker.live_settings import Live
from broker.messages import ModelAnnouncement, Receipt, Status, decode
from broker.places import Ignored, relative_path
from broker.settings import Settings
from ingest_agent.canary import Canary
from ingest_agent.figures import AgentFigures
from ingest_agent.findings import Refused, Result, Taken, WorldTrouble
from ingest_agent.finishing import LOOK_S, Finishing
from ingest_agent.gathering import Gathering
from ingest_agent.hints import Hints
from ingest_agent.inbox import Inbox
from ingest_agent.intake import Intake, Sources
from ingest_agent.job import Job
from ingest_agent.jobs import Jobs
from ingest_agent.ledger import Ledger, LedgerTrouble
from ingest_agent.ledger_schema import ledger_path
from ingest_agent.live import LIVE, take_over
from ingest_agent.lock import Lock
from ingest_agent.outbox import Outbox
from ingest_agent.oversight import Oversight
from ingest_agent.post import InboxPost
from ingest_agent.pruning import Pruner
from ingest_agent.readers import Readers, preparers
from ingest_agent.reading import Stat
from ingest_agent.resend import RoundTrip
from ingest_agent.results_desk import ResultsDesk
from ingest_agent.rounds import Rounds
from ingest_agent.scanner import Walk
from ingest_agent.specs import InputSpecs
from ingest_agent.waiting import Patience
from ingest_agent.watcher import Watcher
from ingest_agent.window import Window

RECEIVE_LIMIT = 256
IDLE_S = 0.5
SPEC_WAIT_S = 1.0
PROGRESS_S = 0.5
STATUS_S = 2.0
PROGRESS_MESSAGES = 50


class Agent:
    """One source's agent; a context manager around its loop `run`."""

    def __init__(self, settings: Settings, line: Line) -> None:
        own = settings.ingest_agent
        self._own = own
        self._line = line
        self._inbox = Inbox(own.inbox)
        self._specs = InputSpecs(settings.model.bundle)
        self._canary = Canary(line, own.source, own.canary_s)
        path = ledger_path(settings.paths.state, own.source)
        self._lock = Lock(path.with_suffix(".lock"))
        self._ledger = Ledger(path)
        self._jobs = Jobs(own.source, self._ledger)
        figures = AgentFigures(line.metrics)
        window = Window(own.window, RoundTrip(own.resend_min_s, own.resend_max_s))
        self._outbox = Outbox(line, self._ledger, self._jobs, window, own.source, self, figures)
        self._gathering = Gathering(line, own, self._jobs, self._outbox, figures)
        self._hints = Hints(line.wake)
        ignored = Ignored(own.ignore)
        rounds = Rounds(lambda start: Walk(self._inbox.path, ignored, start), own.rescan_s)
        self._readers = Readers(
            self._inbox.path, preparers(own), line.wake, hard_links=own.hard_links == "read"
        )
        sources = Sources(self._inbox, self._hints, rounds, ignored)
        patience = Patience(own.settle_s, own.give_up_s)
        self._intake = Intake(sources, self._readers, self._ledger, self._jobs, patience)
        self._post = InboxPost(
            own, line, self._inbox, self._hints, Watcher(self._hints), self._intake, self._jobs
        )
        self._results = ResultsDesk(line, self._ledger, self._inbox)
        self._finishing = Finishing(
            own, self._jobs, self._intake, self._gathering, self._outbox, self._results
        )
        self._oversight = Oversight(line, self._readers, self._gathering, self._outbox, figures)
        self._pruner = Pruner(self._ledger, self._inbox)
        self._connections = 0
        # The announcement is retained and comes right after the connection: it is given a moment.
        self._next = {"spec": time.monotonic() + SPEC_WAIT_S}
        self._said: dict[str, object] = {}
        line.live = Live(LIVE, self._take_over)

    def __enter__(self) -> Self:
        """Take in what the ledger holds, for as long as that takes on a full or a read-only disk."""
        while not self._line.stopping:
            try:
                self._restore()
            except OSError as error:
                self._ledger.__exit__(None, None, None)
                self._line.begin("ledger-trouble", str(error))
                for delivery in self._line.receive(limit=RECEIVE_LIMIT, timeout_s=IDLE_S):
                    self._receive(delivery)
                self._line.pause(IDLE_S)
            else:
                self._line.end("ledger-trouble", "the ledger is open")
                break
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop watching and reading; what was not sent is in the ledger or still in the inbox."""
        self._post.stop()
        self._readers.stop()
        self._results.stop()
        self._outbox.stop()
        self._ledger.__exit__(kind, error, trace)
        self._lock.__exit__(kind, error, trace)

    def _restore(self) -> None:
        """Take the lock, open the ledger and take in what it holds; done again it does no harm."""
        self._lock.__enter__()
        self._ledger.__enter__()
        self._ledger.count_sent_anew()
        self._jobs.restore(self._ledger.open_jobs(), time.monotonic())
        for job, images in self._outbox.restore():
            for name, *version in images:
                self._intake.held[relative_path(job.folder, name)] = Stat(*version)
        self._results.restore()
        self._readers.start()

    def run(self) -> None:
        """Work until the line is asked to stop."""
        if not self._line.stopping:
            self._line.serves(f"watching {self._post.shown}")
        while not self._line.stopping:
            self.turn()

    def turn(self) -> None:
        """Wait for the next thing, then do everything that can be done."""
        wait_s = self._wait_s(time.monotonic())
        for delivery in self._line.receive(limit=RECEIVE_LIMIT, timeout_s=wait_s):
            self._receive(delivery)
        now = time.monotonic()
        if self._line.connections != self._connections:
            self._connections = self._line.connections
            self._outbox.window.reconnected(now)
            self._canary.reconnected(now)
        try:
            self._work(now)
        except LedgerTrouble as error:
            # What was in hand is found again by the next walk; what was sealed waits in the outbox.
            self._line.begin("ledger-trouble", str(error))
            self._intake.rounds.begin_after_trouble(now)
            self._line.pause(IDLE_S)

    def _work(self, now: float) -> None:
        self._post.check(now)
        self._outbox.take_committed(now)
        for result in self._intake.collect(now):
            self._accept(result, now)
        self._gathering.seal(now)
        self._finishing.step(now)
        self._outbox.commit(now)
        self._outbox.send(now)
        if self._may_read(now):
            spec = self._specs.current
            if spec is not None:
                self._intake.feed(spec, len(self._gathering), now)
        self._tick(now)

    def _may_read(self, now: float) -> bool:
        """Whether more files may be read: the window has room, and the world is well."""
        if self._specs.current is None:
            self._ask_for_spec(now)
        return (
            self._specs.current is not None
            and self._connections > 0
            and self._post.is_open
            and not self._outbox.in_trouble
            and self._gathering.has_room
        )

    def _accept(self, result: Result, now: float) -> None:
        match result:
            case Taken():
                self._gathering.take(result, now)
            case Refused():
                self._gathering.refuse(result)
            case WorldTrouble():
                self._post.trouble(result, now)

    # Coming in from the line

    def _receive(self, delivery: Delivery) -> None:
        kind = self._line.topics.kind(delivery.topic)
        try:
            if kind == "receipts":
                self._take_receipt(delivery, decode(Receipt, delivery.payload))
                return
            if kind == "model":
                self._take_model(decode(ModelAnnouncement, delivery.payload))
            elif kind == "status":
                self._take_status(decode(Status, delivery.payload))
        except MessageError as error:
            with contextlib.suppress(Unreachable):
                self._line.reject(delivery, "not-valid", str(error))
            return
        self._line.acknowledge(delivery)

    def _take_receipt(self, delivery: Delivery, receipt: Receipt) -> None:
        if receipt.source == self._canary.source:
            self._canary.returned(receipt, time.monotonic())
            self._line.acknowledge(delivery)
        else:
            self._outbox.take_receipt(delivery, receipt, time.monotonic())

    def _take_model(self, announcement: ModelAnnouncement) -> None:
        now = time.monotonic()
        try:
            if self._specs.announced(announcement):
                self._line.event("info", "input-spec", f"pixels are made for model {announcement.version}")
        except ValueError as error:
            self._line.event("error", "input-spec-wrong", f"model {announcement.version}: {error}")
            return
        self._line.end("no-input-spec", "a model was announced")
        self._canary.may_fly(now)
        self._outbox.window.revived(now, self._own.resend_min_s)

    def _take_status(self, status: Status) -> None:
        """Have what somebody may have lost go out again, for he is on the line again."""
        if status.state == "online" and status.service in {"predictor_service", "store"}:
            self._outbox.window.revived(time.monotonic(), self._own.resend_min_s)

    def _ask_for_spec(self, now: float) -> None:
        if self._is_time("spec", now, IDLE_S):
            if self._specs.from_bundle():
                self._line.end("no-input-spec", f"the bundle of model {self._specs.model} is readable")
            else:
                self._line.begin("no-input-spec", "no model is announced, and no bundle is readable here")

    # Going on from the ledger's answers

    def image_answered(self, folder: bytes, name: bytes) -> None:
        """Let go of an image that the ledger knows from now on."""
        self._intake.release(relative_path(folder, name))

    def job_closed(self, job: Job) -> None:
        """Take leave of a job that has its receipt: overwritten files of its folder get their turn."""
        self._line.event("info", "job-closed", job.summary(), job_id=job.job_id, fields=job.facts())
        if job.revisit:
            self._hints.folder(job.folder)

    # Now and then

    def _tick(self, now: float) -> None:
        if self._is_time("progress", now, PROGRESS_S):
            self._outbox.say_progress(PROGRESS_MESSAGES)
            self._oversight.note_waiting()
        self._canary.step(self._specs.current, now)
        if self._is_time("status", now, STATUS_S):
            self._announce()
            self._oversight.note_figures(self._jobs, self._ledger)
        if self._post.is_open:
            self._pruner.step(self._post.identity, now)

    def _announce(self) -> None:
        window = self._outbox.window
        srtt_s = window.round_trip.srtt_s
        status: dict[str, object] = {
            "in_flight": {"batches": len(window), "images": window.images},
            "jobs_open": len(self._jobs),
            "resent": window.resent,
            "srtt_s": None if srtt_s is None else round(srtt_s, 4),
            "canary": self._canary.state,
            "inbox": self._post.shown,
            "inbox_there": self._post.is_open,
            "model": self._specs.model,
        }
        if status != self._said:
            self._said = status
            self._line.announce(**status)

    def _take_over(self, settings: Settings) -> None:
        """Go on with changed settings."""
        own = self._own = settings.ingest_agent
        take_over(own, self._gathering, self._finishing, self._post, self._canary, self._outbox.window)

    def _is_time(self, what: str, now: float, every_s: float) -> bool:
        if now < self._next.get(what, 0.0):
            return False
        self._next[what] = now + every_s
        return True

    def _wait_s(self, now: float) -> float:
        """Return how long nothing has to be done unless something comes in."""
        may_read = self._may_read(now)
        if may_read and self._intake.has_work(now):
            return 0.0
        waits = [IDLE_S if not self._jobs else LOOK_S]
        if not self._gathering.is_empty:
            waits.append(self._own.linger_ms / 1000)
        file_due = self._intake.waiting.next_due() if may_read else None
        batch_due = self._outbox.window.next_due() if self._line.connected else None
        waits += [at - now for at in (file_due, batch_due) if at is not None]
        return max(0.001, min(waits))
