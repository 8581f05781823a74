"""Following one dropped folder from its first image to its last receipt."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from broker.messages import JobProgress, Message, Receipt
from broker.settings import Settings
from broker.topics import Topics
from cli.errors import CannotRun
from cli.reader import Reader

STEP_S = 0.1
STALLED_S = 60.0


@dataclass(frozen=True)
class Outcome:
    """What stands in the database for one image: a label and a confidence (0..1), or why it failed."""

    label: str = ""
    confidence: float = 0.0
    model_version: str = ""
    reason: str = ""

    @property
    def is_classified(self) -> bool:
        """Whether it has a row in `predictions`, not in `failures`."""
        return not self.reason


@dataclass
class Watch:
    """What receipts and the agent's reports say of one folder. Receipts may come before the job's report."""

    folder: str
    expected: frozenset[str]
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    jobs: dict[str, JobProgress] = field(default_factory=dict)
    last_at: float = field(default_factory=time.monotonic)
    _early: dict[str, list[Receipt]] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether each image has its row and each job of the folder is closed."""
        answered = len(self.outcomes) >= len(self.expected) and self.expected <= self.outcomes.keys()
        return answered and all(job.state == "closed" for job in self.jobs.values())

    def hear(self, message: Message) -> None:
        """Take a message in."""
        match message:
            case JobProgress() if message.folder == self.folder:
                known = self.jobs.get(message.job_id)
                if known is None or known.state == "open":
                    self.jobs[message.job_id] = message
                for receipt in self._early.pop(message.job_id, []):
                    self._count(receipt)
            case JobProgress():
                self._early.pop(message.job_id, None)
            case Receipt(kind="job"):
                pass
            case Receipt() if message.job_id in self.jobs:
                self._count(message)
            case Receipt():
                self._early.setdefault(message.job_id, []).append(message)

    def _count(self, receipt: Receipt) -> None:
        self.last_at = time.monotonic()
        for row in receipt.stored:
            self.outcomes[row.image] = Outcome(row.label, row.confidence, row.model_version)
        for failed in receipt.failed:
            self.outcomes[failed.image] = Outcome(reason=failed.reason)


def topics_of(settings: Settings) -> list[str]:
    """Return what to subscribe to for a watch on this machine's agent."""
    topics, source = Topics(settings.broker.root), settings.ingest_agent.source
    return [topics.receipts(source), topics.jobs(source)]


def follow(
    watch: Watch, reader: Reader, advance: Callable[[int], None], step: Callable[[], None] = lambda: None
) -> None:
    """Hear messages until the watch is complete; `step` is called in between. Raises CannotRun on a stall."""
    heard = time.monotonic()
    while not watch.is_complete:
        for _, message in reader.hear(STEP_S):
            watch.hear(message)
            heard = time.monotonic()
        advance(len(watch.outcomes))
        step()
        if time.monotonic() - heard > STALLED_S:
            missing = len(watch.expected - watch.outcomes.keys())
            raise CannotRun(f"nothing has moved for {STALLED_S:.0f} s; {missing} images have no row yet")
