"""The reading side: what the command line and the dashboard are told."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from broker.messages import Event
from broker.settings import Store
from store import queries
from store.database import file_of, writing_engine
from store.errors import DatabaseProblem
from store.queries import (
    CanaryRow,
    ClassRow,
    EventRow,
    FailureRow,
    Job,
    PredictionRow,
    Totals,
    reading,
)
from store.schema import REVISION
from store.upgrading import upgrade
from store.writer import Writer
from tests.store.workbench import Make


@pytest.fixture
def connection(writer: Writer, make: Make, anywhere: Store) -> Iterator[sa.Connection]:
    """A reader of a database with a closed job, an open one, a canary and an event."""
    writer.write([make.batch("b.png", make.prediction("a.png", "Dress", 0.5)), make.failure("x.txt")])
    writer.write([make.progress("closed", 3)])
    later = {"job_id": "j2", "opened_at": "2026-11-23T00:00:00Z", "folder": "winter"}
    writer.write([make.progress("open", 10, **later), make.batch("c.png", batch="b2", job_id="j2")])
    writer.write([make.batch("c@2026-11-22T13:16:01Z", source="canary-shop", job_id="c1"), make.reject()])
    event = Event(
        service="store", instance="main", at=make.at, level="info", event="x", detail="y", job_id="j2"
    )
    writer.write([event])
    with reading(anywhere) as made:
        yield made


def test_jobs_newest_first(connection: sa.Connection, make: Make) -> None:
    """All jobs, with the figures of their rows."""
    found = queries.jobs(connection)
    assert [job.job_id for job in found] == ["j2", make.job]
    closed_at = "2026-11-22T13:16:03.123Z"
    figures = (3, 3, 2, 1, 2.0, 0.5, 0.25, 0.625)
    assert found[1] == Job(make.job, "shop", "autumn", "closed", make.at, closed_at, *figures)


def test_jobs_chosen(connection: sa.Connection, make: Make) -> None:
    """By state, by source, by time, by number."""
    since = datetime(2026, 11, 22, 20, tzinfo=UTC)
    chosen = [
        queries.jobs(connection, state="closed"),
        queries.jobs(connection, source="other"),
        queries.jobs(connection, since=since),
        queries.jobs(connection, limit=1),
    ]
    assert [[job.job_id for job in found] for found in chosen] == [[make.job], [], ["j2"], ["j2"]]


def test_job_by_its_id(connection: sa.Connection) -> None:
    """One job, or None."""
    found = queries.job(connection, "j2")
    assert found is not None
    assert (found.images, found.stored, found.in_flight) == (10, 1, 9)
    assert queries.job(connection, "j3") is None


def test_age_and_eta_of_an_open_job(connection: sa.Connection) -> None:
    """One image in ten seconds: nine more take ninety."""
    found = queries.job(connection, "j2")
    assert found is not None
    at = datetime(2026, 11, 23, 0, 0, 10, tzinfo=UTC)
    assert (found.age_s(at), found.eta_s(at)) == (10.0, 90.0)


def test_age_and_eta_of_a_closed_job(connection: sa.Connection, make: Make) -> None:
    """A closed job's age stands still, and nothing is to come."""
    found = queries.job(connection, make.job)
    assert found is not None
    at = datetime(2027, 1, 1, tzinfo=UTC)
    assert (found.age_s(at), found.eta_s(at)) == (2.0, 0.0)


def test_eta_of_a_job_without_a_row(connection: sa.Connection) -> None:
    """Where nothing is done yet nobody knows."""
    found = queries.job(connection, "j2")
    assert found is not None
    waiting = Job(**{**vars(found), "stored": 0})
    assert waiting.eta_s(datetime(2026, 11, 23, tzinfo=UTC)) is None


def test_rows_of_a_job(connection: sa.Connection, make: Make) -> None:
    """Its classes, predictions, failures, and every image with where it stands."""
    assert queries.classes(connection, make.job) == [ClassRow("Bag", 1, 0.75), ClassRow("Dress", 1, 0.5)]
    assert list(queries.predictions(connection, make.job)) == [
        PredictionRow("a.png", "Dress", 0.5, "ok", "", "m1", make.at),
        PredictionRow("b.png", "Bag", 0.75, "ok", "", "m1", make.at),
    ]
    failures = [FailureRow("x.txt", "not-an-image", "it is a text", make.at)]
    assert list(queries.failures(connection, make.job)) == failures
    standing = [("a.png", "stored"), ("b.png", "stored"), ("x.txt", "failed")]
    assert list(queries.images(connection, make.job)) == standing


def test_totals(connection: sa.Connection) -> None:
    """The whole database in numbers; a canary is no image."""
    assert queries.totals(connection) == Totals(
        jobs=2, open_jobs=1, predictions=3, failures=1, rejects=1, in_flight=9
    )


def test_canaries_and_events(connection: sa.Connection, make: Make) -> None:
    """The latest canary of each source, and the event log."""
    found = queries.canaries(connection)
    latency_s, stored_at = found[0].latency_s, found[0].stored_at
    sent_at = "2026-11-22T13:16:01.000Z"
    assert found == [CanaryRow("canary-shop", sent_at, stored_at, latency_s, "Bag", 0.75, "m1", "1", 1)]
    assert queries.events(connection) == [EventRow(make.at, "store", "main", "info", "x", "y", "j2", "")]
    assert queries.events(connection, job_id="j1") == []


def test_facts(connection: sa.Connection, anywhere: Store) -> None:
    """Where it is, its schema and its size."""
    found = queries.facts(connection, anywhere)
    assert found.schema == REVISION
    assert found.size_bytes is not None
    assert found.size_bytes > 10_000


def test_reader_cannot_write(connection: sa.Connection) -> None:
    """The store is the only writer."""
    with pytest.raises(sa.exc.DBAPIError, match=r"read-?only"):
        connection.exec_driver_sql("DELETE FROM predictions")


def test_reader_sees_one_moment(connection: sa.Connection, writer: Writer, make: Make) -> None:
    """What is written while somebody reads does not mix two moments."""
    before = queries.totals(connection)
    writer.write([make.batch("z.png", batch="z")])
    assert queries.totals(connection) == before


def test_database_that_is_not_there(store_settings: Store) -> None:
    """Before the store's first start there is nothing to read."""
    with pytest.raises(DatabaseProblem, match="there is no database at"), reading(store_settings):
        pass


def test_database_of_an_older_release(store_settings: Store) -> None:
    """A reader does not change a schema; it says who does."""
    engine = writing_engine(store_settings)
    engine.connect().close()
    engine.dispose()
    with pytest.raises(DatabaseProblem, match="has schema none, not 0003"), reading(store_settings):
        pass


def test_database_that_cannot_be_read(store_settings: Store) -> None:
    """A query that fails is one sentence."""
    engine = writing_engine(store_settings)
    upgrade(engine, file_of(store_settings.url))
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE events")
    engine.dispose()
    with pytest.raises(DatabaseProblem, match="cannot be read: no such table: events"):  # noqa: SIM117
        with reading(store_settings) as connection:
            queries.events(connection)
