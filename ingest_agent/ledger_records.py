"""What goes into the ledger and comes out of it: plain values, durable together in one `Transaction`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from ingest_agent.reading import Stat

Kind = Literal["pixels", "failure", "job"]
NamedStat = tuple[bytes, int, int, int, int]
"""An image's name within its folder, size, mtime_ns, inode and digest."""


@dataclass(frozen=True)
class NewJob:
    """A job's first appearance; `path` is its folder, `root` the inbox's identity."""

    number: int
    job_id: str
    folder: int
    path: bytes
    root: str
    opened_at: str


@dataclass(frozen=True)
class NewBatch:
    """A batch that must be durable before it goes out."""

    batch_id: str
    kind: Kind
    job: int
    images: Sequence[NamedStat]
    payload: bytes


@dataclass(frozen=True, slots=True)
class AnsweredImage:
    """What stands in the database for one image; `label` None for a failure, with the reason in `note`."""

    image: NamedStat
    label: str | None
    confidence: float | None
    model: str | None
    at_ms: int
    note: str | None


@dataclass(frozen=True)
class Answer:
    """A receipt's content. `done` when nothing of the batch is left without an answer."""

    batch_id: str
    job: int
    folder: int
    images: Sequence[AnsweredImage]
    done: bool

    @property
    def stored(self) -> int:
        """How many of the images have a prediction."""
        return sum(item.label is not None for item in self.images)

    @property
    def failed(self) -> int:
        """How many of the images have a failure."""
        return len(self.images) - self.stored


@dataclass
class JobChange:
    """What to add to a job's counts, and what to set."""

    seen: int = 0
    sent: int = 0
    stored: int = 0
    failed: int = 0
    read_s: float = 0.0
    prepare_s: float = 0.0
    wait_s: float = 0.0
    process_s: float | None = None
    state: str | None = None
    closed_at: str | None = None


@dataclass
class Transaction:
    """Everything that becomes durable together."""

    jobs: list[NewJob] = field(default_factory=list)
    batches: list[NewBatch] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    changes: dict[int, JobChange] = field(default_factory=dict)

    def change(self, job: int) -> JobChange:
        """Return the change of one job, to add to."""
        return self.changes.setdefault(job, JobChange())


@dataclass(frozen=True)
class StoredJob:
    """A job that was not closed when the ledger was opened."""

    number: int
    job_id: str
    folder: int
    path: bytes
    state: str
    opened_at: str
    seen: int
    sent: int
    stored: int
    failed: int
    process_s: float
    read_s: float
    prepare_s: float
    wait_s: float


@dataclass(frozen=True)
class StoredBatch:
    """A batch that was not answered when the ledger was opened."""

    batch_id: str
    kind: Kind
    job: int
    images: Sequence[NamedStat]


@dataclass(frozen=True)
class Known:
    """What the ledger has of a file."""

    stat: Stat
    job: int
