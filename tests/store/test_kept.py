"""The pixels that were kept, image by image."""

import sqlalchemy as sa

from broker.messages import PixelBatch
from store.kept import kept_batch, kept_image, kept_images
from store.writer import Writer
from tests.store.workbench import JOB, Make


def pixels(*images: str, batch: str, first: int) -> PixelBatch:
    """Return the pixels of a batch, 2x3 an image, counting on from `first`."""
    count = len(images)
    content = bytes(range(first, first + 6 * count))
    return PixelBatch(
        batch_id=batch, job_id=JOB, source="shop", images=images, shape=(count, 2, 3), pixels=content
    )


def test_kept_images_come_by_batch(writer: Writer, engine: sa.Engine, make: Make) -> None:
    """Batches without pixels and other jobs' do not come."""
    writer.write([pixels("a.png", "b.png", batch="b1", first=0), make.batch("a.png", "b.png")])
    writer.write([pixels("c.png", batch="b2", first=100), make.batch("c.png", batch="b2")])
    writer.write([make.batch("d.png", batch="b3"), make.batch("e.png", batch="b4", job_id="other")])

    with engine.connect() as connection:
        assert [
            (("a.png", "b.png"), (2, 2, 3), bytes(range(12))),
            (("c.png",), (1, 2, 3), bytes(range(100, 106))),
        ] == list(kept_images(connection, JOB))
        assert [] == list(kept_images(connection, "other"))


def test_image_of_two_batches_comes_from_the_one_that_was_predicted(
    writer: Writer, engine: sa.Engine, make: Make
) -> None:
    """The file was overwritten and sent again, and the first answer stands."""
    writer.write([pixels("a.png", batch="b1", first=0), make.batch("a.png")])
    writer.write([pixels("a.png", "b.png", batch="b2", first=50), make.batch("a.png", "b.png", batch="b2")])

    with engine.connect() as connection:
        assert [
            (("a.png",), (1, 2, 3), bytes(range(6))),
            (("b.png",), (1, 2, 3), bytes(range(56, 62))),
        ] == list(kept_images(connection, JOB))
        assert ((2, 3), bytes(range(6))) == kept_image(connection, JOB, "a.png")


def test_kept_image_is_none_where_there_are_no_pixels(writer: Writer, engine: sa.Engine, make: Make) -> None:
    """Not kept, not predicted yet, or not known at all."""
    writer.write([make.batch("a.png"), pixels("b.png", batch="b2", first=0)])

    with engine.connect() as connection:
        assert [None, None, None] == [kept_image(connection, JOB, name) for name in ("a.png", "b.png", "z")]


def test_kept_batch_names_each_image(writer: Writer, engine: sa.Engine, make: Make) -> None:
    """Nothing comes of a batch that was not kept."""
    writer.write([pixels("a.png", "b.png", batch="b1", first=0), make.batch("a.png", "b.png")])

    with engine.connect() as connection:
        number = connection.exec_driver_sql("SELECT id FROM batches").scalar_one()
        found = kept_batch(connection, number)
        assert {} == kept_batch(connection, number + 1)

    assert {"a.png": ((2, 3), bytes(range(6))), "b.png": ((2, 3), bytes(range(6, 12)))} == found
