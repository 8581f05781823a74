"""The loop: what is written and said, in which order, and what happens when the world is not well."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from broker.messages import Event, JobSummary, Message, Reject, decode, encode
from broker.settings import Store
from store.database import file_of
from store.errors import DatabaseProblem
from store.writer import Outcome, Writer
from tests.store.workbench import Bench, Make, at_work
from tests.waiting import until


def path_of(bench: Bench) -> Path:
    """Return the database's file."""
    path = file_of(bench.settings.url)
    assert path is not None
    return path


def read(bench: Bench, query: str) -> list[tuple[Any, ...]]:
    """Ask the database as a stranger does."""
    with closing(sqlite3.connect(path_of(bench))) as connection:
        return connection.execute(query).fetchall()


def words(bench: Bench) -> list[str]:
    """Return the words of the events that came since the last call."""
    return [decode(Event, payload).event for payload in bench.heard("events")]


@contextmanager
def running(bench: Bench) -> Iterator[None]:
    """Run the store's loop beside the test, and stop it."""

    def loop() -> None:
        while not bench.line.stopping:
            bench.service.step(timeout_s=0.05)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        bench.line.stop()
        thread.join(timeout=10)
        assert not thread.is_alive()


def test_batch_is_written_answered_and_acknowledged(bench: Bench, make: Make) -> None:
    """One step does it all for what waits."""
    bench.send(make.batch("a.png", "b.png"), make.failure("c.txt"), make.progress("closed", 3))
    bench.work()
    assert read(bench, "SELECT image FROM predictions") == [("a.png",), ("b.png",)]
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
        seen.append((bench.topics.kind(topic), len(read(bench, "SELECT image FROM predictions"))))
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
        written = len(read(bench, "SELECT image FROM predictions"))
        bench.work(4)
    assert 100 <= written < 200
    assert len(read(bench, "SELECT image FROM predictions")) == 200


def test_events_of_the_store_itself_become_rows(bench: Bench) -> None:
    """What the store says about itself comes back over the broker into the event log."""
    bench.line.event("info", "hello", "from the store")
    bench.work()
    assert read(bench, "SELECT service, event, detail FROM events")[-1] == (
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
    assert read(bench, "SELECT topic, reason, first_bytes FROM rejects") == [
        (f"tailorbird/v1/{kind}", "invalid", b"\x00garbage")
    ]
    assert ("message-rejected",) in read(bench, "SELECT event FROM events")
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


@pytest.mark.parametrize(
    "error",
    [
        sa.exc.IntegrityError("x", None, ValueError("no")),
        sa.exc.DataError("x", None, ValueError("no")),
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
    assert read(bench, "SELECT reason, batch_id, images FROM rejects") == [("poison", "bad", 2)]
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
    assert "reject-lost" in words(bench)
    assert bench.unacknowledged == 0


def test_locked_database_is_waited_for(bench: Bench, make: Make) -> None:
    """While another connection holds the lock nothing is acknowledged; then everything is."""
    blocker = sqlite3.connect(path_of(bench), isolation_level=None, check_same_thread=False)
    blocker.execute("BEGIN IMMEDIATE")
    threading.Timer(0.8, blocker.execute, ["ROLLBACK"]).start()
    bench.send(make.batch("a.png"))
    assert bench.unacknowledged == 1
    bench.work()
    assert [receipt.batch_id for receipt in bench.receipts()] == ["b1"]
    assert bench.unacknowledged == 0
    blocker.close()


def test_lock_is_an_event_after_the_patience(store_settings: Store, make: Make) -> None:
    """A lock that outlasts `busy_timeout_s` is told once when it begins and once when it is over."""
    with at_work(Store(url=store_settings.url, min_free_mb=0, busy_timeout_s=0.1)) as bench:
        blocker = sqlite3.connect(path_of(bench), isolation_level=None, check_same_thread=False)
        blocker.execute("BEGIN IMMEDIATE")
        threading.Timer(1.5, blocker.execute, ["ROLLBACK"]).start()
        bench.send(make.batch("a.png"))
        bench.work()
        assert words(bench) == ["database-locked", "database-locked-over"]
        blocker.close()


def test_stop_is_heard_while_the_database_is_locked(bench: Bench, make: Make) -> None:
    """A lock does not hold up the end; what is not committed is not acknowledged."""
    blocker = sqlite3.connect(path_of(bench), isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    bench.send(make.batch("a.png"))
    threading.Timer(0.2, bench.line.stop).start()
    bench.work()
    blocker.close()
    assert bench.receipts() == []
    assert bench.unacknowledged == 1


def test_full_disk_is_waited_for(bench: Bench, make: Make) -> None:
    """SQLite out of room: no acknowledgement, one event at the beginning and one at the end."""
    pages = bench.service.engine.connect()
    limit = pages.exec_driver_sql("PRAGMA page_count").scalar_one() + 2
    pages.close()

    @sa.event.listens_for(bench.service.engine, "checkout")
    def _limit(connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {limit}")

    def more_room() -> None:
        nonlocal limit
        limit = 1_000_000

    threading.Timer(0.5, more_room).start()
    batches = [make.batch(*[f"{n}-{i}.png" for i in range(200)], batch=f"b{n}") for n in range(5)]
    bench.send(*batches)
    bench.work()
    found = bench.agent.receive(10_000, 0.0)
    kinds = [bench.topics.kind(item.topic) for item in found]
    assert kinds == ["events", *["receipts"] * 5] or kinds[0] == "events"
    assert read(bench, "SELECT count(*) FROM predictions") == [(1000,)]
    bench.work()
    troubles = [row[0] for row in read(bench, "SELECT event FROM events WHERE event LIKE 'disk-full%'")]
    assert troubles == ["disk-full", "disk-full-over"]
    assert bench.unacknowledged == 0


def test_low_disk_stops_accepting(bench: Bench, make: Make) -> None:
    """Below `min_free_mb` nothing is written or acknowledged, and little is kept."""
    bench.service.disk.min_free_bytes = 10**18
    bench.send(*[make.batch(f"{n}.png", batch=f"b{n}") for n in range(600)])
    bench.work(2)
    assert words(bench) == ["disk-low"]
    assert read(bench, "SELECT count(*) FROM predictions") == [(0,)]
    assert bench.unacknowledged == 601  # the event about it among them
    assert len(bench.service.held) <= 256 + 64


def test_low_disk_that_gets_room_is_carried_on_from(bench: Bench, make: Make) -> None:
    """When there is room again what was kept is written."""
    bench.service.disk.min_free_bytes = 10**18
    bench.send(make.batch("a.png"))
    bench.work()
    bench.service.disk.min_free_bytes = 0
    bench.work()
    assert [receipt.batch_id for receipt in bench.receipts()] == ["b1"]
    bench.work()
    assert [row[0] for row in read(bench, "SELECT event FROM events")][-2:] == ["disk-low", "disk-low-over"]


def test_lost_receipt_is_sent_again_for_a_resend(bench: Bench, make: Make) -> None:
    """The broker goes away between commit and receipt; the agent's resend is answered from the database."""
    bench.send(make.batch("a.png"))
    items = bench.service.collect(0.0)
    bench.broker.go_away(forget=True)
    bench.service.store(items)
    bench.broker.come_back()
    assert bench.receipts() == []
    bench.send(make.batch("a.png"))
    bench.work()
    assert [[image.image for image in receipt.stored] for receipt in bench.receipts()] == [["a.png"]]
    assert read(bench, "SELECT stored FROM jobs") == [(1,)]


def test_missing_file_is_waited_for(bench: Bench, make: Make, tmp_path: Path) -> None:
    """A database that vanished (its mount, say) is not answered by a new one; back again, all goes on."""
    away = tmp_path / "away"
    away.mkdir()
    for file in tmp_path.glob("store.db*"):
        file.rename(away / file.name)
    with running(bench):
        bench.send(make.batch("a.png"))
        until(lambda: "database-missing" in words(bench))
        assert not path_of(bench).exists()
        for file in away.iterdir():
            file.rename(tmp_path / file.name)
        until(lambda: bench.receipts() != [])
    assert read(bench, "SELECT image FROM predictions") == [("a.png",)]


def test_lost_permission_is_waited_for(make: Make, unprivileged: Path) -> None:
    """A folder that may not be entered any more, and then again may be, costs nothing but time."""
    with at_work(Store(url=f"sqlite:///{unprivileged}/store.db", min_free_mb=0)) as bench, running(bench):
        unprivileged.chmod(0)
        bench.send(make.batch("a.png"))
        troubles = until(lambda: words(bench))
        unprivileged.chmod(0o700)
        receipts = until(bench.receipts)
    assert troubles == ["database-unreadable"]
    assert [receipt.batch_id for receipt in receipts] == ["b1"]


def test_replaced_file_that_is_foreign_rejects_no_message(bench: Bench, make: Make) -> None:
    """Somebody else's database in our place is waited out; no message is put aside for it."""
    for file in path_of(bench).parent.glob("store.db*"):
        file.unlink()
    with closing(sqlite3.connect(path_of(bench))) as connection:
        connection.execute("CREATE TABLE guests (name TEXT)")
    with running(bench):
        bench.send(make.batch("a.png"))
        until(lambda: "database-unfit" in words(bench))
    assert bench.unacknowledged >= 1
    assert bench.heard("rejects") == []


def test_replaced_file_is_opened_anew(bench: Bench, make: Make, tmp_path: Path) -> None:
    """A restored backup in the database's place is what is written from then on."""
    with closing(sqlite3.connect(path_of(bench))) as connection:
        connection.execute("VACUUM INTO ?", (str(tmp_path / "copy.db"),))
    for file in tmp_path.glob("store.db*"):
        file.unlink()
    (tmp_path / "copy.db").rename(path_of(bench))
    bench.send(make.batch("a.png"))
    bench.work()
    assert read(bench, "SELECT image FROM predictions") == [("a.png",)]


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
        thread.join(timeout=10)
    assert not thread.is_alive()
    assert bench.unacknowledged == 0


def test_message_kinds_without_source_are_written(bench: Bench, make: Make) -> None:
    """An event and a reject of some service reach their tables."""
    event = Event(service="cli", instance="1", at=make.at, level="info", event="started")
    messages: list[Message] = [event, make.reject()]
    bench.send(*messages)
    bench.work()
    assert read(bench, "SELECT service FROM events WHERE event = 'started'") == [("cli",)]
    assert read(bench, "SELECT service FROM rejects") == [("predictor_service",)]
