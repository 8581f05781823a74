"""A store that answers reviews on a line within the process, and may be deaf for a while."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from broker.connection import Delivery
from broker.memory import MemoryBroker
from broker.messages import Correction, Review, decode, encode
from broker.topics import Topics

TOPICS = Topics()


def correction(review: Review) -> Correction:
    """Return what a store says of a review."""
    return Correction(
        review_id=review.review_id,
        job_id=review.job_id,
        source="shop",
        folder="autumn",
        image=review.image,
        label=review.label,
        predicted="Bag",
        confidence=0.5,
        model_version="m1",
        reviewer=review.reviewer,
        reviewed_at=review.reviewed_at,
        standing=review.review_id if review.label else "",
    )


@contextmanager
def fake_store(
    broker: MemoryBroker, write: Callable[[Review], bool | Correction] = lambda _: True
) -> Iterator[list[Review]]:
    """Answer every review for which `write` says so, or with what it says; yield all that came."""
    heard: list[Review] = []
    over = threading.Event()
    connection = broker.connect("store", [TOPICS.reviews()])
    connection.start()

    def work() -> None:
        while not over.is_set():
            for item in connection.receive(100, 0.05):
                if isinstance(item, Delivery):
                    connection.acknowledge(item)
                    heard.append(decode(Review, item.payload))
                    if told := write(heard[-1]):
                        told = correction(heard[-1]) if told is True else told
                        connection.publish(TOPICS.corrections("shop"), encode(told))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield heard
    finally:
        over.set()
        thread.join()
