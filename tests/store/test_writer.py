"""What stands in the tables after which messages, and what the receipts say; on every database."""

import json

import pytest
import sqlalchemy as sa

from broker.messages import (
    FailedImage,
    Prediction,
    Receipt,
    Status,
)
from store.statements import SELECT_PREDICTIONS, Session
from store.writer import Writer
from tests.store.workbench import Make, Rows

NOTHING = ((), ())


def standing(receipt: Receipt) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """Return a receipt's images with their labels, and with their reasons."""
    stored = tuple((image.image, image.label) for image in receipt.stored)
    return stored, tuple((image.image, image.reason) for image in receipt.failed)


def test_prediction_rows_after_one_batch(writer: Writer, rows: Rows, make: Make) -> None:
    """One row per image, every class in millionths, and the batch that brought it."""
    suspect = make.prediction("b.png", "Dress", 0.5, verdict="suspect", reasons=("blurred", "dark"))
    writer.write([make.batch("a.png", suspect)])
    assert rows("predictions") == [
        (
            make.job,
            "a.png",
            "Bag",
            0.75,
            "ok",
            "",
            "m1",
            make.at,
            1,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            750000,
            250000,
            "",
        ),
        (
            *(make.job, "b.png", "Dress", 0.5, "suspect", "blurred; dark", "m1", make.at, 1),
            *(0, 0, 0, 500000, 500000, 0, 0, 0, 0, 0, ""),
        ),
    ]


def test_batch_row_after_one_batch(writer: Writer, rows: Rows, make: Make) -> None:
    """A batch keeps who predicted it, when, and how long it took."""
    outcome = writer.write([make.batch("a.png", "b.png")])
    stored_at = outcome.receipts[0].stored_at
    timings = json.dumps({"predict": 0.5})
    assert rows("batches") == [(1, make.job, "b1", "m1", "1", make.at, stored_at, 2, 0, 0.5, timings, "")]


def test_job_row_for_a_client_without_a_job(writer: Writer, rows: Rows, make: Make) -> None:
    """Predictions of a job that nobody announced make its row."""
    stored_at = writer.write([make.batch("a.png", "b.png", job_id="b1")]).receipts[0].stored_at
    assert [row[:-1] for row in rows("jobs")] == [
        (
            "b1",
            "shop",
            "",
            "open",
            stored_at,
            None,
            2,
            0,
            2,
            0,
            None,
            0.5,
            0.25,
            0.75,
            1.5,
            "",
            "",
            0,
            1.5,
            0.375,
        )
    ]


def test_class_confidence_over_two_groups(writer: Writer, rows: Rows, make: Make) -> None:
    """Each class's mean covers all groups of the job."""
    writer.write([make.batch("a.png", make.prediction("b.png", "Dress", 0.5))])
    writer.write([make.batch(make.prediction("c.png", "Dress", 0.25), batch="b2")])
    assert rows("class_confidence") == [
        (make.job, "Bag", 1, 0.75, 0.75, 0, 0.75, 0.1875),
        (make.job, "Dress", 2, 0.375, 0.75, 0, 0.75, 0.4375),
    ]


def test_receipt_for_a_new_batch(writer: Writer, make: Make) -> None:
    """The receipt names every image with what stands in its row."""
    receipt = writer.write([make.batch("a.png", "b.png")]).receipts[0]
    assert (receipt.batch_id, receipt.job_id, receipt.source, receipt.kind) == (
        "b1",
        make.job,
        "shop",
        "predictions",
    )
    assert standing(receipt) == ((("a.png", "Bag"), ("b.png", "Bag")), ())


@pytest.mark.parametrize("when", ["together", "apart"])
def test_repeated_batch_changes_nothing_but_its_count(
    writer: Writer, rows: Rows, make: Make, when: str
) -> None:
    """A second delivery leaves the rows and the figures alone, in the same transaction and in a later one."""
    batch = make.batch("a.png", "b.png")
    if when == "together":
        first, second = writer.write([batch, batch]).receipts
    else:
        first, second = (writer.write([batch]).receipts[0] for _ in range(2))
    assert (first.stored, first.failed) == (second.stored, second.failed)
    assert rows("jobs", "stored, failed, images, predict_s, mean_confidence") == [(2, 0, 2, 0.5, 0.75)]
    assert rows("batches", "batch_id, repeated") == [("b1", 1)]
    assert len(rows("predictions")) == 2


def test_repeat_by_another_model_gets_the_first_answer(writer: Writer, rows: Rows, make: Make) -> None:
    """A resend that another model predicted is answered with what stands in the database."""
    first = writer.write([make.batch("a.png")]).receipts[0]
    other = make.batch(
        make.prediction("a.png", "Coat"), model_version="m2", predicted_at="2026-11-22T14:00:00Z"
    )
    second = writer.write([other]).receipts[0]
    assert second.stored == first.stored
    assert rows("predictions", "image, label, model_version") == [("a.png", "Bag", "m1")]


def test_image_in_two_batches_counts_once(writer: Writer, rows: Rows, make: Make) -> None:
    """Batches that overlap under different ids write each image once; the later receipt says what stands."""
    writer.write([make.batch("a.png", "b.png")])
    mixed = make.batch(make.prediction("b.png", "Coat"), make.prediction("c.png", "Coat"), batch="b2")
    receipt = writer.write([mixed]).receipts[0]
    assert standing(receipt) == ((("b.png", "Bag"), ("c.png", "Coat")), ())
    assert rows("predictions", "image, label") == [("a.png", "Bag"), ("b.png", "Bag"), ("c.png", "Coat")]
    assert rows("class_confidence", "label, images") == [("Bag", 2), ("Coat", 1)]
    assert rows("jobs", "stored, images") == [(3, 3)]


def test_repeated_id_with_other_images_stores_them(writer: Writer, rows: Rows, make: Make) -> None:
    """A client that uses a batch id again loses no image."""
    writer.write([make.batch("a.png")])
    receipt = writer.write([make.batch("a.png", "b.png")]).receipts[0]
    assert standing(receipt) == ((("a.png", "Bag"), ("b.png", "Bag")), ())
    assert rows("jobs", "stored, images") == [(2, 2)]


def test_failure_becomes_a_row(writer: Writer, rows: Rows, make: Make) -> None:
    """A failure has its row, its count and its receipt."""
    receipt = writer.write([make.failure("a.txt")]).receipts[0]
    assert rows("failures") == [(make.job, "a.txt", "not-an-image", "it is a text", make.at, "f1")]
    assert (receipt.kind, *standing(receipt)) == ("failure", (), (("a.txt", "not-an-image"),))
    assert rows("jobs", "stored, failed, images") == [(0, 1, 1)]


@pytest.mark.parametrize("when", ["together", "apart"])
def test_prediction_after_a_failure_stays_out(writer: Writer, rows: Rows, make: Make, when: str) -> None:
    """An image that has failed gets no prediction; the receipt says so."""
    messages = [make.failure("a.png"), make.batch("a.png", "b.png")]
    groups = [messages] if when == "together" else [[message] for message in messages]
    receipt = [writer.write(group) for group in groups][-1].receipts[-1]
    assert standing(receipt) == ((("b.png", "Bag"),), (("a.png", "not-an-image"),))
    assert (rows("predictions", "image"), rows("failures", "image")) == ([("b.png",)], [("a.png",)])
    assert rows("jobs", "stored, failed, images") == [(1, 1, 2)]


@pytest.mark.parametrize("when", ["together", "apart"])
def test_failure_after_a_prediction_stays_out(writer: Writer, rows: Rows, make: Make, when: str) -> None:
    """An image that is stored cannot fail; the receipt says so."""
    messages = [make.batch("a.png"), make.failure("a.png")]
    groups = [messages] if when == "together" else [[message] for message in messages]
    receipt = [writer.write(group) for group in groups][-1].receipts[-1]
    assert (receipt.kind, *standing(receipt)) == ("failure", (("a.png", "Bag"),), ())
    assert rows("failures") == []
    assert rows("jobs", "stored, failed, images") == [(1, 0, 1)]


def test_failure_twice_keeps_the_first(writer: Writer, rows: Rows, make: Make) -> None:
    """A repeated failure is answered with the row that stands."""
    writer.write([make.failure("a.txt")])
    receipt = writer.write([make.failure("a.txt", reason="other", batch="f2")]).receipts[0]
    assert receipt.failed == (FailedImage(image="a.txt", reason="not-an-image", detail="it is a text"),)
    assert rows("jobs", "failed, images") == [(1, 1)]


def test_classes_without_a_column_stand_as_json(writer: Writer, rows: Rows, make: Make) -> None:
    """Another model's classes are kept too; a class that it does not know is NULL."""
    odd = Prediction(image="a.png", label="Hat", confidence=0.9, probabilities={"Hat": 0.9, "Bag": 0.1})
    writer.write([make.batch(odd)])
    shares = (None,) * 8 + (100000, None, '{"Hat": 0.9}')
    assert [row[-11:] for row in rows("predictions")] == [shares]


def test_group_with_one_impossible_message_leaves_nothing(writer: Writer, rows: Rows, make: Make) -> None:
    """All of a group or none of it."""
    status = Status(service="a", instance="b", state="online", pid=1, host="c", version="d", since=make.at)
    with pytest.raises(TypeError, match="no table for Status"):
        writer.write([make.batch("a.png"), status])
    assert [rows(table) for table in ("jobs", "predictions", "batches", "models")] == [[], [], [], []]


def test_batch_of_the_largest_size(writer: Writer, rows: Rows, make: Make) -> None:
    """4,096 images are one batch, its repeat is read back at once."""
    batch = make.batch(*[f"{n}.png" for n in range(4096)])
    first, second = writer.write([batch, make.failure("x"), batch]).receipts[::2]
    assert first.stored == second.stored
    assert rows("jobs", "stored, failed") == [(4096, 1)]


def test_two_writers_take_turns(engine: sa.Engine, make: Make, rows: Rows) -> None:
    """A second writer waits for the first one's transaction instead of failing or doubling."""
    writers = [Writer(engine), Writer(engine)]
    for number in range(20):
        writers[number % 2].write([make.batch(f"{number // 2}.png", batch=f"b{number // 2}")])
    assert len(rows("predictions")) == 10


def test_names_are_asked_for_in_parts(engine: sa.Engine, writer: Writer, make: Make) -> None:
    """More names than a statement takes values are looked up all the same."""
    writer.write([make.batch("a.png", "z.png")])
    names = ["a.png", *[f"{n}.png" for n in range(260_000)], "z.png"]
    with engine.begin() as connection:
        found = Session(connection).among(SELECT_PREDICTIONS, make.job, names)
    assert [row.image for row in found] == ["a.png", "z.png"]
