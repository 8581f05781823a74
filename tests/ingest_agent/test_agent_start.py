"""An agent that starts while the world is in trouble waits, and misses nothing meanwhile."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
