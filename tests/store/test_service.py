"""The loop: what is written and said, in which order, and what happens when the world is not well."""

import sqlite3
import threading
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa

from broker.connection import Capabilities
from broker.messages import Event, JobSummary, Message, Reject, decode, encode
from broker.settings import Store
from store.database import file_of
from store.errors import DatabaseProblem
from store.writer import Outcome, Writer
from tests.store.workbench import Bench, Make, at_work
from tests.waiting import until


def plain_error(text: str) -> sqlite3.OperationalError:
    """Return an error of which SQLite says no more than this text."""
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = sqlite3.SQLITE_ERROR
    return error


class Allergic(Writer):
    """A writer that cannot stand one image."""

    def __init__(self, engine: sa.Engine, error: Exception) -> None:
        super().__init__(engine)
        self.error = error
        self.groups: list[int] = []

    def write(self, messages: Any) -> Outcome:
        """Fail as the database would when the image is in the group."""
        self.groups.append(len(messages))
        if any("poison.png" in str(message) for message in messages if not isinstance(message, Reject)):
            raise self.error
        return super().write(messages)


def test_batch_is_written_answered_and_acknowledged(bench: Bench, make: Make) -> None:
    """One step does it all for what waits."""
    bench.send(make.batch("a.png", "b.png"), make.failure("c.txt"), make.progress("closed", 3))
    bench.work()
    assert bench.read("SELECT image FROM predictions") == [("a.png",), ("b.png",)]
    assert [receipt.batch_id for receipt in bench.receipts()] == ["b1", "f1", "j-closed"]
    assert bench.unacknowledged == 0


def test_summary_is_published_when_a_job_closes(bench: Bench, make: Make) -> None:
    """Subscribers get the closed job's figures."""
    bench.send(make.batch("a.png"), make.progress("closed", 1))
    bench.work()
    summary = decode(JobSummary, bench.heard("summaries")[0])
    assert (summary.job_id, summary.stored, summary.mean_confidence) == (make.job, 1, 0.75)


def test_receipt_follows_the_commit(bench: Bench, make: Make) -> None:
    """When the receipt is on its way, another connection sees the rows."""
    seen = []
    publish = bench.connection.publish

    def look(topic: str, payload: bytes, **properties: Any) -> None:
        seen.append((bench.topics.kind(topic), len(bench.read("SELECT image FROM predictions"))))
        publish(topic, payload, **properties)

    bench.connection.publish = look  # type: ignore[method-assign]
    bench.send(make.batch("a.png", "b.png"))
    bench.work()
    assert seen == [("receipts", 2)]


def test_group_is_bounded_by_rows(store_settings: Store, make: Make) -> None:
    """What waits beyond the bound waits for the next transaction."""
    with at_work(Store(url=store_settings.url, min_free_mb=0, group_rows=100)) as bench:
        bench.send(*[make.batch(f"{n}.png", batch=f"b{n}") for n in range(200)])
        bench.work()
        written = len(bench.read("SELECT image FROM predictions"))
        bench.work(4)
    assert 100 <= written < 200
    assert len(bench.read("SELECT image FROM predictions")) == 200


def test_events_of_the_store_itself_become_rows(bench: Bench) -> None:
    """What the store says about itself comes back over the broker into the event log."""
    bench.line.event("info", "hello", "from the store")
    bench.work()
    assert bench.read("SELECT service, event, detail FROM events")[-1] == (
        "store",
        "hello",
        "from the store",
    )


@pytest.mark.parametrize(
    "kind",
    ["predictions/shop", "failures/shop", "jobs/shop", "rejects/x", "events/x", "model"],
)
def test_garbage_is_rejected_and_the_line_goes_on(bench: Bench, make: Make, kind: str) -> None:
    """What is no message is put aside, told, stored as a reject and acknowledged."""
    bench.send((f"tailorbird/v1/{kind}", b"\x00garbage"), make.batch("a.png"))
    bench.work(2)
    assert [receipt.batch_id for receipt in bench.receipts()] == ["b1"]
    assert bench.read("SELECT topic, reason, first_bytes FROM rejects") == [
        (f"tailorbird/v1/{kind}", "invalid", b"\x00garbage")
    ]
    assert ("message-rejected",) in bench.read("SELECT event FROM events")
    assert bench.unacknowledged == 0


def test_reject_of_more_names_than_a_batch_stops_nothing(bench: Bench, make: Make) -> None:
    """A well-formed message with tens of thousands of names is put aside, and its neighbours are stored."""
    names = tuple(f"{n}.png" for n in range(40_000))
    bench.send(make.reject(batch_id="x", job_id=make.job, source="shop", images=names), make.batch("a.png"))
    bench.work(2)
    assert [receipt.batch_id for receipt in bench.receipts()] == ["b1"]
    assert bench.read("SELECT reason FROM rejects") == [("invalid",)]
    assert bench.unacknowledged == 0


def test_foreign_source_is_rejected(bench: Bench, make: Make) -> None:
    """A message that names another source than its topic gets no receipt."""
    bench.send(("tailorbird/v1/predictions/other", encode(make.batch("a.png"))))
    bench.work()
    reject = decode(Reject, bench.heard("rejects")[0])
    assert (reject.reason, reject.detail) == (
        "invalid",
        "PredictionBatch: source 'shop' stands on another's topic",
    )


@pytest.mark.parametrize("when", ["together", "apart"])
@pytest.mark.parametrize("kind", ["predictions", "failures", "jobs", "rejects"])
def test_another_sources_job_is_left_alone(bench: Bench, make: Make, kind: str, when: str) -> None:
    """What names a job of another source is put aside at once and changes no row; the others are stored."""
    foreign: dict[str, Message] = {
        "predictions": make.batch("b.png", batch="b2", source="evil"),
        "failures": make.failure("b.png", source="evil"),
        "jobs": make.progress("closed", 7, source="evil"),
        "rejects": make.reject(batch_id="b3", job_id=make.job, source="evil", images=("b.png",)),
    }
    bench.send(make.batch("a.png"))
    if when == "apart":
        bench.work()
    topic = f"tailorbird/v1/{kind}/evil"
    bench.send((topic, encode(foreign[kind])), make.batch("c.png", batch="b4"))
    bench.work(3)
    assert [receipt.batch_id for receipt in bench.receipts()] == ["b1", "b4"]
    assert bench.read("SELECT topic, reason, images FROM rejects") == [(topic, "invalid", 0)]
    assert bench.read("SELECT source, state, stored, failed, images FROM jobs") == [("shop", "open", 2, 0, 2)]
    assert bench.unacknowledged == 0


@pytest.mark.parametrize(
    "error",
    [
        sa.exc.IntegrityError("x", None, ValueError("no")),
        sa.exc.DataError("x", None, ValueError("no")),
        sa.exc.OperationalError("x", None, plain_error("too many SQL variables")),
        KeyError("x"),
    ],
)
def test_poison_among_good_messages_is_put_aside_alone(bench: Bench, make: Make, error: Exception) -> None:
    """The group is divided until the bad message is alone; it fails for good and the others are stored."""
    bench.service.writer = Allergic(bench.service.engine, error)
    good = [make.batch(f"{n}.png", batch=f"b{n}") for n in range(7)]
    bench.send(*good[:3], make.batch("poison.png", "c.png", batch="bad"), *good[3:])
    bench.work()
    receipts = bench.receipts()
    assert sorted(receipt.batch_id for receipt in receipts) == [f"b{n}" for n in range(7)]
    bench.work()
    answer = bench.receipts()
    assert [(a.batch_id, [(f.image, f.reason) for f in a.failed]) for a in answer] == [
        ("bad", [("poison.png", "rejected"), ("c.png", "rejected")])
    ]
    assert bench.read("SELECT reason, batch_id, images FROM rejects") == [("poison", "bad", 2)]
    assert bench.unacknowledged == 0


def test_receipt_larger_than_the_broker_takes_comes_in_parts(bench: Bench, make: Make) -> None:
    """The parts name every image once."""
    names = [f"{n}.png" for n in range(100)]
    bench.send(make.failure("50.png"), make.batch(*names))
    bench.broker.capabilities = Capabilities(maximum_packet_size=2000)
    bench.work()
    receipts = [one for one in bench.receipts() if one.batch_id == "b1"]
    said = [image.image for one in receipts for image in one.stored]
    said += [image.image for one in receipts for image in one.failed]
    assert sorted(said) == sorted(names)
    assert bench.unacknowledged == 0


def test_poison_alone_fails_twice_before_it_is_put_aside(bench: Bench, make: Make) -> None:
    """A message that came alone gets its second try."""
    allergic = Allergic(bench.service.engine, ValueError("no"))
    bench.service.writer = allergic
    bench.send(make.failure("poison.png"))
    bench.work()
    assert allergic.groups == [1, 1]
    assert decode(Reject, bench.heard("rejects")[0]).images == ("poison.png",)


def test_reject_that_cannot_be_written_goes_round_no_longer(bench: Bench, make: Make) -> None:
    """A reject that fails is told and forgotten: it has been put aside once."""

    class Refusing(Writer):
        def write(self, messages: Any) -> Outcome:
            if any(isinstance(message, Reject) for message in messages):
                raise ValueError("no rejects today")
            return super().write(messages)

    bench.service.writer = Refusing(bench.service.engine)
    bench.send(make.reject())
    bench.work(3)
    assert "reject-lost" in bench.words()
    assert bench.unacknowledged == 0


def test_foreign_database_ends_the_store(store_settings: Store) -> None:
    """A file that is somebody else's is refused before anything is taken."""
    path = file_of(store_settings.url)
    assert path is not None
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE guests (name TEXT)")
    bench = Bench(store_settings)
    with bench.line, pytest.raises(DatabaseProblem, match="holds other tables already"):
        bench.service.run()


def test_run_returns_when_the_line_stops(store_settings: Store, make: Make) -> None:
    """The whole loop: open, work, stop."""
    bench = Bench(store_settings)
    with bench.line:
        thread = threading.Thread(target=bench.service.run)
        thread.start()
        bench.send(make.batch("a.png"))
        until(lambda: bench.receipts() != [])
        bench.line.stop()
        thread.join(timeout=60)
    assert not thread.is_alive()
    assert bench.unacknowledged == 0


def test_message_kinds_without_source_are_written(bench: Bench, make: Make) -> None:
    """An event and a reject of some service reach their tables."""
    event = Event(service="cli", instance="1", at=make.at, level="info", event="started")
    messages: list[Message] = [event, make.reject()]
    bench.send(*messages)
    bench.work()
    assert bench.read("SELECT service FROM events WHERE event = 'started'") == [("cli",)]
    assert bench.read("SELECT service FROM rejects") == [("predictor_service",)]
