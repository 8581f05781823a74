"""What is larger than the broker takes, in several messages that say the same."""

from collections.abc import Callable

import msgspec

from broker.errors import MessageError
from broker.messages import Message, Receipt, Reject


def publish_reject(publish: Callable[[Reject], None], reject: Reject) -> int:
    """Publish a reject, in halves where the broker takes no message of its size.

    Returns how many images could not be named. Raises Unreachable, and MessageError where the broker does not
    even take it without images.
    """
    try:
        publish(reject)
    except MessageError:
        if not reject.images:
            raise
    else:
        return 0
    images, middle = reject.images, len(reject.images) // 2
    if not middle:
        publish(msgspec.structs.replace(reject, images=()))
        return 1
    halves = (images[:middle], images[middle:])
    return sum(publish_reject(publish, msgspec.structs.replace(reject, images=half)) for half in halves)


def halves_of(message: Message) -> list[Receipt]:
    """Return two receipts that say the same as a large one together; none where there is nothing to part."""
    if not isinstance(message, Receipt) or len(message.stored) + len(message.failed) <= 1:
        return []
    stored, failed = len(message.stored) // 2, len(message.failed) // 2
    if stored == failed == 0:  # one image of each kind
        stored = 1
    return [
        msgspec.structs.replace(message, stored=message.stored[:stored], failed=message.failed[:failed]),
        msgspec.structs.replace(message, stored=message.stored[stored:], failed=message.failed[failed:]),
    ]
