"""The agent's loop: one thread that decides everything; others only read files, watch, and carry messages.

Each turn takes what came in, makes durable what must be, publishes it, and reads no more files than the
window has room for. After a crash the ledger brings back whatever was on its way.
"""

import os
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from broker.connection import Delivery
from broker.errors import MessageError
from broker.line import Line
from broker.messages import ModelAnnouncement, Receipt, Status, decode
from broker.settings import Settings
from ingest_agent.batching import Builder, Limits
from ingest_agent.canary import Canary
from ingest_agent.hints import Hints
from ingest_agent.inbox import Inbox
from ingest_agent.intake import Intake, Refused, Result, Taken, WorldTrouble
from ingest_agent.job import Job
from ingest_agent.jobs import Jobs
from ingest_agent.ledger import Ledger, LedgerTrouble, NamedStat
from ingest_agent.ledger_schema import ledger_path
from ingest_agent.lock import Lock
from ingest_agent.names import is_too_long, text_of
from ingest_agent.outbox import Outbox, new_batch_id, wire_name
from ingest_agent.places import Ignored, folder_and_name, relative_path
from ingest_agent.post import InboxPost
from ingest_agent.pruning import Pruner
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
PROGRESS_S = 0.5
STATUS_S = 2.0
CLOSE_LOOK_S = 0.1
REFUSED_KEPT = 256
PROGRESS_MESSAGES = 50
READ_AHEAD_IMAGES = 512


class Agent:
    """One source's agent; a context manager around its loop `run`."""

    def __init__(self, settings: Settings, line: Line) -> None:
        own = settings.ingest_agent
        self._own = own
        self._line = line
        self._source = own.source
        self._ledger = Ledger(ledger_path(settings.paths.state, own.source))
        self._jobs = Jobs(own.source, self._ledger)
        self._inbox = Inbox(own.inbox)
        self._specs = InputSpecs(settings.model.bundle)
        self._canary = Canary(line, own.source, own.canary_s)
        window = Window(own.window, RoundTrip(own.resend_min_s, own.resend_max_s))
        self._outbox = Outbox(line, self._ledger, self._jobs, window, own.source, self)
        self._hints = Hints(line.wake)
        ignored = Ignored(own.ignore)
        rounds = Rounds(lambda start: Walk(self._inbox.path, ignored, start), own.rescan_s)
        self._pool = ThreadPoolExecutor(own.readers, thread_name_prefix="reader")
        self._intake = Intake(
            inbox=self._inbox,
            ledger=self._ledger,
            jobs=self._jobs,
            hints=self._hints,
            ignored=ignored,
            patience=Patience(own.settle_s, own.give_up_s),
            rounds=rounds,
            pool=self._pool,
            wake=line.wake,
        )
        self._post = InboxPost(
            own, line, self._inbox, self._hints, Watcher(self._hints), self._intake, self._jobs
        )
        self._results = ResultsDesk(line, self._ledger, self._inbox)
        self._pruner = Pruner(self._ledger, self._inbox)
        self._lock = Lock(ledger_path(settings.paths.state, own.source).with_suffix(".lock"))
        self._builders: dict[int, tuple[Job, Builder]] = {}
        self._full: deque[tuple[Job, Builder]] = deque()
        self._refused: deque[Refused] = deque()
        self._finishing: dict[int, Job] = {}
        self._connections = 0
        self._next: dict[str, float] = {}
        self._said_status: dict[str, object] = {}

    def __enter__(self) -> Self:
        """Open the ledger and take in what it holds."""
        self._lock.__enter__()
        self._ledger.__enter__()
        now = time.monotonic()
        self._jobs.restore(self._ledger.open_jobs(), now)
        for job, images in self._outbox.restore():
            for name, *version in images:
                self._intake.held[relative_path(job.folder, name)] = Stat(*version)
        self._results.restore()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop watching and reading; what was not sent is in the ledger or still in the inbox."""
        self._post.stop()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._results.stop()
        self._ledger.__exit__(kind, error, trace)
        self._lock.__exit__(kind, error, trace)

    def run(self) -> None:
        """Work until the line is asked to stop."""
        while not self._line.stopping:
            self.turn()

    def turn(self) -> None:
        """Do everything that can be done now, then wait for the next thing."""
        wait_s = self._wait_s(time.monotonic())
        for delivery in self._line.receive(limit=RECEIVE_LIMIT, timeout_s=wait_s):
            self._receive(delivery)
        now = time.monotonic()
        self._notice_connection(now)
        try:
            self._post.check(now)
            self._work(now)
        except LedgerTrouble as error:
            # What was in hand is found again by the next walk; what was sealed waits in the outbox.
            self._line.begin("ledger-trouble", str(error))
            self._intake.rounds.begin(now + IDLE_S, set())
            self._line.pause(IDLE_S)

    def _work(self, now: float) -> None:
        for result in self._intake.collect(now):
            self._accept(result, now)
        self._seal(now)
        self._close_jobs(now)
        self._outbox.commit(now)
        self._outbox.send(now)
        self._feed(now)
        self._tick(now)

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
            self._line.reject(delivery, "not-valid", str(error))
            return
        self._line.acknowledge(delivery)

    def _take_receipt(self, delivery: Delivery, receipt: Receipt) -> None:
        if receipt.source == self._canary.source:
            self._canary.returned(receipt, time.monotonic())
            self._line.acknowledge(delivery)
        else:
            self._outbox.take_receipt(delivery, receipt)

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
        """Somebody of the line is there again: what he may have lost goes out again."""
        if status.state == "online" and status.service in {"predictor_service", "store"}:
            self._outbox.window.revived(time.monotonic(), self._own.resend_min_s)

    def _notice_connection(self, now: float) -> None:
        if self._line.connections != self._connections:
            self._connections = self._line.connections
            self._outbox.window.reconnected(now)

    # From files to batches

    def _feed(self, now: float) -> None:
        spec = self._specs.current
        if spec is None:
            self._ask_for_spec(now)
        elif self._has_room:
            gathered = sum(len(builder) for _, builder in self._builders.values())
            self._intake.feed(spec, max(READ_AHEAD_IMAGES, 2 * self._own.batch_images) - gathered, now)

    @property
    def _has_room(self) -> bool:
        """Whether more files may be read: the window has room, and the world is well."""
        return (
            self._outbox.room() > len(self._builders) + len(self._full)
            and len(self._refused) < REFUSED_KEPT
            and self._post.is_open
            and self._connections > 0
            and not self._outbox.in_trouble
        )

    def _ask_for_spec(self, now: float) -> None:
        if self._is_time("spec", now, IDLE_S):
            if self._specs.from_bundle():
                self._line.end("no-input-spec", f"the bundle of model {self._specs.model} is readable")
            else:
                self._line.begin("no-input-spec", "no model is announced, and no bundle is readable here")

    def _accept(self, result: Result, now: float) -> None:
        match result:
            case Taken():
                self._gather(result, now)
            case Refused():
                self._refused.append(result)
            case WorldTrouble():
                self._post.trouble(result, now)

    def _gather(self, taken: Taken, now: float) -> None:
        folder, name = folder_and_name(taken.relative)
        text = text_of(name)
        version = taken.pixels.stat
        if is_too_long(text):
            detail = f"The name has {len(text):,} characters; a message takes fewer."
            self._refused.append(Refused(taken.relative, "name-too-long", detail, version))
            return
        job = self._job(folder, taken.began, now)
        job.seen += 1
        builder = self._builder(job, taken, text)
        builder.add(text, (name, *version), taken.pixels.pixels)
        builder.took(taken.pixels.read_s, taken.pixels.prepare_s)

    def _job(self, folder: bytes, began: float, now: float) -> Job:
        job, is_new = self._jobs.open_for(folder, began)
        if is_new:
            shown = text_of(folder) or "(loose files)"
            self._line.event("info", "job-opened", f"folder={shown}", job_id=job.job_id)
        job.latest_seen = now
        self._jobs.changed.add(job.number)
        return job

    def _builder(self, job: Job, taken: Taken, text: str) -> Builder:
        _, builder = self._builders.get(job.number, (job, None))
        if builder is not None and (builder.spec != taken.spec or not builder.fits(text, self._limits())):
            self._full.append((job, builder))
            builder = None
        if builder is None:
            builder = Builder(taken.spec, taken.began)
            self._builders[job.number] = (job, builder)
        return builder

    def _limits(self) -> Limits:
        packet_bytes = self._line.capabilities.maximum_packet_size
        return Limits(self._own.batch_images, self._own.linger_ms / 1000, packet_bytes)

    def _seal(self, now: float) -> None:
        """Turn what gathered long enough into batches, as far as the window has room."""
        limits = self._limits()
        room = self._outbox.room()
        while self._full and room > 0:
            self._outbox.seal_pixels(*self._full.popleft(), now)
            room -= 1
        for number in [n for n, (_, builder) in self._builders.items() if builder.is_ripe(now, limits)]:
            if room <= 0:
                return
            job, builder = self._builders.pop(number)
            self._outbox.seal_pixels(job, builder, now)
            room -= 1
        while self._refused and room > 0:
            self._seal_refused(self._refused.popleft(), now)
            room -= 1

    def _seal_refused(self, refused: Refused, now: float) -> None:
        folder, name = folder_and_name(refused.relative)
        job = self._job(folder, now, now)
        job.seen += 1
        image: NamedStat = (name, *refused.stat)
        self._outbox.seal_failure(job, image, refused.reason, refused.detail)
        detail = f"{wire_name(refused.relative)}: {refused.reason}: {refused.detail}"
        self._line.event("warning", "image-failed", detail, job_id=job.job_id)

    # Jobs come to their end

    def _close_jobs(self, now: float) -> None:
        if self._is_time("close", now, CLOSE_LOOK_S):
            for job in self._jobs:
                if self._is_done(job, now):
                    self._finishing[job.number] = job
                    self._results.ask(job.folder, now)
        for folder in self._results.step(now):
            for number, job in list(self._finishing.items()):
                if job.folder == folder:
                    del self._finishing[number]
                    if self._is_done(job, now):
                        self._jobs.closing(job)
                        self._outbox.seal_closing(job)

    def _is_done(self, job: Job, now: float) -> bool:
        return (
            job.state == "open"
            and job.number not in self._finishing
            and job.is_complete
            and now >= job.quiet_at(self._own.quiet_s)
            and self._intake.is_calm(job.folder, now)
        )

    def image_answered(self, folder: bytes, name: bytes) -> None:
        """Let go of an image that the ledger knows from now on."""
        self._intake.release(relative_path(folder, name))

    def job_closed(self, job: Job) -> None:
        """Take leave of a job that has its receipt: overwritten files of its folder get their turn."""
        self._line.event("info", "job-closed", job.summary(), job_id=job.job_id)
        if job.revisit:
            self._hints.folder(job.folder)

    # Now and then

    def _tick(self, now: float) -> None:
        if self._is_time("progress", now, PROGRESS_S):
            self._outbox.say_progress(PROGRESS_MESSAGES)
        self._canary.step(self._specs.current, new_batch_id(), now)
        if self._is_time("status", now, STATUS_S):
            self._announce()
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
            "inbox": os.fsdecode(self._inbox.path),
            "model": self._specs.model,
        }
        if status != self._said_status:
            self._said_status = status
            self._line.announce(**status)

    def _is_time(self, what: str, now: float, every_s: float) -> bool:
        if now < self._next.get(what, 0.0):
            return False
        self._next[what] = now + every_s
        return True

    def _wait_s(self, now: float) -> float:
        """Return how long nothing has to be done unless something comes in."""
        if self._specs.current is not None and self._has_room and self._intake.has_work:
            return 0.02 if self._intake.in_reading else 0.0
        wait_s = IDLE_S if not self._jobs else CLOSE_LOOK_S
        if self._builders:
            wait_s = min(wait_s, max(0.001, self._own.linger_ms / 1000))
        due = self._intake.waiting.next_due()
        return max(0.0, wait_s if due is None else min(wait_s, due - now))
