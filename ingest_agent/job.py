"""One dropped folder on its way: what was seen, sent, stored and failed, and when it is done. Pure."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from broker.messages import JobProgress
from broker.names import text_of

State = Literal["open", "closing", "closed"]


def new_job_id(source: str, at: datetime) -> str:
    """Return a name that no other job has: source, time and chance."""
    return f"{source}-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


@dataclass
class Job:
    """A folder's job from its first image to its receipt. Times are monotonic seconds, `_s` durations.

    `registered` tells whether the ledger has it. `revisit` tells that a file was overwritten after it was
    taken, and waits for the folder's next job.
    """

    number: int
    job_id: str
    folder_number: int
    folder: bytes
    opened_at: str
    opened: float
    latest_seen: float
    latest_answer: float
    state: State = "open"
    seen: int = 0
    sent: int = 0
    stored: int = 0
    failed: int = 0
    read_s: float = 0.0
    prepare_s: float = 0.0
    wait_s: float = 0.0
    registered: bool = False
    revisit: bool = False
    root: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether every image that was seen is answered."""
        return self.seen == self.stored + self.failed

    @property
    def process_s(self) -> float:
        """From the first image seen to the last one answered."""
        return max(0.0, self.latest_answer - self.opened)

    def quiet_at(self, quiet_s: float) -> float:
        """Return when the folder will have been quiet for long enough."""
        return self.latest_seen + quiet_s

    def progress(self, source: str, batch_id: str, closed_at: str = "") -> JobProgress:
        """Return the message that says how far the job is."""
        return JobProgress(
            batch_id=batch_id,
            job_id=self.job_id,
            source=source,
            state="closed" if closed_at else "open",
            folder=text_of(self.folder),
            opened_at=self.opened_at,
            seen=self.seen,
            sent=self.sent,
            stored=self.stored,
            failed=self.failed,
            process_s=round(self.process_s, 6),
            closed_at=closed_at,
            timings={
                "read": round(self.read_s, 6),
                "prepare": round(self.prepare_s, 6),
                "wait": round(self.wait_s, 6),
            },
        )

    def facts(self) -> dict[str, str | int | float]:
        """Return what tells the whole job."""
        return {
            "folder": text_of(self.folder) or "(loose files)",
            "seen": self.seen,
            "sent": self.sent,
            "stored": self.stored,
            "failed": self.failed,
            "process_s": round(self.process_s, 3),
            "read_s": round(self.read_s, 3),
            "prepare_s": round(self.prepare_s, 3),
            "wait_s": round(self.wait_s, 3),
            "images_per_s": round(self.seen / self.process_s) if self.process_s > 0 else 0,
        }

    def summary(self) -> str:
        """Return the facts as one line of the event log."""
        return " ".join(
            f"{name}={value:.3f}" if isinstance(value, float) else f"{name}={value}"
            for name, value in self.facts().items()
        )
