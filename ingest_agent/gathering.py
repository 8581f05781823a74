"""What was read gathers here, by job, until it is sealed into batches, as far as the window has room."""

from collections import deque

from broker.line import Line
from broker.names import is_too_long, text_of
from broker.places import folder_and_name
from broker.settings import IngestAgent
from ingest_agent.batching import Builder, Limits
from ingest_agent.figures import AgentFigures
from ingest_agent.findings import Refused, Taken
from ingest_agent.grouping import Sealed
from ingest_agent.job import Job
from ingest_agent.jobs import Jobs
from ingest_agent.outbox import Outbox
from ingest_agent.sealing import seal_failure, seal_pixels, wire_name

REFUSED_KEPT = 256


class Gathering:
    """The batches in the making, and the files that were refused."""

    def __init__(
        self, line: Line, own: IngestAgent, jobs: Jobs, outbox: Outbox, figures: AgentFigures
    ) -> None:
        self._line = line
        self.own = own
        """The settings in force."""
        self._figures = figures
        self._jobs = jobs
        self._outbox = outbox
        self._builders: dict[int, tuple[Job, Builder]] = {}
        self._full: deque[tuple[Job, Builder]] = deque()
        self._refused: deque[Refused] = deque()
        self._limits = Limits(own.batch_images, own.linger_ms / 1000)

    def __len__(self) -> int:
        """How many images wait in batches that are not sealed."""
        return sum(len(builder) for _, builder in (*self._builders.values(), *self._full))

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits for its linger time."""
        return not self._builders

    @property
    def has_room(self) -> bool:
        """Whether more should be read: the window has room for more batches than are in the making."""
        in_the_making = len(self._builders) + len(self._full)
        return self._outbox.room() > in_the_making and len(self._refused) < REFUSED_KEPT

    def holds_refused(self, folder: bytes) -> bool:
        """Tell whether refused files of a folder wait for room; its job counts all else that is here."""
        return any(folder_and_name(refused.relative)[0] == folder for refused in self._refused)

    def take(self, taken: Taken, now: float) -> None:
        """Put an image into its job's batch."""
        folder, name = folder_and_name(taken.relative)
        text = text_of(name)
        version = taken.pixels.stat
        if is_too_long(text):
            detail = f"The name has {len(text):,} characters; a message takes fewer."
            self.refuse(Refused(taken.relative, "name-too-long", detail, version))
            return
        job = self._job(folder, taken.began, now)
        builder = self._builder(job, taken, text, now)
        builder.add(text, (name, *version), taken.pixels.pixels)
        builder.took(taken.pixels.read_s, taken.pixels.prepare_s)

    def refuse(self, refused: Refused) -> None:
        """Take in a file that is no usable image."""
        self._refused.append(refused)

    def _job(self, folder: bytes, began: float, now: float) -> Job:
        """Return the folder's open job, with one more image seen."""
        job, is_new = self._jobs.open_for(folder, began)
        if is_new:
            shown = text_of(folder) or "(loose files)"
            said = {"folder": shown}
            self._line.event("info", "job-opened", f"folder={shown}", job_id=job.job_id, fields=said)
        job.seen += 1
        self._figures.seen.inc()
        job.latest_seen = now
        self._jobs.changed.add(job.number)
        return job

    def _builder(self, job: Job, taken: Taken, text: str, now: float) -> Builder:
        _, builder = self._builders.get(job.number, (job, None))
        if builder is not None and (builder.spec is not taken.spec or not builder.fits(text, self._limits)):
            self._full.append((job, builder))
            builder = None
        if builder is None:
            builder = Builder(taken.spec, now)
            self._builders[job.number] = (job, builder)
        return builder

    def seal(self, now: float) -> None:
        """Turn what gathered long enough into batches, as far as the window has room."""
        packet_bytes = self._line.capabilities.maximum_packet_size
        self._limits = Limits(self.own.batch_images, self.own.linger_ms / 1000, packet_bytes)
        room = self._outbox.room()
        while self._full and room > 0:
            self._seal(*self._full.popleft(), now)
            room -= 1
        ripe = [job for job, builder in self._builders.values() if builder.is_ripe(now, self._limits)]
        for job in ripe[: max(0, room)]:
            self._seal(*self._builders.pop(job.number), now)
            room -= 1
        while self._refused and room > 0:
            self._seal_refused(self._refused.popleft(), now)
            room -= 1

    def _seal(self, job: Job, builder: Builder, now: float) -> None:
        wait_s = now - builder.began
        batch = seal_pixels(self.own.source, job, builder, wait_s)
        self._outbox.seal(Sealed(batch, job, builder.names, builder.read_s, builder.prepare_s, wait_s))

    def _seal_refused(self, refused: Refused, now: float) -> None:
        folder, name = folder_and_name(refused.relative)
        job = self._job(folder, now, now)
        image = (name, *refused.stat)
        batch = seal_failure(self.own.source, job, image, refused.reason, refused.detail)
        self._outbox.seal(Sealed(batch, job, [wire_name(name)]))
        shown, reason, why = wire_name(refused.relative), refused.reason, refused.detail
        self._line.event(
            "warning",
            "image-failed",
            f"{shown}: {reason}: {why}",
            job_id=job.job_id,
            batch_id=batch.batch_id,
            fields={"image": shown, "reason": reason, "detail": why},
        )
