"""What is old goes, a little at a time: whole jobs, the oldest first, and never what somebody reviewed."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from broker.messages import PixelBatch, Review, ShadowBatch
from broker.settings import Store, Upkeep
from store import retention
from store.retention import Amount, Retention, plan
from store.writer import Writer
from tests.store.workbench import AT, Bench, Make, Rows

NOW = datetime(2026, 11, 27, tzinfo=UTC)
"""Five days after the jobs of these tests were closed."""

OF_JOBS = ("jobs", "batches", "predictions", "failures", "class_confidence", "pixels", "shadows")
Clear = Callable[..., Amount]


@pytest.fixture
def clear(anywhere: Store, engine: sa.Engine) -> Iterator[Clear]:
    """`clear(keep_days=30)`: delete until nothing more is due; return what went."""
    made: list[Retention] = []

    def run(at: datetime = NOW, **limits: Any) -> Amount:
        made.append(Retention(anywhere, Upkeep(**limits)))
        for _ in range(100):
            gone = made[-1].step(at)
            if gone is not None:
                return gone
        raise AssertionError("there is always more to delete")

    yield run
    for one in made:
        one.close()


@pytest.fixture
def add(writer: Writer, make: Make) -> Callable[..., None]:
    """`add("old", images=3, closed_at="2026-11-22T…")`: a closed job with all that belongs to one."""

    def job(job_id: str, *, images: int = 2, closed_at: str = AT) -> None:
        names = tuple(f"{n}.png" for n in range(images))
        writer.write(
            [
                PixelBatch(
                    batch_id="b1",
                    job_id=job_id,
                    source="shop",
                    images=names,
                    shape=(images, 1, 1),
                    pixels=bytes(images),
                ),
                make.batch(*names, job_id=job_id),
                ShadowBatch(
                    **{
                        field: getattr(make.batch(*names, job_id=job_id, model_version="trial"), field)
                        for field in make.batch("x").__struct_fields__
                    }
                ),
                make.failure("bad.png", job_id=job_id),
                make.progress("closed", images + 1, job_id=job_id, closed_at=closed_at),
            ]
        )

    return job


def review(job_id: str, image: str) -> Review:
    """Return somebody's answer."""
    return Review(
        review_id=f"r-{image}", job_id=job_id, image=image, label="Coat", reviewer="anna", reviewed_at=AT
    )


def test_old_job_goes_as_a_whole(clear: Clear, add: Callable[..., None], rows: Rows) -> None:
    """Nothing of it is left in any table, and the younger one is as it was."""
    add("old")
    add("young", closed_at="2026-11-26T13:16:03.123Z")
    before = {table: rows(table) for table in OF_JOBS}

    assert Amount(jobs=1, predictions=2, failures=1) == clear(keep_days=3)

    after = {table: rows(table) for table in OF_JOBS}
    assert {t: [r for r in found if "old" not in r] for t, found in before.items()} == after
    assert all(after.values())


def test_nothing_goes_without_a_limit(clear: Clear, add: Callable[..., None], rows: Rows) -> None:
    """As it is shipped, jobs stay for ever."""
    add("old")
    assert Amount() == clear(at=datetime(2099, 1, 1, tzinfo=UTC), keep_events_days=0)
    assert 2 == len(rows("predictions"))


def test_open_job_of_an_agent_stays(clear: Clear, writer: Writer, make: Make, rows: Rows) -> None:
    """However old: its images wait for their rows."""
    writer.write([make.batch("a.png"), make.progress("open", 2)])
    assert Amount() == clear(keep_days=1)
    assert 1 == len(rows("jobs"))


def test_job_of_a_client_goes_when_nothing_has_come_for_long(
    clear: Clear, writer: Writer, make: Make, rows: Rows
) -> None:
    """No agent ever closes it; its latest batch was stored just now, so that the time is told from there."""
    writer.write([make.batch("a.png", job_id="asked")])
    assert Amount() == clear(keep_days=1)

    assert Amount(jobs=1, predictions=1) == clear(at=datetime(2199, 1, 1, tzinfo=UTC), keep_days=1)
    assert [] == rows("jobs")


def test_reviewed_image_stays_with_its_job_and_its_pixels(
    clear: Clear, add: Callable[..., None], writer: Writer, make: Make, rows: Rows
) -> None:
    """The rest of the job goes, batches without a reviewed image too, and that is all there is to do."""
    add("old", images=3)
    writer.write([make.batch("late.png", batch="b2", job_id="old"), review("old", "1.png")])

    assert Amount(predictions=3, failures=1) == clear(keep_days=3)

    assert [("old", "1.png")] == rows("predictions", "job_id, image")
    assert [("b1",)] == rows("batches", "batch_id")
    assert [("b1",)] == rows("pixels", "batch_id")
    assert [("1.png", "Coat")] == rows("reviews", "image, label")
    assert [("old",)] == rows("jobs", "job_id")
    assert [] == rows("failures")
    assert Amount() == clear(keep_days=3)


def test_answer_that_was_taken_back_holds_nothing(
    clear: Clear, add: Callable[..., None], writer: Writer, rows: Rows
) -> None:
    """The withdrawal goes with its job."""
    add("old")
    taken_back = Review(review_id="r2", job_id="old", image="1.png", label="", reviewer="a", reviewed_at=AT)
    writer.write([review("old", "1.png"), taken_back])
    assert 1 == clear(keep_days=3).jobs
    assert [] == rows("withdrawals")


def test_large_job_goes_in_small_transactions(
    clear: Clear, add: Callable[..., None], rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step deletes a bounded number of rows; the job's own row is the last to go."""
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 4)
    add("old", images=11)
    assert Amount(jobs=1, predictions=11, failures=1) == clear(keep_days=3)
    assert [] == rows("jobs")


def test_oldest_job_goes_first_and_only_as_many_as_the_limit_of_bytes_asks(
    store_settings: Store, tmp_path: object, make: Make
) -> None:
    """Free pages count as free: the file itself keeps its size, and what comes next is written into them."""
    from store import database, upgrading  # noqa: PLC0415

    engine = database.writing_engine(store_settings)
    upgrading.upgrade(engine, database.file_of(store_settings.url))
    writer = Writer(engine)
    for day in (20, 21, 22):
        names = [f"{n}.png" for n in range(2000)]
        progress = make.progress(
            "closed", 2000, job_id=f"job-{day}", closed_at=f"2026-11-{day}T10:00:00.000Z"
        )
        writer.write([make.batch(*names, job_id=f"job-{day}"), progress])
    with engine.connect() as connection:
        used = retention.used_bytes(connection)
        assert used is not None
        limits = Upkeep(keep_bytes=used - 50_000)
        planned = plan(connection, limits, NOW)
    clearing = Retention(store_settings, limits)
    while (gone := clearing.step(NOW)) is None:
        pass
    clearing.close()
    with engine.connect() as connection:
        left = connection.exec_driver_sql("SELECT job_id FROM jobs ORDER BY job_id").scalars().all()
        used = retention.used_bytes(connection)
        assert used is not None
        assert used <= limits.keep_bytes
    engine.dispose()
    assert (1, 2000) == (planned.jobs, planned.predictions)
    assert Amount(jobs=1, predictions=2000) == gone
    assert ["job-21", "job-22"] == left


def test_limit_of_bytes_leaves_the_last_day_alone(store_settings: Store, make: Make) -> None:
    """Such a job may still be resent: rather too large than twice."""
    from store import database, upgrading  # noqa: PLC0415

    engine = database.writing_engine(store_settings)
    upgrading.upgrade(engine, database.file_of(store_settings.url))
    Writer(engine).write([make.batch("a.png"), make.progress("closed", 1)])
    clearing = Retention(store_settings, Upkeep(keep_bytes=1))
    gone = clearing.step(datetime(2026, 11, 23, tzinfo=UTC))
    clearing.close()
    engine.dispose()
    assert Amount() == gone


def test_old_events_and_rejects_go(clear: Clear, writer: Writer, make: Make, rows: Rows) -> None:
    """By their own time, whatever jobs are kept."""
    from broker.messages import Event  # noqa: PLC0415

    def event(at: str) -> Event:
        return Event(service="store", instance="main", at=at, level="info", event="x")

    writer.write([event(AT), event("2026-11-26T00:00:00Z"), make.reject()])
    assert Amount(events=1, rejects=1) == clear(keep_events_days=3)
    assert [("2026-11-26T00:00:00.000Z",)] == rows("events", "at")


def test_plan_is_what_goes(
    clear: Clear, add: Callable[..., None], writer: Writer, engine: sa.Engine, make: Make
) -> None:
    """`--dry-run` counts what the store then deletes."""
    add("old")
    add("reviewed")
    writer.write([review("reviewed", "0.png"), make.reject()])
    with engine.connect() as connection:
        planned = plan(connection, Upkeep(keep_days=3, keep_events_days=3), NOW)
    gone = clear(keep_days=3, keep_events_days=3)
    assert planned == Amount(
        **{**{f: getattr(gone, f) for f in gone.__dataclass_fields__}, "bytes": planned.bytes}
    )
    assert Amount(jobs=1, predictions=3, failures=2, rejects=1, bytes=planned.bytes) == planned
    assert planned.bytes > 0


def test_store_says_what_it_deleted(bench: Bench, make: Make) -> None:
    """One line in the event log, and the line goes on."""
    clock = [0.0]
    bench.send(make.batch("a.png"), make.progress("closed", 1))
    bench.work()
    bench.service.retention.close()
    bench.service.retention = Retention(bench.settings, Upkeep(keep_days=0.000001), clock=lambda: clock[0])
    clock[0] = 100.0
    found: list[bytes] = []
    for _ in range(5):
        clock[0] += 1.0
        bench.work()
        found += [payload for payload in bench.heard("events") if b'"retention"' in payload]
    assert 1 == len(found)
    assert b"deleted, since too old to keep: 1 job, 1 prediction" in found[0]
