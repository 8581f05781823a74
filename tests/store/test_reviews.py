"""What people say of images: the latest answer stands, and every change is told."""

import msgspec
import sqlalchemy as sa

from broker.messages import Correction, PixelBatch, Review, now
from store.pixels import prune_pixels
from store.statements import Session
from store.writer import Writer
from tests.store.workbench import JOB, Make, Rows

LATER = "2026-11-22T14:00:00.000Z"


def review(
    image: str = "a.png",
    label: str = "Dress",
    at: str = LATER,
    review_id: str = "r1",
    replaces: str | None = None,
) -> Review:
    """Return an answer."""
    return Review(
        review_id=review_id,
        job_id=JOB,
        image=image,
        label=label,
        reviewer="anna",
        reviewed_at=at,
        how="asked",
        replaces=replaces,
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
            standing="r1",
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


def test_answer_that_was_taken_back_stays_so_when_it_comes_again(
    writer: Writer, rows: Rows, make: Make
) -> None:
    """A reconnect may deliver the first answer after its withdrawal."""
    writer.write([make.batch("a.png"), review(), review(label="", at="2026-11-22T15:00:00.000Z")])

    (told,) = writer.write([review()]).corrections

    assert [] == rows("reviews")
    assert ("r1", "") == (told.review_id, told.label)


def test_clock_that_runs_ahead_settles_nothing_for_ever(writer: Writer, rows: Rows, make: Make) -> None:
    """An answer from the future counts as given now, so that a later one can take its place."""
    writer.write([make.batch("a.png"), review(label="Coat", at="9999-01-01T00:00:00.000Z")])
    at = now()

    (told,) = writer.write([review(label="Shirt", at="9998-01-01T00:00:00.000Z", review_id="r2")]).corrections

    assert [("Shirt",)] == rows("reviews", "label")
    assert told.reviewed_at >= at


def test_correction_tells_what_stands(writer: Writer, rows: Rows, make: Make) -> None:
    """An answer that comes late is told of the one that was given after it."""
    writer.write([make.batch("a.png"), review(label="Coat")])

    (told,) = writer.write([review(label="Shirt", at=make.at, review_id="r0")]).corrections

    assert ("r0", "Coat") == (told.review_id, told.label)


def test_answer_that_is_put_back_keeps_its_time(writer: Writer, rows: Rows, make: Make) -> None:
    """It was said then, and what was undone does not come back to life when it comes again late."""
    undone = review(label="Shirt", at="2026-11-22T15:00:00.000Z", review_id="r2")
    writer.write([make.batch("a.png"), review(label="Coat"), undone])
    back = review(label="Coat", at="2026-11-22T16:00:00.000Z", review_id="r3", replaces="r2")
    back = msgspec.structs.replace(back, given_at=LATER)

    for _ in range(2):
        (told,) = writer.write([back]).corrections
        assert ("Coat", LATER, "r3") == (told.label, told.reviewed_at, told.standing)
    writer.write([undone])

    assert [("Coat", LATER, "r3")] == rows("reviews", "label, reviewed_at, review_id")


def test_answer_replaces_only_what_its_giver_has_seen(writer: Writer, rows: Rows, make: Make) -> None:
    """Two at the same image: the second is told of the first, and may then replace it; again is no other."""
    writer.write([make.batch("a.png"), review(label="Coat", review_id="r1", replaces="")])
    later = [f"2026-11-22T15:00:0{second}.000Z" for second in range(4)]

    def told(label: str, at: str, review_id: str, replaces: str) -> tuple[str, str]:
        (found,) = writer.write([review("a.png", label, at, review_id, replaces)]).corrections
        return found.label, found.standing

    assert ("Coat", "r1") == told("Shirt", later[0], "r2", "")
    assert ("Shirt", "r3") == told("Shirt", later[1], "r3", "r1")
    assert ("Shirt", "r3") == told("Shirt", later[1], "r3", "r1")
    assert ("Shirt", "r3") == told("", later[2], "r4", "r1")
    assert [("Shirt",)] == rows("reviews", "label")
    assert ("", "") == told("", later[3], "r5", "r3")
    assert [] == rows("reviews")


def test_label_that_is_no_class_is_put_aside(writer: Writer, rows: Rows, make: Make) -> None:
    """It would be wrong in every figure, and of no use for training."""
    outcome = writer.write([make.batch("a.png"), review(label="Hat")])

    assert {1: "Review: 'Hat' is no class of m1"} == outcome.foreign
    assert [] == rows("reviews")


def test_pixels_of_anothers_job_are_put_aside(writer: Writer, rows: Rows, make: Make) -> None:
    """Nobody puts pictures into somebody else's replay."""
    writer.write([make.batch("a.png")])
    foreign = PixelBatch(
        batch_id="b1", job_id=JOB, source="evil", images=("a.png",), shape=(1, 2, 2), pixels=bytes(4)
    )

    assert "is another source's" in writer.write([foreign]).foreign[0]
    assert [] == rows("pixels")


def test_store_that_keeps_no_pixels_writes_none(engine: sa.Engine, rows: Rows) -> None:
    """Whatever predictors on other machines send."""
    Writer(engine, keep_pixels=False).write([pixels("a.png")])

    assert [] == rows("pixels")


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
