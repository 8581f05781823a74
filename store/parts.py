"""What the store has in hand: messages that are written together, and a world that is not well."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from broker.messages import Failure, Message, PredictionBatch, ShadowBatch
from store.intake import Item

PATIENCE_S = (0.05, 5.0)
"""First and longest wait before a transaction is tried again."""


@dataclass
class Part:
    """Items that are written together, and how often that has failed by one of their own faults."""

    items: list[Item]
    failures: int = 0


@dataclass
class Trouble:
    """How long the world has not been well, and how long to wait before the next try."""

    since: float = field(default_factory=time.monotonic)
    wait_s: float = PATIENCE_S[0]

    def next_wait_s(self) -> float:
        """Return the wait before the next try; it doubles each time."""
        wait_s, self.wait_s = self.wait_s, min(2 * self.wait_s, PATIENCE_S[1])
        return wait_s

    @property
    def lasted_s(self) -> float:
        """How long it has lasted."""
        return time.monotonic() - self.since


def rows_of(items: Sequence[Item]) -> int:
    """Return about how many rows these messages will be."""
    return sum(item.rows for item in items)


def named(message: Message) -> dict[str, Any]:
    """Return what a reject can say of a message's batch, so that its images get their row in `failures`."""
    match message:
        case ShadowBatch():  # its images are the line's: they have their rows without it
            return {}
        case PredictionBatch():
            images = tuple(p.image for p in message.predictions)
        case Failure():
            images = (message.image,)
        case _:
            return {}
    return {
        "batch_id": message.batch_id,
        "job_id": message.job_id,
        "source": message.source,
        "images": images,
    }
