"""What people say of images: the latest answer stands, and every change is told."""

import sqlalchemy as sa

from broker.messages import Correction, PixelBatch, Review
from store.pixels import prune_pixels
from store.statements import Session
from store.writer import Writer
from tests.store.workbench import JOB, Make, Rows

LATER = "2026-11-22T14:00:00.000Z"


def review(image: str = "a.png", label: str = "Dress", at: str = LATER, review_id: str = "r1") -> Review:
    """Return an answer."""
    return Review(
        review_id=review_id,
        job_id=JOB,
        image=image,
        label=label,
        reviewer="anna",
        reviewed_at=at,
        how="asked",
    )


def pixels(*images: str, batch: str = "b1") -> PixelBatch:
    """Return the pixels of a batch, four of them an image."""
    count = len(images)
    return PixelBatch(
        batch_id=batch, job_id=JOB, source="shop", images=images, shape=(count, 2, 2), pixels=bytes(4 * count)
    )


def test_review_is_written_and_told(writer: Writer, rows: Rows, make: Make) -> None:
    """The correction says what had been predicted, and which review it answers."""
    writer.write([make.progress("open", 1), make.batch("a.png")])

    told = writer.write([review()]).corrections

    assert [
        Correction(
            review_id="r1", job_id=JOB, source="shop", folder="autumn", image="a.png", label="Dress",
            predicted="Bag", confidence=0.75, model_version="m1", reviewer="anna", reviewed_at=LATER,
        )
    ] == told  # fmt: skip
    assert [("a.png", "Dress", "anna", LATER, "asked", "r1")] == rows(
        "reviews", "image, label, reviewer, reviewed_at, how, review_id"
    )


def test_later_answer_takes_the_place_of_an_earlier_one(writer: Writer, rows: Rows, make: Make) -> None:
    """Whatever the order in which they come, the one given last stands; an empty one takes it back."""
    writer.write([make.batch("a.png")])
    writer.write([review(label="Coat"), review(label="Shirt", at=make.at, review_id="r0")])
    assert [("Coat",)] == rows("reviews", "label")

    writer.write([review(label="", at="2026-11-22T15:00:00.000Z", review_id="r2")])
    assert [] == rows("reviews")


def test_review_of_an_unknown_image_is_put_aside(writer: Writer, make: Make) -> None:
    """It is nobody's row: the reject says so, and the others of its group are written."""
    outcome = writer.write([make.batch("a.png"), review("b.png"), review("a.png")])

    assert {1: f"Review: the job {JOB} has no prediction for an image 'b.png'"} == outcome.foreign
    assert ["a.png"] == [one.image for one in outcome.corrections]


def test_pixels_are_kept_once_and_pruned_unless_reviewed(
    writer: Writer, rows: Rows, make: Make, engine: sa.Engine
) -> None:
    """A batch with a reviewed image stays whatever its age."""
    writer.write([pixels("a.png"), pixels("a.png"), make.batch("a.png")])
    writer.write([pixels("b.png", batch="b2"), make.batch("b.png", batch="b2"), review("a.png")])
    assert [("b1", '["a.png"]', "[1, 2, 2]"), ("b2", '["b.png"]', "[1, 2, 2]")] == rows(
        "pixels", "batch_id, images, shape"
    )

    with engine.begin() as connection:
        assert 1 == prune_pixels(Session(connection), "9999")

    assert [("b1",)] == rows("pixels", "batch_id")
