"""Jobs, canaries, models, rejects and events: their rows, and what is said of them; on every database."""

import json

import pytest

from broker.messages import (
    ClassSummary,
    Event,
    JobSummary,
    ModelAnnouncement,
    Receipt,
)
from store.schema import CLASSES
from store.writer import Writer
from tests.store.workbench import Make, Rows

NOTHING = ((), ())


def standing(receipt: Receipt) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """Return a receipt's images with their labels, and with their reasons."""
    stored = tuple((image.image, image.label) for image in receipt.stored)
    return stored, tuple((image.image, image.reason) for image in receipt.failed)


def test_reject_that_names_a_batch_fails_its_images(writer: Writer, rows: Rows, make: Make) -> None:
    """A rejected batch's images get their rows in `failures`; those that are stored stay stored."""
    named = {"batch_id": "b2", "job_id": make.job, "source": "shop", "images": ("a.png", "b.png", "b.png")}
    receipt = writer.write([make.batch("a.png"), make.reject(**named)]).receipts[1]
    assert (receipt.batch_id, receipt.kind) == ("b2", "predictions")
    assert standing(receipt) == ((("a.png", "Bag"),), (("b.png", "rejected"),))
    detail = "predictor_service: poison: it failed twice"
    assert rows("failures") == [(make.job, "b.png", "rejected", detail, make.at, "b2")]
    assert rows("jobs", "stored, failed, images") == [(1, 1, 2)]


def test_reject_becomes_a_row(writer: Writer, rows: Rows, make: Make) -> None:
    """A reject that names no batch is a row and nothing else."""
    outcome = writer.write([make.reject()])
    topic = "tailorbird/v1/pixels/shop"
    expected = (1, make.at, "predictor_service", "1", topic, "poison", "it failed twice", b"\x00\xff", 784)
    assert [(*row[:7], bytes(row[7]), *row[8:]) for row in rows("rejects")] == [(*expected, "", "", "", 0)]
    assert (outcome.receipts, rows("jobs")) == ([], [])


@pytest.mark.parametrize("wrong", [{"source": "no/source"}, {"job_id": ""}, {"batch_id": "a b"}])
def test_reject_with_names_that_are_none_is_a_row_only(
    writer: Writer, rows: Rows, make: Make, wrong: dict[str, str]
) -> None:
    """Ids that no message may have make no job, no failure and no receipt."""
    named = {"batch_id": "b2", "job_id": make.job, "source": "shop", "images": ("a.png",)} | wrong
    assert writer.write([make.reject(**named)]).receipts == []
    assert (len(rows("rejects")), rows("jobs"), rows("failures")) == (1, [], [])


def test_job_from_open_to_closed(writer: Writer, rows: Rows, make: Make) -> None:
    """An announced job has its folder and times; closing it is answered and summed up."""
    writer.write([make.progress("open", 3), make.batch("a.png", make.prediction("b.png", "Dress", 0.5))])
    outcome = writer.write([make.failure("c.txt"), make.progress("closed", 3)])
    closed_at = "2026-11-22T13:16:03.123Z"
    mean = 0.625
    job = (make.job, "shop", "autumn", "closed", make.at, closed_at, 3, 3, 2, 1, 2.0, 0.5, 0.25, mean, 1.25)
    (row,) = rows("jobs")
    assert row[:-1] == (*job, '{"read": 0.25}', "", 0, 1.25, 0.4375)
    assert [(receipt.batch_id, receipt.kind) for receipt in outcome.receipts] == [
        ("f1", "failure"),
        ("j-closed", "job"),
    ]
    assert outcome.summaries == [
        JobSummary(
            job_id=make.job,
            source="shop",
            folder="autumn",
            opened_at=make.at,
            closed_at=closed_at,
            images=3,
            stored=2,
            failed=1,
            process_s=2.0,
            predict_s=0.5,
            time_per_prediction_s=0.25,
            mean_confidence=mean,
            classes={
                "Bag": ClassSummary(images=1, mean_confidence=0.75),
                "Dress": ClassSummary(images=1, mean_confidence=0.5),
            },
            timings={"read": 0.25, "predict": 0.5, "store": row[-1]},
        )
    ]


def test_predictions_after_the_closing_correct_the_figures(writer: Writer, rows: Rows, make: Make) -> None:
    """In the wrong order the job's figures come right, and a new summary says so."""
    first = writer.write([make.progress("closed", 2)])
    assert (first.summaries[0].stored, first.summaries[0].mean_confidence) == (0, None)
    second = writer.write([make.batch("a.png", "b.png")])
    assert (second.summaries[0].stored, second.summaries[0].mean_confidence) == (2, 0.75)
    assert rows("jobs", "state, stored, images") == [("closed", 2, 2)]


def test_late_opening_leaves_a_closed_job_closed(writer: Writer, rows: Rows, make: Make) -> None:
    """What comes late from an open job changes nothing of a closed one, and gets no receipt."""
    writer.write([make.progress("closed", 2)])
    outcome = writer.write([make.progress("open", 1)])
    assert (outcome.receipts, outcome.summaries) == ([], [])
    assert rows("jobs", "state, images, process_s") == [("closed", 2, 2.0)]


def test_closing_again_is_answered_again(writer: Writer, make: Make) -> None:
    """A closing whose receipt was lost is answered and summed up once more."""
    writer.write([make.progress("closed", 0)])
    outcome = writer.write([make.progress("closed", 0)])
    assert [receipt.kind for receipt in outcome.receipts] == ["job"]
    assert len(outcome.summaries) == 1


def test_repeat_after_closing_makes_no_summary(writer: Writer, make: Make) -> None:
    """A repeated batch changes no figure of a closed job, so it brings no new summary."""
    writer.write([make.batch("a.png"), make.progress("closed", 1)])
    assert writer.write([make.batch("a.png")]).summaries == []


def test_open_progress_counts_upwards_only(writer: Writer, rows: Rows, make: Make) -> None:
    """Progress that arrives in the wrong order does not count backwards."""
    writer.write([make.progress("open", 5), make.progress("open", 3)])
    assert rows("jobs", "images, sent") == [(5, 5)]


def test_canary_stands_in_its_own_table_alone(writer: Writer, rows: Rows, make: Make) -> None:
    """A canary is answered and timed, and no job and no prediction knows of it."""
    name = "canary@2026-11-22T13:16:01.000Z"
    for number in ("c1", "c2"):
        batch = make.batch(name, batch=number, source="canary-shop", job_id=number)
        receipt = writer.write([batch]).receipts[0]
    assert standing(receipt) == (((name, "Bag"),), ())
    found = rows("canaries")
    latency_s = found[0][5]
    sent_at = "2026-11-22T13:16:01.000Z"
    expected = ("canary-shop", "c2", name, sent_at, receipt.stored_at, latency_s, "Bag", 0.75, "m1", "1", 2)
    assert found == [expected]
    assert [rows(table) for table in ("jobs", "predictions", "batches", "models")] == [[], [], [], []]


def test_canary_sent_when_its_job_says(writer: Writer, rows: Rows, make: Make) -> None:
    """Without a time in its name a canary was sent when its job's id says; without any nobody knows."""
    writer.write([make.batch("shirt", source="canary-a", job_id="canary-a-20261122T131600Z-1a2b3c4d")])
    writer.write([make.batch("shirt", source="canary-b", job_id="b1")])
    assert rows("canaries", "source, sent_at") == [
        ("canary-a", "2026-11-22T13:16:00.000Z"),
        ("canary-b", None),
    ]


def test_canary_job_and_failure_leave_no_rows(writer: Writer, rows: Rows, make: Make) -> None:
    """Whatever else a canary's source says is answered and not kept."""
    source = {"source": "canary-shop"}
    named = {"batch_id": "b2", "job_id": make.job, "images": ("a.png",), **source}
    outcome = writer.write(
        [make.failure("a", **source), make.progress("closed", 1, **source), make.reject(**named)]
    )
    assert [(receipt.kind, *standing(receipt)) for receipt in outcome.receipts] == [
        ("failure", *NOTHING),
        ("job", *NOTHING),
    ]
    assert [rows(table) for table in ("jobs", "failures")] == [[], []]


def test_model_known_by_its_predictions_then_by_its_announcement(
    writer: Writer, rows: Rows, make: Make
) -> None:
    """A model has its row from its first prediction on; the announcement fills it."""
    stored_at = writer.write([make.batch("a.png")]).receipts[0].stored_at
    classes = json.dumps(list(CLASSES))
    assert rows("models") == [("m1", classes, "", "", stored_at, None, "")]
    said = ModelAnnouncement(
        version="m1", classes=CLASSES, input={"width": 28}, engine="openvino", announced_at=make.at
    )
    writer.write([said])
    assert rows("models") == [("m1", classes, "openvino", '{"width": 28}', stored_at, make.at, "")]


def test_event_becomes_a_row(writer: Writer, rows: Rows, make: Make) -> None:
    """An event stands in the log with its time in milliseconds."""
    event = Event(
        service="store", instance="main", at="2026-11-22T13:16:01Z", level="info", event="x", detail="y"
    )
    writer.write([event])
    assert rows("events") == [(1, "2026-11-22T13:16:01.000Z", "store", "main", "info", "x", "y", "", "")]


def test_job_of_one_class_is_flagged_once(writer: Writer, rows: Rows, make: Make) -> None:
    """More than 80 % of 30 images: the row, the summary and, when it is new, a word for the event log."""
    images = [make.prediction(f"{i}.png", "Bag" if i < 25 else "Coat") for i in range(30)]
    outcome = writer.write([make.batch(*images), make.progress("closed", 30)])
    assert [one.flags for one in outcome.summaries] == [("one-class: Bag 83 %",)]
    assert outcome.flagged == outcome.summaries
    assert rows("jobs", "flags") == [("one-class: Bag 83 %",)]
    assert writer.write([make.progress("closed", 30)]).flagged == []


@pytest.mark.parametrize(("bags", "images"), [(24, 30), (29, 29), (0, 0)])
def test_job_of_several_classes_or_few_images_is_not(
    writer: Writer, rows: Rows, make: Make, bags: int, images: int
) -> None:
    """80 % are no more than 80 %, and a small delivery of one kind is no sign of anything."""
    made = [make.prediction(f"{i}.png", "Bag" if i < bags else "Coat") for i in range(images)]
    writer.write([make.batch(*made)] if made else [])
    outcome = writer.write([make.progress("closed", images)])
    assert (outcome.flagged, rows("jobs", "flags")) == ([], [("",)])
