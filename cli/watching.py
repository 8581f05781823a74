"""Following one dropped folder from its first image to its last receipt."""

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from broker.doubts import doubt
from broker.errors import SettingsError
from broker.messages import JobProgress, Message, Receipt
from broker.settings import Settings
from broker.topics import Topics
from cli.errors import CannotRun
from cli.reader import Reader

STEP_S = 0.1
STALLED_S = 60.0
ASK_S = 3.0
"""After this long without news the database is asked: messages are lost when the broker restarts."""
State = Literal["open", "closed"]


@dataclass(frozen=True)
class Outcome:
    """What stands in the database for one image: a label and a confidence (0..1), or why it failed.

    `doubt` says why a label is not to be believed ("suspect: busy-ground"), and is empty when it is.
    """

    label: str = ""
    confidence: float = 0.0
    model_version: str = ""
    reason: str = ""
    doubt: str = ""

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
    jobs: dict[str, State] = field(default_factory=dict)
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    last_at: float = field(default_factory=time.monotonic)
    _early: dict[str, list[Receipt]] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether each image has its row and each job of the folder is closed."""
        answered = len(self.outcomes) >= len(self.expected) and self.expected <= self.outcomes.keys()
        return answered and all(state == "closed" for state in self.jobs.values())

    @property
    def progress(self) -> tuple[int, list[State]]:
        """What changes whenever something new is known."""
        return len(self.outcomes), list(self.jobs.values())

    def hear(self, message: Message) -> None:
        """Take a message in."""
        match message:
            case JobProgress() if message.folder == self.folder:
                self._note(message.job_id, message.state)
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

    def learn(self, job_id: str, state: State, outcomes: Mapping[str, Outcome]) -> None:
        """Take in what the database says of one of the folder's jobs."""
        self._note(job_id, state)
        if outcomes.keys() - self.outcomes.keys():
            self.last_at = time.monotonic()
        self.outcomes.update(outcomes)

    def _note(self, job_id: str, state: State) -> None:
        if self.jobs.get(job_id) != "closed":
            self.jobs[job_id] = state

    def _count(self, receipt: Receipt) -> None:
        self.last_at = time.monotonic()
        for row in receipt.stored:
            self.outcomes[row.image] = Outcome(
                row.label, row.confidence, row.model_version, doubt=doubt(row.verdict, row.reasons)
            )
        for failed in receipt.failed:
            self.outcomes[failed.image] = Outcome(reason=failed.reason)


def topics_of(settings: Settings) -> list[str]:
    """Return what to subscribe to for a watch on this machine's agent."""
    topics, source = Topics(settings.broker.root), settings.ingest_agent.source
    return [topics.receipts(source), topics.jobs(source)]


def follow(
    watch: Watch,
    reader: Reader,
    advance: Callable[[int], None],
    step: Callable[[], None] = lambda: None,
    ask: Callable[[], None] = lambda: None,
) -> None:
    """Hear messages until the watch is complete; `step` is called in between. Raises CannotRun on a stall.

    `ask` is called when the folder has had no news for some seconds.
    """
    heard = asked = time.monotonic()
    known = watch.progress
    while not watch.is_complete:
        for _, message in reader.hear(STEP_S):
            watch.hear(message)
            heard = time.monotonic()
        advance(len(watch.outcomes))
        step()
        if watch.progress != known:
            known = watch.progress
            heard = asked = time.monotonic()
        elif time.monotonic() - asked > ASK_S:
            ask()
            asked = time.monotonic()
        if time.monotonic() - heard > STALLED_S:
            missing = len(watch.expected - watch.outcomes.keys())
            raise CannotRun(f"nothing has moved for {STALLED_S:.0f} s; {missing} images have no row yet")


def ask_database(watch: Watch, settings: Settings) -> None:
    """Have a watch learn what the database knows of its folder; one that cannot be read says nothing."""
    from store import queries

    source = settings.ingest_agent.source
    with contextlib.suppress(SettingsError), queries.reading(settings.store) as connection:
        for job in queries.jobs(connection, source=source, since=watch.began):
            if job.folder == watch.folder or job.job_id in watch.jobs:
                outcomes = {
                    row.image: Outcome(row.label, row.confidence, row.model_version)
                    for row in queries.predictions(connection, job.job_id)
                }
                for failed in queries.failures(connection, job.job_id):
                    outcomes[failed.image] = Outcome(reason=failed.reason)
                watch.learn(job.job_id, job.state, outcomes)
