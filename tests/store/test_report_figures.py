"""What a report shows, as sums over jobs."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from broker.messages import Expectations, ModelAnnouncement, Review
from broker.settings import Store
from store.estimates import Sums
from store.queries import reading
from store.report_figures import (
    DAY,
    HOUR,
    JOB,
    MONTH,
    ClassSums,
    Scope,
    Speed,
    alerts_of,
    classes_over_time,
    failed_by_reason,
    headline,
    parts_over_time,
    served,
    speed_over_time,
    step_of,
    suspects_by_reason,
)
from store.report_reviews import reviewed
from store.schema import alerts
from store.writer import Writer
from tests.store.workbench import JOB as FIRST
from tests.store.workbench import Make

Ask = Callable[..., Any]
EVERYTHING = Scope()
LATER = Scope(since=datetime(2026, 11, 23, tzinfo=UTC))
DOUBTFUL: dict[str, Any] = {"verdict": "suspect", "reasons": ("busy-ground", "blank")}


@pytest.fixture
def ask(anywhere: Store, writer: Writer, make: Make) -> Ask:
    """`ask(headline, EVERYTHING)`, of two jobs: three answers with a suspect and a failure; one answer."""
    answers = (make.prediction("a"), make.prediction("b"), make.prediction("c", "Coat", **DOUBTFUL))
    writer.write([make.batch(*answers, timings={"read": 0.25, "predict": 0.5}), make.failure("d")])
    writer.write([make.progress("closed", 4)])
    at = "2026-11-23T08:00:00.000Z"
    writer.write([make.progress("open", 1, job_id="second", opened_at=at)])
    writer.write([make.batch("e", batch="b9", job_id="second")])

    def asked(function: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        with reading(anywhere) as connection:
            return function(connection, *arguments, **more)

    return asked


def test_headline_counts_jobs_and_images(ask: Ask) -> None:
    """The sums are of the images that are not suspect."""
    found = ask(headline, EVERYTHING)

    assert (2, 1, 1) == (found.jobs, found.open_jobs, found.sources)
    assert (5, 4, 1, 1) == (found.images, found.stored, found.failed, found.suspect)
    assert Sums(3, 2.25, 0.5625) == found.sums


def test_headline_of_nothing_is_all_zero(ask: Ask) -> None:
    """A job that nobody knows."""
    found = ask(headline, Scope(job_id="nobody"))

    assert (0, 0, 0, None) == (found.jobs, found.images, found.stored, found.first)


def test_scope_takes_jobs_by_their_opening(ask: Ask) -> None:
    """From `since` on, before `until`, or one."""
    until = Scope(until=datetime(2026, 11, 23, 8, tzinfo=UTC))

    assert [1, 1, 1] == [ask(headline, scope).jobs for scope in (LATER, until, Scope(job_id="second"))]
    assert (1, 3) == (ask(headline, LATER).stored, ask(headline, until).stored)


def test_reasons_are_counted_each(ask: Ask) -> None:
    """An image may be suspect for two."""
    assert [("not-an-image", 1)] == ask(failed_by_reason, EVERYTHING)
    assert [("blank", 1), ("busy-ground", 1)] == ask(suspects_by_reason, EVERYTHING)
    assert [] == ask(suspects_by_reason, LATER)


def test_classes_come_by_step(ask: Ask) -> None:
    """Suspects count as images, and not for the confidence."""
    assert {
        "2026-11-22": {"Bag": ClassSums(2, 2, 1.5), "Coat": ClassSums(1, 0, 0.0)},
        "2026-11-23": {"Bag": ClassSums(1, 1, 0.75)},
    } == ask(classes_over_time, EVERYTHING, DAY)
    assert ["2026-11"] == list(ask(classes_over_time, EVERYTHING, MONTH))
    assert (0.75, None) == (ClassSums(2, 2, 1.5).mean, ClassSums(1, 0, 0.0).mean)


def test_speed_leaves_out_jobs_without_a_duration(ask: Ask) -> None:
    """A failure is an image that was answered, too."""
    assert {"2026-11-22": Speed(4, 2.0), "2026-11-23": Speed(1, 2.0)} == ask(speed_over_time, EVERYTHING, DAY)


def test_parts_are_seconds_of_all_batches(ask: Ask) -> None:
    """The store's own is from the prediction to the row."""
    found = ask(parts_over_time, Scope(job_id=FIRST), DAY)["2026-11-22"]

    assert (1, 0.25, 0.5) == (found.batches, found.seconds["read"], found.seconds["predict"])
    assert found.seconds["store"] >= 0


def test_step_is_finer_for_fewer_days(ask: Ask, writer: Writer, make: Make) -> None:
    """Two jobs have a point each; six days a point a day; a hundred jobs within a day a point an hour."""

    def open_jobs(day: str, count: int) -> None:
        at = [f"2026-{day}T{n % 24:02}:00:00.000Z" for n in range(count)]
        writer.write([make.progress("open", 1, job_id=f"{day}-{n}", opened_at=at[n]) for n in range(count)])

    assert JOB == ask(step_of, EVERYTHING)
    open_jobs("10-01", 100)
    assert HOUR == ask(step_of, EVERYTHING)
    for day in ("10-02", "10-03"):
        open_jobs(day, 1)
    assert DAY == ask(step_of, EVERYTHING)


def test_models_come_with_what_they_should_reach(ask: Ask, writer: Writer, make: Make) -> None:
    """{} where nobody has said."""
    (found,) = ask(served, EVERYTHING)
    assert ("m1", 4, {}) == (found.version, found.images, found.expectations)

    announced = ModelAnnouncement(
        version="m1",
        classes=("Bag", "Coat"),
        engine="numpy",
        input={},
        announced_at=make.at,
        expectations=Expectations(accuracy=0.875),
    )
    writer.write([announced])
    assert [0.875] == [one.expectations["accuracy"] for one in ask(served, EVERYTHING)]


def test_reviews_are_counted_by_pair_and_by_confidence(ask: Ask, writer: Writer, make: Make) -> None:
    """Of the jobs in question alone; the tenths hold what chance drew, and no choice of somebody's."""
    by: dict[str, Any] = {"reviewer": "eva", "reviewed_at": make.at, "how": "asked"}
    for image, label in (("a", "Bag"), ("b", "Shirt")):
        writer.write([Review(review_id=image, job_id=FIRST, image=image, label=label, **by)])
    found = ask(reviewed, EVERYTHING)

    assert (2, 1) == (found.images, found.right)
    assert {("Bag", "Bag"): 1, ("Shirt", "Bag"): 1} == found.pairs
    assert [(7, 2, 1, 1.5)] == [
        (i, one.images, one.right, one.confidence) for i, one in enumerate(found.bins) if one.images
    ]
    assert 0 == ask(reviewed, LATER).images
    again = {**by, "how": "selection", "reviewed_at": "2026-11-23T10:00:00.000Z"}
    writer.write([Review(review_id="c", job_id=FIRST, image="b", label="Shirt", **again)])
    found = ask(reviewed, EVERYTHING)
    assert (2, 1) == (found.images, found.drawn)


def test_alerts_are_those_open_within_the_period(ask: Ask, engine: sa.Engine) -> None:
    """Or about the job."""
    rows = [
        ("1", "closed", "2026-11-01T00:00:00.000Z", "2026-11-02T00:00:00.000Z", ""),
        ("2", "open", "2026-11-03T00:00:00.000Z", None, "second"),
        ("3", "closed", "2026-11-24T00:00:00.000Z", "2026-11-25T00:00:00.000Z", ""),
    ]
    names = ("alert_id", "state", "opened_at", "closed_at", "job_id")
    with engine.begin() as connection:
        for row in rows:
            values = {"rule": "disk", "value": 1.0, "bound": 2.0, **dict(zip(names, row, strict=True))}
            connection.execute(alerts.insert().values(**values))

    def ids(scope: Scope) -> list[str]:
        return [one.alert_id for one in ask(alerts_of, scope, limit=9)]

    assert ["3", "2", "1"] == ids(EVERYTHING)
    assert ["3", "2"] == ids(LATER)
    assert ["2", "1"] == ids(Scope(until=datetime(2026, 11, 20, tzinfo=UTC)))
    assert ["2"] == ids(Scope(job_id="second"))
