"""A subscriber with the `reader` account: what commands hear of the line."""

import os
import secrets
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from broker import messages
from broker.clients import client
from broker.connection import Delivery, Notice
from broker.errors import MessageError
from broker.messages import Message
from broker.settings import Settings
from broker.topics import Topics
from cli.addresses import is_open, where_is
from cli.errors import CannotRun

KINDS: dict[str, type[Message]] = {
    "predictions": messages.PredictionBatch,
    "receipts": messages.Receipt,
    "failures": messages.Failure,
    "rejects": messages.Reject,
    "jobs": messages.JobProgress,
    "summaries": messages.JobSummary,
    "alerts": messages.Alert,
    "events": messages.Event,
    "model": messages.ModelAnnouncement,
    "status": messages.Status,
}
CONNECT_S = 5.0
LIMIT = 500


class Reader:
    """Messages of the given topics while the `with` block lasts."""

    def __init__(self, settings: Settings, topics: Sequence[str]) -> None:
        self._broker = settings.broker
        self._topics = Topics(settings.broker.root)
        self._connection = client(settings, "reader", f"cli-{os.getpid()}-{secrets.token_hex(4)}", topics)
        self._trouble = ""

    def __enter__(self) -> Self:
        """Begin to connect."""
        self._connection.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave."""
        self._connection.stop(1.0)

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the subscriptions."""
        return self._connection.connected

    def connect(self, timeout_s: float = CONNECT_S) -> None:
        """Wait for the broker. Raises CannotRun when it does not come."""
        if not is_open(self._broker):
            raise CannotRun(f"no broker listens on {where_is(self._broker)}; is `up` running?")
        deadline = time.monotonic() + timeout_s
        while not self._connection.connected:
            if time.monotonic() > deadline:
                because = f": {self._trouble}" if self._trouble else ""
                raise CannotRun(f"no connection to the broker at {where_is(self._broker)}{because}")
            time.sleep(0.01)
            self._trouble = self._refusal() or self._trouble

    def _refusal(self) -> str:
        """Look at what came in before the connection stood: only notices can."""
        found = self._connection.receive(1, 0.0)
        return next((item.detail for item in found if isinstance(item, Notice)), "")

    def hear(self, timeout_s: float) -> Iterator[tuple[str, Message]]:
        """Yield what has come in, waiting at most `timeout_s`; foreign messages are passed over."""
        for item in self._connection.receive(LIMIT, timeout_s):
            if isinstance(item, Delivery):
                message = self._decoded(item)
                self._connection.acknowledge(item)
                if message is not None:
                    yield item.topic, message

    def _decoded(self, delivery: Delivery) -> Message | None:
        kind = KINDS.get(self._topics.kind(delivery.topic))
        try:
            return None if kind is None else messages.decode(kind, delivery.payload, delivery.content_type)
        except MessageError:
            return None
