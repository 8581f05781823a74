"""Rejects that are as large as the broker takes."""

from collections.abc import Callable

import msgspec

from broker.errors import MessageError
from broker.messages import Reject


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
