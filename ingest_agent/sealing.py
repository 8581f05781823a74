"""Messages with a batch id, sealed: neither their bytes nor their names ever change. Pure but for chance."""

import secrets
from collections.abc import Iterable, Iterator

from broker.messages import Failure, PixelBatch, decode, encode
from broker.messages import now as wire_now
from broker.names import shortened, text_of
from ingest_agent.batching import Builder
from ingest_agent.job import Job
from ingest_agent.ledger_records import NamedStat, NewBatch


def new_batch_id() -> str:
    """Return a name that no other batch has: 32 hex digits."""
    return secrets.token_hex(16)


def wire_name(name: bytes) -> str:
    """Return the name under which an image travels."""
    return shortened(text_of(name))


def by_wire_name(images: Iterable[NamedStat]) -> dict[str, NamedStat]:
    """Return images by the names under which they travel."""
    return {wire_name(image[0]): image for image in images}


def seal_pixels(source: str, job: Job, builder: Builder, wait_s: float) -> NewBatch:
    """Make a pixel batch of what has gathered."""
    spec = builder.spec
    message = PixelBatch(
        batch_id=new_batch_id(),
        source=source,
        job_id=job.job_id,
        images=tuple(builder.names),
        shape=(len(builder), spec.height, spec.width),
        pixels=bytes(builder.pixels),
        timings={
            "read": round(builder.read_s, 6),
            "prepare": round(builder.prepare_s, 6),
            "wait": round(wait_s, 6),
        },
    )
    return NewBatch(message.batch_id, "pixels", job.number, builder.images, encode(message))


def seal_failure(source: str, job: Job, image: NamedStat, reason: str, detail: str) -> NewBatch:
    """Make the message that says that a file cannot be an image."""
    message = Failure(
        batch_id=new_batch_id(),
        job_id=job.job_id,
        source=source,
        image=wire_name(image[0]),
        reason=reason,
        detail=detail,
        failed_at=wire_now(),
    )
    return NewBatch(message.batch_id, "failure", job.number, [image], encode(message))


def seal_closing(source: str, job: Job) -> NewBatch:
    """Make the message that closes a job."""
    batch_id = new_batch_id()
    message = job.progress(source, batch_id, closed_at=wire_now())
    return NewBatch(batch_id, "job", job.number, [], encode(message))


def halves(payload: bytes, job: int, left: dict[str, NamedStat]) -> Iterator[NewBatch]:
    """Yield the two halves of a pixel batch that is too large; nothing when it is one image.

    `left` are the images without an answer, by their names on the wire.
    """
    whole = decode(PixelBatch, payload)
    count = len(whole.images)
    if count < 2:
        return
    size = len(whole.pixels) // count
    for start, end in ((0, count // 2), (count // 2, count)):
        part = PixelBatch(
            batch_id=new_batch_id(),
            source=whole.source,
            job_id=whole.job_id,
            images=whole.images[start:end],
            shape=(end - start, *whole.shape[1:]),
            pixels=whole.pixels[start * size : end * size],
            timings=whole.timings,
        )
        images = [left[name] for name in part.images if name in left]
        yield NewBatch(part.batch_id, "pixels", job, images, encode(part))
