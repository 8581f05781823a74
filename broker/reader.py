"""A subscriber with the `reader` account: what commands and the dashboard hear of the line."""

import os
import secrets
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
    "model-answers": messages.ModelAnswer,
    "status": messages.Status,
}
LIMIT = 500


class Reader:
    """Messages of the given topics while the `with` block lasts."""

    def __init__(self, settings: Settings, topics: Sequence[str], *, name: str = "cli") -> None:
        self._topics = Topics(settings.broker.root)
        self.refusal = ""
        """Why the broker refused this client, or this client the broker, as far as `hear` has told."""
        self.connection = client(settings, "reader", f"{name}-{os.getpid()}-{secrets.token_hex(4)}", topics)

    def __enter__(self) -> Self:
        """Begin to connect."""
        self.connection.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave."""
        self.connection.stop(1.0)

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the subscriptions."""
        return self.connection.connected

    def hear(self, timeout_s: float) -> Iterator[tuple[str, Message]]:
        """Yield what has come in, waiting at most `timeout_s`; foreign messages are passed over."""
        for item in self.connection.receive(LIMIT, timeout_s):
            if isinstance(item, Notice) and item.kind == "refused":
                self.refusal = item.detail
            elif isinstance(item, Delivery):
                message = self._decoded(item)
                self.connection.acknowledge(item)
                if message is not None:
                    yield item.topic, message

    def _decoded(self, delivery: Delivery) -> Message | None:
        kind = KINDS.get(self._topics.kind(delivery.topic))
        try:
            return None if kind is None else messages.decode(kind, delivery.payload, delivery.content_type)
        except MessageError:
            return None
