"""People's answers on their way into the database: one connection for all who have the page open.

    sent = answers.submit([answer(name, (job_id, image), "Coat", how="asked", replaces="")])
    await sent.over()

A thread sends them and hears what the store says, so the page never waits for the broker.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from broker.connection import Connection
from broker.errors import SettingsError
from broker.messages import Correction, Review
from broker.reviewer import PATIENCE_S, How, Outbox, answer, is_taken, login
from broker.settings import Store
from broker.topics import Topics
from dashboard.access import here
from dashboard.words import at
from store import queries
from store.answers import Said, classes

HEAR_S = 0.25
AWAY = "The store does not answer: do it again once it runs; twice does no harm."
"""What to say where an answer was not stored."""
GONE = "No longer in the database: the job was deleted."


def name_here() -> str:
    """Return what the answers of who has the page open are signed with; without accounts, the login name."""
    return here().name or login()


def called(label: str, reviewer: str, reviewed_at: str) -> str:
    """Return who called an image what, and when: `Nora called it Coat at 12:01 UTC`."""
    now = datetime.now(UTC)
    who = reviewer or "Somebody"
    return f"{who} called it {label}" + (f" at {at(reviewed_at, now)} UTC" if reviewed_at else "")


def taking_back(name: str, given: Review, before: Said | None, standing: str) -> Review:
    """Return the message that puts back what stood before an answer, which now stands as `standing`."""
    key = (given.job_id, given.image)
    if before is None:
        return answer(name, key, "", how=given.how, stratum=given.stratum, replaces=standing)
    how: How = "asked" if before.how == "asked" else "import" if before.how == "import" else "selection"
    return answer(
        before.reviewer,
        key,
        before.label,
        how=how,
        stratum=before.stratum,
        replaces=standing,
        given_at=before.reviewed_at,
    )


def unanswered(settings: Store, missing: Sequence[Review]) -> dict[str, list[Review]]:
    """Return answers for which nothing came back, by what to say: the store tells no refusal."""
    found: dict[str, list[Review]] = {}
    if not missing:
        return found
    try:
        with queries.reading(settings) as connection:
            known = classes(connection, [(one.job_id, one.image) for one in missing])
    except SettingsError:
        return {AWAY: list(missing)}
    for one in missing:
        found.setdefault(_why_missing(one, known.get((one.job_id, one.image))), []).append(one)
    return found


def _why_missing(review: Review, known: Sequence[str] | None) -> str:
    if known is None:
        return GONE
    if review.label and known and review.label not in known:
        return f"The model that answered knows no class {review.label}."
    return AWAY


@dataclass
class Sent:
    """Answers that were handed over, and what the store has said of each so far."""

    reviews: Sequence[Review]
    told: dict[str, Correction] = field(default_factory=dict)
    heard_at: float = field(default_factory=time.monotonic)
    done: Future[None] = field(default_factory=Future)

    async def over(self) -> None:
        """Wait until the store has answered for each, or for a while for none."""
        await asyncio.wrap_future(self.done)

    @property
    def missing(self) -> list[Review]:
        """Those that the store has not answered for."""
        return [one for one in self.reviews if one.review_id not in self.told]

    @property
    def refused(self) -> list[Review]:
        """Those that changed nothing, since somebody else had answered in the meantime."""
        return [one for one, told in self._pairs() if not is_taken(one, told)]

    @property
    def taken(self) -> list[Review]:
        """Those that stand in the database."""
        return [one for one, told in self._pairs() if is_taken(one, told)]

    def _pairs(self) -> Iterator[tuple[Review, Correction]]:
        return ((one, self.told[one.review_id]) for one in self.reviews if one.review_id in self.told)


class Answers:
    """The thread, and its connection, which nobody else has started, while the `with` block lasts.

    `failed` is called when it ends by a defect of its own.
    """

    def __init__(
        self,
        connection: Connection,
        topics: Topics,
        failed: Callable[[], None] = lambda: None,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._connection = connection
        self._outbox = Outbox(connection, topics)
        self._failed = failed
        self._patience_s = patience_s
        self._new: queue.SimpleQueue[Sent] = queue.SimpleQueue()
        self._under_way: list[Sent] = []
        self._owner: dict[str, Sent] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="answers", daemon=True)

    def __enter__(self) -> Self:
        """Begin to connect."""
        self._connection.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave; what is under way is waited for no more."""
        self._stopping.set()
        self._connection.wake()
        self._thread.join(5.0)
        self._connection.stop(1.0)

    def submit(self, reviews: Sequence[Review]) -> Sent:
        """Hand answers over; safe in any thread."""
        made = Sent(reviews)
        made.done.set_running_or_notify_cancel()  # a page that is closed does not take its answers back
        self._new.put(made)
        self._connection.wake()
        return made

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._take()
                for told in self._outbox.step(HEAR_S):
                    self._hear(told)
                self._end()
        finally:
            if not self._stopping.is_set():
                self._failed()
            self._take()
            for one in self._under_way:
                one.done.set_result(None)

    def _take(self) -> None:
        while not self._new.empty():
            made = self._new.get()
            self._under_way.append(made)
            self._owner.update({one.review_id: made for one in made.reviews})
            self._outbox.add(made.reviews)

    def _hear(self, told: Correction) -> None:
        owner = self._owner.pop(told.review_id)
        owner.told[told.review_id] = told
        owner.heard_at = time.monotonic()

    def _end(self) -> None:
        """Let go of those that are answered, or for which nothing has come for too long."""
        moment = time.monotonic()
        for one in list(self._under_way):
            if len(one.told) == len(one.reviews) or moment - one.heard_at > self._patience_s:
                missing = one.missing
                self._outbox.drop(missing)
                for review in missing:
                    del self._owner[review.review_id]
                self._under_way.remove(one)
                one.done.set_result(None)
