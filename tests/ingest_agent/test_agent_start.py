"""An agent that starts while the world is in trouble waits, and misses nothing meanwhile."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest_agent.ledger import Ledger, LedgerTrouble
from ingest_agent.lock import AlreadyRunning, Lock
from tests.ingest_agent.conftest import MakeBench
from tests.ingest_agent.workbench import Workbench
from tests.waiting import until


@contextmanager
def beside(bench: Workbench, event: str, then: Callable[[], object]) -> Iterator[None]:
    """Have the other side work in a thread until the agent has told an event, and do something then."""

    def told() -> list[str]:
        bench.other.step()
        return bench.other.told(event)

    def work() -> None:
        try:
            until(told)
        finally:
            then()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join()


def test_model_that_is_announced_while_the_ledger_cannot_be_opened_is_kept(make_bench: MakeBench) -> None:
    """The announcement is retained, so that it comes once only."""
    bench = make_bench()
    ledger = bench.folder / "state" / "agent" / "shop.db"
    ledger.mkdir(parents=True)
    with beside(bench, "input-spec", ledger.rmdir):
        bench.start()
    assert 1 == len(bench.other.told("ledger-trouble"))
    bench.drop("f/1.png")
    (job,) = bench.until_closed()
    assert 1 == job.stored
    assert 1 == len(bench.other.told("ledger-trouble-over"))


@pytest.mark.parametrize("name", ["agent", "agent/shop.lock", "agent/shop.db"])
def test_start_waits_until_its_files_can_be_opened(make_bench: MakeBench, name: str) -> None:
    """Something stands in the way of the folder, of the lock or of the ledger: told once, then over."""
    bench = make_bench()
    in_the_way = bench.folder / "state" / name
    if name == "agent":
        in_the_way.parent.mkdir()
        in_the_way.touch()
    else:
        in_the_way.mkdir(parents=True)
    remove = in_the_way.unlink if name == "agent" else in_the_way.rmdir
    with beside(bench, "ledger-trouble", remove):
        bench.start()
    bench.drop("f/1.png")
    bench.until_closed()
    assert [1, 1] == [len(bench.other.told(event)) for event in ("ledger-trouble", "ledger-trouble-over")]


def test_start_waits_until_the_ledger_can_be_read(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was opened, and its disk goes away for the first reading: nothing is taken in twice."""
    bench = make_bench()
    bench.start()
    bench.other.silent = True
    bench.drop_folder("f", 3)
    bench.until(lambda: bench.other.batches)
    bench.end(kill=True)
    troubles = [LedgerTrouble("the disk is away")]
    results_due = Ledger.results_due

    def fail_once(ledger: Ledger) -> list[bytes]:
        if troubles:
            raise troubles.pop()
        return results_due(ledger)

    monkeypatch.setattr(Ledger, "results_due", fail_once)
    bench.other.silent = False
    bench.start()
    (job,) = bench.until_closed()
    assert (3, 3, 3) == (job.seen, job.sent, job.stored)
    assert ["the disk is away"] == bench.other.told("ledger-trouble")


def test_agent_that_is_asked_to_stop_while_it_waits_ends_cleanly(make_bench: MakeBench) -> None:
    """A stop is no failure."""
    bench = make_bench()
    (bench.folder / "state" / "agent" / "shop.db").mkdir(parents=True)

    def stop() -> None:
        assert bench.line is not None
        bench.line.stop()

    with beside(bench, "ledger-trouble", stop):
        agent = bench.start()
    agent.run()
    bench.end()


def test_lock_tells_another_agent_from_the_world(tmp_path: Path) -> None:
    """Only a lock that is held means another agent, and taking it again changes nothing."""
    with Lock(tmp_path / "shop.lock") as lock:
        assert lock is lock.__enter__()
        with pytest.raises(AlreadyRunning):
            Lock(tmp_path / "shop.lock").__enter__()
    (tmp_path / "other.lock").mkdir()
    with pytest.raises(IsADirectoryError):
        Lock(tmp_path / "other.lock").__enter__()
