"""What a receipt says of the images that were still without an answer. Pure."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache

from broker.doubts import doubt
from broker.messages import FailedImage, Receipt, StoredImage
from ingest_agent.ledger_records import AnsweredImage, NamedStat


def answered_images(receipt: Receipt, left: Mapping[str, NamedStat]) -> Iterator[AnsweredImage]:
    """Yield the answers to images in `left` (by their names on the wire), each image once."""
    waiting = dict(left)
    for stored in receipt.stored:
        image = waiting.pop(stored.image, None)
        if image is not None:
            yield _stored(image, stored)
    for failed in receipt.failed:
        image = waiting.pop(failed.image, None)
        if image is not None:
            yield _failed(image, failed, receipt.stored_at)


def _stored(image: NamedStat, item: StoredImage) -> AnsweredImage:
    at_ms = milliseconds(item.predicted_at)
    note = doubt(item.verdict, item.reasons) or None
    return AnsweredImage(image, item.label, item.confidence, item.model_version, at_ms, note)


def _failed(image: NamedStat, item: FailedImage, at: str) -> AnsweredImage:
    note = f"{item.reason}: {item.detail}" if item.detail else item.reason
    return AnsweredImage(image, None, None, None, milliseconds(at), note)


@lru_cache(maxsize=64)
def milliseconds(at: str) -> int:
    """Return a time on the wire as milliseconds since 1970; the time now where it is none."""
    try:
        return round(datetime.fromisoformat(at).timestamp() * 1000)
    except ValueError:
        return round(datetime.now(UTC).timestamp() * 1000)
