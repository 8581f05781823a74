"""Rejects in as many messages as the broker wants."""

import pytest

from broker.errors import MessageError
from broker.messages import Reject, encode, now
from broker.parting import publish_reject


def reject(*images: str) -> Reject:
    """Return a reject that names these images."""
    return Reject(
        service="store",
        instance="main",
        topic="t",
        reason="poison",
        detail="",
        first_bytes=b"",
        size_bytes=1,
        rejected_at=now(),
        images=images,
    )


class Narrow:
    """What takes only messages up to a size."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken: list[Reject] = []

    def publish(self, message: Reject) -> None:
        """Take a message or refuse it."""
        if len(encode(message)) > self.limit:
            raise MessageError("too large")
        self.taken.append(message)


def test_large_reject_is_published_in_parts_that_name_every_image() -> None:
    """Every image stands in exactly one of the parts, in order."""
    names = [f"{n:03d}" for n in range(99)]
    out = Narrow(400)
    assert 0 == publish_reject(out.publish, reject(*names))
    assert names == [image for part in out.taken for image in part.images]


def test_name_that_no_message_holds_is_left_out() -> None:
    """The reject comes without it, and the caller learns how many there were."""
    out = Narrow(400)
    assert 1 == publish_reject(out.publish, reject("a", "x" * 500))
    assert [("a",), ()] == [part.images for part in out.taken]


def test_reject_that_is_too_large_without_images_is_an_error() -> None:
    """There is nothing left to part."""
    with pytest.raises(MessageError):
        publish_reject(Narrow(10).publish, reject("a"))
