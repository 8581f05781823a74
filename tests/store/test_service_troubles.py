"""What the store does when the world is not well: it waits, says so once, and carries on."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from broker.settings import Store
from tests.store.workbench import Bench, Make, at_work
from tests.waiting import until


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
        thread.join(timeout=60)
        assert not thread.is_alive()


def when_told(bench: Bench, awaited: str, act: Callable[[], object]) -> None:
    """Do something as soon as the store says that a trouble has begun."""
    begin = bench.line.begin

    def told(trouble: str, detail: str) -> bool:
        is_new = begin(trouble, detail)
        if is_new and trouble == awaited:
            act()
        return is_new

    bench.line.begin = told  # type: ignore[method-assign]


def test_locked_database_is_waited_for(bench: Bench, make: Make) -> None:
    """While another connection holds the lock nothing is acknowledged; then everything is."""
    blocker = sqlite3.connect(bench.path, isolation_level=None, check_same_thread=False)
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
        blocker = sqlite3.connect(bench.path, isolation_level=None, check_same_thread=False)
        blocker.execute("BEGIN IMMEDIATE")
        when_told(bench, "database-locked", lambda: blocker.execute("ROLLBACK"))
        bench.send(make.batch("a.png"))
        bench.work()
        assert bench.words() == ["database-locked", "database-locked-over"]
        blocker.close()


def test_stop_is_heard_while_the_database_is_locked(bench: Bench, make: Make) -> None:
    """A lock does not hold up the end; what is not committed is not acknowledged."""
    blocker = sqlite3.connect(bench.path, isolation_level=None)
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

    when_told(bench, "disk-full", more_room)
    batches = [make.batch(*[f"{n}-{i}.png" for i in range(200)], batch=f"b{n}") for n in range(5)]
    bench.send(*batches)
    bench.work()
    found = bench.agent.receive(10_000, 0.0)
    kinds = [bench.topics.kind(item.topic) for item in found]
    assert kinds == ["events", *["receipts"] * 5] or kinds[0] == "events"
    assert bench.read("SELECT count(*) FROM predictions") == [(1000,)]
    bench.work()
    troubles = [row[0] for row in bench.read("SELECT event FROM events WHERE event LIKE 'disk-full%'")]
    assert troubles == ["disk-full", "disk-full-over"]
    assert bench.unacknowledged == 0


def test_low_disk_stops_accepting(bench: Bench, make: Make) -> None:
    """Below `min_free_mb` nothing is written or acknowledged, and little is kept."""
    bench.service.disk.min_free_mb = 10**12
    bench.send(*[make.batch(f"{n}.png", batch=f"b{n}") for n in range(600)])
    bench.work(2)
    assert bench.words() == ["disk-low"]
    assert bench.read("SELECT count(*) FROM predictions") == [(0,)]
    assert bench.unacknowledged == 601  # the event about it among them
    assert len(bench.service.held) <= 256 + 64


def test_low_disk_that_gets_room_is_carried_on_from(bench: Bench, make: Make) -> None:
    """When there is room again what was kept is written."""
    bench.service.disk.min_free_mb = 10**12
    bench.send(make.batch("a.png"))
    bench.work()
    bench.service.disk.min_free_mb = 0
    bench.work()
    assert [receipt.batch_id for receipt in bench.receipts()] == ["b1"]
    bench.work()
    assert [row[0] for row in bench.read("SELECT event FROM events")][-2:] == ["disk-low", "disk-low-over"]


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
    assert bench.read("SELECT stored FROM jobs") == [(1,)]


def test_missing_file_is_waited_for(bench: Bench, make: Make, tmp_path: Path) -> None:
    """A database that vanished (its mount, say) is not answered by a new one; back again, all goes on."""
    away = tmp_path / "away"
    away.mkdir()
    for file in tmp_path.glob("store.db*"):
        file.rename(away / file.name)
    with running(bench):
        bench.send(make.batch("a.png"))
        until(lambda: "database-missing" in bench.words())
        assert not bench.path.exists()
        for file in away.iterdir():
            file.rename(tmp_path / file.name)
        until(lambda: bench.receipts() != [])
    assert bench.read("SELECT image FROM predictions") == [("a.png",)]


def test_lost_permission_is_waited_for(make: Make, unprivileged: Path) -> None:
    """A folder that may not be entered any more, and then again may be, costs nothing but time."""
    with at_work(Store(url=f"sqlite:///{unprivileged}/store.db", min_free_mb=0)) as bench, running(bench):
        unprivileged.chmod(0)
        bench.send(make.batch("a.png"))
        troubles = until(bench.words)
        unprivileged.chmod(0o700)
        receipts = until(bench.receipts)
    assert troubles == ["database-unreadable"]
    assert [receipt.batch_id for receipt in receipts] == ["b1"]


def test_replaced_file_that_is_foreign_rejects_no_message(bench: Bench, make: Make) -> None:
    """Somebody else's database in our place is waited out; no message is put aside for it."""
    for file in bench.path.parent.glob("store.db*"):
        file.unlink()
    with closing(sqlite3.connect(bench.path)) as connection:
        connection.execute("CREATE TABLE guests (name TEXT)")
    with running(bench):
        bench.send(make.batch("a.png"))
        until(lambda: "database-unfit" in bench.words())
    assert bench.unacknowledged >= 1
    assert bench.heard("rejects") == []


def test_replaced_file_is_opened_anew(bench: Bench, make: Make, tmp_path: Path) -> None:
    """A restored backup in the database's place is what is written from then on."""
    with closing(sqlite3.connect(bench.path)) as connection:
        connection.execute("VACUUM INTO ?", (str(tmp_path / "copy.db"),))
    for file in tmp_path.glob("store.db*"):
        file.unlink()
    (tmp_path / "copy.db").rename(bench.path)
    bench.send(make.batch("a.png"))
    bench.work()
    assert bench.read("SELECT image FROM predictions") == [("a.png",)]
