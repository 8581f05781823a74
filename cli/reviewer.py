"""Publishes people's answers with the `reviewer` account, and waits until they stand in the database."""

import contextlib
import getpass
import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from broker.clients import client
from broker.connection import Connection, Delivery
from broker.errors import MessageError, Unreachable
from broker.messages import Correction, Review, content_type, decode, encode, now
from broker.settings import Settings
from broker.topics import Topics
from cli.connecting import wait_for_broker

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
        self._connection = connection
        self._topic = topics.reviews()
        self._name = name
        self._resend_s = resend_s
        self._patience_s = patience_s

    def answer(self, job_id: str, image: str, label: str, *, how: How, stratum: str = "") -> Review:
        """Return the message that says what an image shows; an empty label takes the answer back."""
        return Review(
            review_id=secrets.token_hex(12),
            job_id=job_id,
            image=image,
            label=label,
            reviewer=self._name,
            reviewed_at=now(),
            how=how,
            stratum=stratum,
        )

    def submit(
        self, reviews: Sequence[Review], advanced: Callable[[int], None] = lambda _: None
    ) -> list[Review]:
        """Publish answers until each has come back as a correction; return those that have not.

        `advanced` is told how many stand, several times a second: it may raise. An answer that is sent again
        changes nothing, so none is lost or counted twice.
        """
        waiting = {review.review_id: review for review in reviews}
        sent: dict[str, float] = {}
        heard_at = time.monotonic()
        while waiting and time.monotonic() - heard_at < self._patience_s:
            self._send(list(waiting.values())[:WINDOW], sent)
            for review_id in self._heard():
                if waiting.pop(review_id, None) is not None:
                    heard_at = time.monotonic()
            advanced(len(reviews) - len(waiting))
        return list(waiting.values())

    def _send(self, reviews: Sequence[Review], sent: dict[str, float]) -> None:
        """Publish those that were never sent, or so long ago that they or their corrections are lost."""
        at = time.monotonic()
        due = [one for one in reviews if at - sent.get(one.review_id, float("-inf")) >= self._resend_s]
        with contextlib.suppress(Unreachable):  # the connection comes back by itself; they stay due
            for review in due:
                self._connection.publish(self._topic, encode(review), content_type=content_type(review))
                sent[review.review_id] = at

    def _heard(self) -> Iterator[str]:
        for item in self._connection.receive(WINDOW, 0.1):
            if isinstance(item, Delivery):
                self._connection.acknowledge(item)
                with contextlib.suppress(MessageError):
                    yield decode(Correction, item.payload).review_id


@contextlib.contextmanager
def reviewing(settings: Settings, name: str) -> Iterator[Reviewer]:
    """Yield a reviewer whose connection stands. Raises CannotRun when the broker is not there."""
    topics = Topics(settings.broker.root)
    client_id = f"reviewer-{os.getpid()}-{secrets.token_hex(4)}"
    connection = client(settings, "reviewer", client_id, [topics.corrections()])
    connection.start()
    try:
        wait_for_broker(connection, settings.broker)
        yield Reviewer(connection, topics, name)
    finally:
        connection.stop(1.0)
