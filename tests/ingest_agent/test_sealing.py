"""Sealed messages: what they hold, and how one is cut in two."""

import numpy as np

from broker.messages import Failure, JobProgress, PixelBatch, decode
from ingest_agent.batching import Builder
from ingest_agent.job import Job
from ingest_agent.sealing import by_wire_name, halves, seal_closing, seal_failure, seal_pixels
from model.preprocessing import InputSpec


def job() -> Job:
    """Return a job of the folder "f"."""
    at = "2026-11-22T13:00:00.000Z"
    return Job(
        7, "shop-1", 1, b"f", at, opened=1.0, latest_seen=2.0, latest_answer=3.5, seen=4, stored=3, failed=1
    )


def builder(count: int) -> Builder:
    """Return a builder with images that can be told apart."""
    made = Builder(InputSpec(), 0.0)
    for number in range(count):
        made.add(f"{number}.png", (b"%d.png" % number, 1, 2, 3, 4), bytes([number]) * 784)
    made.took(0.25, 0.5)
    return made


def test_pixel_batch_holds_the_images_in_order() -> None:
    """Names, pixels, shape and timings."""
    batch = seal_pixels("shop", job(), builder(3), 0.125)
    message = decode(PixelBatch, batch.payload)
    assert (("0.png", "1.png", "2.png"), (3, 28, 28), "shop-1") == (
        message.images,
        message.shape,
        message.job_id,
    )
    assert {"read": 0.25, "prepare": 0.5, "wait": 0.125} == message.timings
    pixels = np.frombuffer(message.pixels, np.uint8).reshape(message.shape)
    assert [0, 1, 2] == [int(image.max()) for image in pixels]
    assert (batch.batch_id, 7, 3) == (message.batch_id, batch.job, len(batch.images))


def test_failure_names_its_image_as_text() -> None:
    """Bytes that are no UTF-8 are escaped."""
    batch = seal_failure("shop", job(), (b"\xff.png", 1, 2, 3, 4), "empty", "Nothing in it.")
    message = decode(Failure, batch.payload)
    assert ("\\xff.png", "empty", batch.batch_id) == (message.image, message.reason, message.batch_id)


def test_closing_has_the_counts() -> None:
    """And how long the job took, up to its last answer."""
    message = decode(JobProgress, seal_closing("shop", job()).payload)
    assert ("closed", "f", 4, 3, 1, 2.5) == (
        message.state,
        message.folder,
        message.seen,
        message.stored,
        message.failed,
        message.process_s,
    )


def test_batch_is_cut_in_two_without_changing_a_pixel() -> None:
    """New ids, the same images; those that are answered already are not waited for."""
    whole = seal_pixels("shop", job(), builder(5), 0.0)
    left = by_wire_name(whole.images)
    del left["4.png"]
    first, second = halves(whole.payload, 7, left)
    messages = [decode(PixelBatch, part.payload) for part in (first, second)]
    assert [("0.png", "1.png"), ("2.png", "3.png", "4.png")] == [message.images for message in messages]
    assert decode(PixelBatch, whole.payload).pixels == b"".join(message.pixels for message in messages)
    assert [2, 2] == [len(first.images), len(second.images)]
    assert 3 == len({whole.batch_id, first.batch_id, second.batch_id})


def test_batch_of_one_cannot_be_cut() -> None:
    """Nothing smaller can be sent."""
    whole = seal_pixels("shop", job(), builder(1), 0.0)
    assert [] == list(halves(whole.payload, 7, by_wire_name(whole.images)))
