"""The canary: one at a time, missed, and back."""

import time

import pytest

from broker.topics import canary_source
from ingest_agent.canary import MISSED_AFTER_S, Canary, canary_pixels
from model.preprocessing import InputSpec, prepare_pixels
from tests.ingest_agent.conftest import MakeBench
from tests.ingest_agent.workbench import LABEL, Workbench


@pytest.fixture
def flying(make_bench: MakeBench) -> Workbench:
    """An agent whose canary flies every minute."""
    bench = make_bench(canary_s=60.0)
    bench.start()
    return bench


def canary(bench: Workbench) -> Canary:
    """Return the agent's canary."""
    assert bench.agent is not None
    return bench.agent._canary


def test_canary_looks_like_what_the_network_knows() -> None:
    """Bright on black, of the spec's size, and it passes preprocessing unchanged."""
    pixels = canary_pixels(28, 28)
    assert ("uint8", 28, 28) == (str(pixels.dtype), *pixels.shape)
    assert (prepare_pixels(pixels, InputSpec()) == pixels).all()
    assert 0.2 < (pixels > 100).mean() < 0.7
    assert (1, 1) == canary_pixels(1, 1).shape


def test_canary_has_a_source_of_its_own() -> None:
    """Which is a source's name, however long the agent's is."""
    assert ("canary-shop", 64) == (canary_source("shop"), len(canary_source("s" * 64)))


def test_canary_comes_back_with_label_and_latency(flying: Workbench) -> None:
    """The status tells, and no job knows of it."""
    flying.until(lambda: canary(flying).state)
    state = canary(flying).state
    assert state is not None
    assert (True, LABEL) == (state["answered"], state["label"])
    assert (["canary-shop"], []) == ([batch.source for batch in flying.other.canaries], flying.other.progress)
    flying.until(lambda: flying.other.status and flying.other.status.detail.get("canary"))


def test_missed_canary_is_told_once_and_so_is_its_return(flying: Workbench) -> None:
    """It is never sent again; the next one has an id of its own."""
    flying.other.silent = True
    flying.until(lambda: flying.other.canaries)
    flight = canary(flying)._flight
    assert flight is not None
    flight.began -= MISSED_AFTER_S
    flying.until(lambda: len(flying.other.canaries) == 2)
    flying.other.silent = False
    flight = canary(flying)._flight
    assert flight is not None
    flight.began -= MISSED_AFTER_S
    flying.until(lambda: flying.other.told("canary-missed-over"))
    assert 1 == len(flying.other.told("canary-missed"))
    assert 3 == len({batch.batch_id for batch in flying.other.canaries})


def test_only_one_canary_is_out(flying: Workbench) -> None:
    """The next one waits until this one is back or missed."""
    flying.other.silent = True
    flying.until(lambda: flying.other.canaries)
    canary(flying)._next = time.monotonic()
    flying.for_a_while(0.2)
    assert 1 == len(flying.other.canaries)


def test_canary_of_a_lost_connection_is_let_go(flying: Workbench) -> None:
    """The next one flies as soon as the broker is back."""
    flying.other.silent = True
    flying.until(lambda: flying.other.canaries)
    flying.broker.go_away()
    flying.for_a_while(0.1)
    flying.other.silent = False
    flying.broker.come_back()
    flying.until(lambda: canary(flying).state)
    assert [] == flying.other.told("canary-missed")


def test_no_canary_flies_when_none_is_wanted(bench: Workbench) -> None:
    """`canary_s = 0`."""
    bench.drop("f/1.png")
    bench.until_closed()
    assert ([], None) == (bench.other.canaries, canary(bench).state)
