"""Whether the store gets on, as systemd's watchdog and `GET /health` see it, its figures and its reload."""

import logging
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from broker.notify import Notifier
from broker.settings import Settings
from store.live import LIVE
from tests.broker.listening import Listening
from tests.store.test_service_troubles import running
from tests.store.workbench import Bench, Make
from tests.waiting import until

STUCK_S = 0.5


@pytest.fixture
def watched(bench: Bench, systemd: Listening) -> Bench:
    """A store that serves, with little patience."""
    health = bench.line.health
    health._notifier = Notifier(systemd.address, 0.1)
    health.stuck_s = STUCK_S
    bench.line.serves("writing")
    bench.work()
    return bench


def test_idle_store_feeds(watched: Bench, systemd: Listening) -> None:
    """Nothing to do is no hang."""
    with running(watched):
        for _ in range(3):
            systemd.is_fed()
            until(systemd.is_fed)


def test_store_whose_database_is_locked_feeds(watched: Bench, systemd: Listening, make: Make) -> None:
    """Somebody else's lock is the world's: it is waited out, and a restart would not help."""
    with closing(sqlite3.connect(watched.path, isolation_level=None)) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        watched.send(make.batch("a.png"))
        with running(watched):
            until(lambda: watched.service._trouble is not None and watched.service._trouble.lasted_s > 2)
            systemd.is_fed()
            until(systemd.is_fed)
            blocker.execute("ROLLBACK")
            until(lambda: not watched.unacknowledged)


def test_store_stuck_in_the_database_feeds_no_more(
    watched: Bench, systemd: Listening, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that does not come back; once it does, all goes on."""
    free, write = threading.Event(), watched.service.writer.write

    def hanging(messages: Any) -> Any:
        assert free.wait(60)
        return write(messages)

    monkeypatch.setattr(watched.service.writer, "write", hanging)
    health = watched.line.health
    with running(watched):
        try:
            watched.send(make.batch("a.png"))
            until(lambda: health.report().state == "stuck")
            until(lambda: health.report().waiting_s > STUCK_S)
            systemd.is_fed()
            with pytest.raises(AssertionError):
                until(systemd.is_fed, timeout_s=1.0)
        finally:
            free.set()
        until(systemd.is_fed)
        until(lambda: health.report().state == "ok")
        until(lambda: health.report().waiting_s == 0)


def figures(bench: Bench) -> dict[str, str]:
    """Return the store's figures."""
    lines = bench.line.metrics.text()[0].decode().splitlines()
    return {line.split()[0]: line.split()[1] for line in lines if not line.startswith("#")}


def test_batch_is_counted_and_is_one_line(bench: Bench, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """With its ids and its seconds; the monitor's look brings the files' sizes."""
    caplog.set_level(logging.INFO)
    bench.send(make.batch("a.png", "b.png"))
    bench.work()
    found = figures(bench)
    assert ("1.0", "2.0", "1.0") == tuple(
        found[f"tailorbird_store_{name}_total"] for name in ("batches", "rows", "receipts")
    )
    (line,) = [record.fields for record in caplog.records if record.message == "batch-stored"]  # type: ignore[attr-defined]
    assert {"batch_id": "b1", "images": 2}.items() <= line.items()
    assert line["commit_s"] > 0
    bench.service.watch._next_look = 0.0
    bench.work()
    found = figures(bench)
    assert float(found["tailorbird_store_wal_bytes"]) > 0
    assert "0.0" == found["tailorbird_store_alerts_open"]
    assert "NaN" == found["tailorbird_store_expected_accuracy_ratio"]


def test_changed_numbers_are_taken_over(bench: Bench, make_settings: Callable[..., Settings]) -> None:
    """The monitor's bounds, the rows of a transaction, the room on the disk."""
    assert LIVE == bench.line.live.keys
    changed = make_settings(
        store={"group_rows": 7, "min_free_mb": 3, "keep_pixels_days": 0}, monitor={"latency_s": 9}
    )
    bench.line.live.apply(changed)
    service = bench.service
    assert (7, 3, False, 9.0) == (
        service._settings.group_rows,
        service.disk.min_free_mb,
        service.writer.keep_pixels,
        service.watch.given.bounds.latency_s,
    )
    bench.work()
