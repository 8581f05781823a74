"""Publishes people's answers with the `reviewer` account, and waits until they stand in the database."""

import contextlib
import getpass
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

from broker.clients import client
from broker.connection import Connection, Delivery
from broker.errors import MessageError, Unreachable
from broker.messages import Correction, Review, content_type, decode, encode, now
from broker.mqtt import MqttConnection
from broker.settings import Settings
from broker.topics import Topics

WINDOW = 500
"""Answers under way at once: what comes back fits into the connection's own inbox."""

RESEND_S = 3.0
PATIENCE_S = 12.0
"""How long nothing may come back before the store counts as away."""

How = Literal["asked", "selection", "import"]


def login() -> str:
    """Return who is at the keyboard, "" where nobody can tell."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def connection_of(settings: Settings) -> MqttConnection:
    """Return a connection for answers, which is not started. Raises SettingsError for the account's file."""
    topics = Topics(settings.broker.root)
    client_id = f"reviewer-{os.getpid()}-{secrets.token_hex(4)}"
    return client(settings, "reviewer", client_id, [topics.corrections()])


def answer(
    name: str,
    image: tuple[str, str],
    label: str,
    *,
    how: How,
    stratum: str = "",
    replaces: str | None = None,
    given_at: str = "",
) -> Review:
    """Return the message by which somebody says what a job's image shows; an empty label takes it back.

    `given_at` is when an answer was first given that is put back.
    """
    job_id, own = image
    return Review(
        review_id=secrets.token_hex(12),
        job_id=job_id,
        image=own,
        label=label,
        reviewer=name,
        reviewed_at=now(),
        how=how,
        stratum=stratum,
        replaces=replaces,
        given_at=given_at,
    )


def is_taken(review: Review, told: Correction) -> bool:
    """Tell whether what an answer says stands now, by itself or because somebody else said the same."""
    return told.standing == review.review_id or told.label == review.label


class Outbox:
    """Answers that are under way on a connection; each is sent again until its correction has come."""

    def __init__(self, connection: Connection, topics: Topics, *, resend_s: float = RESEND_S) -> None:
        self._connection = connection
        self._topic = topics.reviews()
        self._resend_s = resend_s
        self._waiting: dict[str, Review] = {}
        self._sent: dict[str, float] = {}

    def add(self, reviews: Iterable[Review]) -> None:
        """Take answers along; `step` sends them."""
        self._waiting.update({review.review_id: review for review in reviews})

    def drop(self, reviews: Iterable[Review]) -> None:
        """Wait for these no more; what was sent of them may still be stored."""
        for review in reviews:
            self._waiting.pop(review.review_id, None)
            self._sent.pop(review.review_id, None)

    def step(self, timeout_s: float) -> Iterator[Correction]:
        """Send what is due, then yield the corrections that came, waiting at most so long for the first."""
        self._send()
        for item in self._connection.receive(WINDOW, timeout_s):
            if isinstance(item, Delivery):
                self._connection.acknowledge(item)
                with contextlib.suppress(MessageError):
                    told = decode(Correction, item.payload)
                    if self._waiting.pop(told.review_id, None) is not None:
                        self._sent.pop(told.review_id, None)
                        yield told

    def _send(self) -> None:
        """Publish those that were never sent, or so long ago that they or their corrections are lost."""
        at, first = time.monotonic(), list(self._waiting.values())[:WINDOW]
        due = [one for one in first if at - self._sent.get(one.review_id, float("-inf")) >= self._resend_s]
        with contextlib.suppress(Unreachable):  # the connection comes back by itself; they stay due
            for review in due:
                self._connection.publish(self._topic, encode(review), content_type=content_type(review))
                self._sent[review.review_id] = at


class Reviewer:
    """One person's answers, on a connection that has been started."""

    def __init__(
        self,
        connection: Connection,
        topics: Topics,
        name: str,
        *,
        resend_s: float = RESEND_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._outbox = Outbox(connection, topics, resend_s=resend_s)
        self._name = name
        self._patience_s = patience_s

    def answer(
        self,
        job_id: str,
        image: str,
        label: str,
        *,
        how: How,
        stratum: str = "",
        replaces: str | None = None,
    ) -> Review:
        """Return the message that says what an image shows; an empty label takes the answer back."""
        return answer(self._name, (job_id, image), label, how=how, stratum=stratum, replaces=replaces)

    def submit(
        self,
        reviews: Sequence[Review],
        advanced: Callable[[int], None] = lambda _: None,
        heard: Callable[[Review, Correction], None] = lambda *_: None,
    ) -> list[Review]:
        """Publish answers until each has come back as a correction; return those that have not.

        `advanced` is told how many have, several times a second: it may raise. `heard` is told what came
        back for which. An answer that is sent again changes nothing, so none is lost or counted twice.
        """
        waiting = {review.review_id: review for review in reviews}
        self._outbox.add(reviews)
        heard_at = time.monotonic()
        while waiting and time.monotonic() - heard_at < self._patience_s:
            for told in self._outbox.step(0.1):
                heard(waiting.pop(told.review_id), told)
                heard_at = time.monotonic()
            advanced(len(reviews) - len(waiting))
        self._outbox.drop(waiting.values())
        return list(waiting.values())
