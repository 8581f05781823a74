"""The pixels that were kept, image by image: for reviews, replay and whatever else wants to see them again.

An image may have travelled in several batches, when its file was overwritten in between. The pixels that
count are those of the batch that its prediction came from.
"""

import json
import zlib
from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from store.schema import batches, pixels, predictions

Shape = tuple[int, int, int]

_SOURCE = pixels.join(
    batches, (batches.c.job_id == pixels.c.job_id) & (batches.c.batch_id == pixels.c.batch_id)
)


def kept_images(connection: sa.Connection, job_id: str) -> Iterator[tuple[tuple[str, ...], Shape, bytes]]:
    """Yield a job's kept images by batch: their names, `(n, height, width)`, and the uint8 pixels by rows.

    Each image comes once. One whose pixels were not kept, or that has no prediction, does not come. Only one
    batch is in memory at a time.
    """
    found = sa.select(batches.c.id).select_from(_SOURCE).where(pixels.c.job_id == job_id)
    for number in connection.execute(found.order_by(batches.c.id)).scalars().all():
        names, shape, content = _batch(connection, number)
        own = _predicted(connection, job_id, number, names)
        if len(own) == len(names):
            yield tuple(names), shape, content
        elif own:
            yield _cut(names, shape, content, own)


def kept_image(connection: sa.Connection, job_id: str, image: str) -> tuple[tuple[int, int], bytes] | None:
    """Return one image's `(height, width)` and uint8 pixels by rows; None when they were not kept."""
    found = sa.select(batches.c.id).select_from(
        _SOURCE.join(predictions, predictions.c.batch == batches.c.id)
    )
    one = (predictions.c.job_id == job_id) & (predictions.c.image == image)
    number = connection.execute(found.where(one)).scalar()
    if number is None:
        return None
    names, shape, content = _batch(connection, number)
    if image not in names:
        return None
    _, (_, height, width), own = _cut(names, shape, content, {image})
    return (height, width), own


def kept_batch(connection: sa.Connection, number: int) -> dict[str, tuple[tuple[int, int], bytes]]:
    """Return each image of the batch with that `batches.id` as `kept_image` does; none if none was kept."""
    found = sa.select(batches.c.id).select_from(_SOURCE).where(batches.c.id == number)
    if connection.execute(found).first() is None:
        return {}
    names, (_, height, width), content = _batch(connection, number)
    size = height * width
    return {name: ((height, width), content[at * size : (at + 1) * size]) for at, name in enumerate(names)}


def _batch(connection: sa.Connection, number: int) -> tuple[list[str], Shape, bytes]:
    found = sa.select(pixels.c.images, pixels.c.shape, pixels.c.pixels).select_from(_SOURCE)
    row = connection.execute(found.where(batches.c.id == number)).one()
    n, height, width = json.loads(row.shape)
    return json.loads(row.images), (n, height, width), zlib.decompress(row.pixels)


def _predicted(connection: sa.Connection, job_id: str, number: int, names: Sequence[str]) -> set[str]:
    """Return the images whose prediction came from this batch: by their keys, since `batch` has no index."""
    found = sa.select(predictions.c.image).where(
        predictions.c.job_id == job_id, predictions.c.image.in_(names), predictions.c.batch == number
    )
    return set(connection.execute(found).scalars())


def _cut(
    names: Sequence[str], shape: Shape, content: bytes, wanted: set[str]
) -> tuple[tuple[str, ...], Shape, bytes]:
    _, height, width = shape
    size = height * width
    places = [place for place, name in enumerate(names) if name in wanted]
    parts = [content[place * size : (place + 1) * size] for place in places]
    return tuple(names[place] for place in places), (len(places), height, width), b"".join(parts)
