"""What comes in: a delivery becomes a valid message of its topic's kind, or one MessageError."""

from dataclasses import dataclass

from broker.connection import Delivery
from broker.errors import MessageError
from broker.messages import (
    Event,
    Failure,
    JobProgress,
    Message,
    ModelAnnouncement,
    PixelBatch,
    PredictionBatch,
    Reject,
    Review,
    ShadowBatch,
    decode,
)
from broker.topics import Topics
from store.times import stamp

KINDS: dict[str, type[Message]] = {
    "predictions": PredictionBatch,
    "shadows": ShadowBatch,
    "failures": Failure,
    "jobs": JobProgress,
    "rejects": Reject,
    "events": Event,
    "model": ModelAnnouncement,
    "inputs": PixelBatch,
    "reviews": Review,
}


@dataclass(frozen=True)
class Item:
    """One delivery and the valid message in it; `rows` is about how many rows it will be."""

    delivery: Delivery
    message: Message

    @property
    def rows(self) -> int:
        """About how many rows the message will be."""
        match self.message:
            case PredictionBatch():
                return len(self.message.predictions)
            case PixelBatch():  # one row, but as large as the images are many
                return len(self.message.images)
        return 1


def subscriptions(topics: Topics) -> list[str]:
    """Return what the store listens to."""
    return [
        topics.predictions(),
        topics.shadows(),
        topics.failures(),
        topics.jobs(),
        topics.rejects(),
        topics.events(),
        topics.model(),
        topics.inputs(),
        topics.reviews(),
    ]


def opened(delivery: Delivery, topics: Topics) -> Item:
    """Return the item that a delivery holds. Raises MessageError, one line, when it holds none."""
    kind = KINDS.get(topics.kind(delivery.topic))
    if kind is None:
        raise MessageError(f"the store takes nothing on {delivery.topic}")
    message = decode(kind, delivery.payload, delivery.content_type)
    _check_times(message)
    _check_source(message, delivery, topics)
    return Item(delivery, message)


def _check_times(message: Message) -> None:
    match message:
        case PredictionBatch():
            stamp(message.predicted_at)
        case Failure():
            stamp(message.failed_at)
        case Reject():
            stamp(message.rejected_at)
        case Event():
            stamp(message.at)
        case ModelAnnouncement():
            stamp(message.announced_at)
        case Review():
            stamp(message.reviewed_at)
        case JobProgress():
            stamp(message.opened_at)
            stamp(message.closed_at or message.opened_at)


def _check_source(message: Message, delivery: Delivery, topics: Topics) -> None:
    # The receipt goes to the source that the message names: it must be the one that may publish here.
    source = (
        getattr(message, "source", None)
        if isinstance(message, PredictionBatch | PixelBatch | Failure | JobProgress)
        else None
    )
    if source is not None and source != topics.last(delivery.topic):
        raise MessageError(f"{type(message).__name__}: source {source!r} stands on another's topic")
