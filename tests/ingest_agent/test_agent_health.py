"""Whether an agent gets on, as systemd's watchdog and `GET /health` see it, and its reload."""

import threading
from typing import Any

import pytest

from broker.notify import Notifier
from ingest_agent import preparing
from ingest_agent.ledger import Ledger
from tests.broker.listening import Listening
from tests.ingest_agent.workbench import Workbench, picture, with_settings

STUCK_S = 0.3


@pytest.fixture
def watched(bench: Workbench, systemd: Listening) -> Workbench:
    """An agent that serves, with little patience."""
    assert bench.line is not None
    health = bench.line.health
    health._notifier = Notifier(systemd.address, 0.1)
    health.stuck_s = STUCK_S
    bench.line.serves("watching")
    bench.until(lambda: "READY" in systemd.names())
    return bench


def until_fed(bench: Workbench, systemd: Listening) -> None:
    """Work until the watchdog is fed again."""
    systemd.is_fed()
    bench.until(systemd.is_fed)


def stays_hungry(bench: Workbench, systemd: Listening) -> bool:
    """Tell whether the watchdog is not fed while the agent works on for a while."""
    systemd.is_fed()
    bench.for_a_while(0.7)
    return not systemd.is_fed()


def test_idle_agent_feeds(watched: Workbench, systemd: Listening) -> None:
    """Nothing to do is no hang."""
    until_fed(watched, systemd)


def test_agent_without_a_broker_feeds(watched: Workbench, systemd: Listening) -> None:
    """Also with images that wait for one."""
    watched.broker.go_away()
    watched.drop("a.png")
    watched.for_a_while(2 * STUCK_S)
    until_fed(watched, systemd)


def test_agent_whose_batches_nobody_answers_feeds(watched: Workbench, systemd: Listening) -> None:
    """What is sent and unanswered is told, and is the world's."""
    watched.other.silent = True
    watched.drop("a.png")
    watched.until(lambda: watched.other.batches)
    watched.for_a_while(2.5 * STUCK_S)
    until_fed(watched, systemd)
    assert watched.line is not None
    assert watched.line.health.report().waiting_s > STUCK_S


def test_image_that_hangs_stops_the_feeding(
    watched: Workbench, systemd: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decoder that does not come back, while the loop turns; when it does, all goes on."""
    free, read = threading.Event(), preparing.prepared

    def hanging(*arguments: Any, **more: Any) -> Any:
        assert free.wait(60)
        return read(*arguments, **more)

    monkeypatch.setattr(preparing, "prepared", hanging)
    watched.drop("a.png")
    assert watched.line is not None
    health = watched.line.health
    try:
        watched.until(lambda: "an image that is being read has not moved" in health.report().why)
        assert "stuck" == health.report().state
        assert stays_hungry(watched, systemd)
    finally:
        free.set()
    watched.until_closed()
    until_fed(watched, systemd)


def test_many_images_that_take_their_time_are_no_hang(
    watched: Workbench, systemd: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each image of a portion that is done counts, however long the portion takes."""
    read, paused = preparing.prepared, threading.Event()

    def slow(*arguments: Any, **more: Any) -> Any:
        paused.wait(0.13)
        return read(*arguments, **more)

    monkeypatch.setattr(preparing, "prepared", slow)
    watched.drop_folder("slow", 60)
    states: set[str] = set()
    assert watched.line is not None
    health = watched.line.health
    health.stuck_s = 7.0  # less than all the images together take, and much more than one

    def done() -> bool:
        systemd.hear()
        states.add(health.report().state)
        return len(watched.other.rows) == 60

    watched.until(done)
    assert {"ok"} == states
    until_fed(watched, systemd)


def test_ledger_that_hangs_stops_the_feeding(
    watched: Workbench, systemd: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that does not come back from the disk."""
    free, commit = threading.Event(), Ledger.commit

    def hanging(*arguments: Any) -> None:
        assert free.wait(60)
        commit(*arguments)

    monkeypatch.setattr(Ledger, "commit", hanging)
    watched.drop("a.png", picture())
    assert watched.line is not None
    health = watched.line.health
    try:
        watched.until(lambda: "the ledger's transaction has not moved" in health.report().why)
        assert "stuck" == health.report().state
        assert stays_hungry(watched, systemd)
    finally:
        free.set()
    watched.until_closed()
    until_fed(watched, systemd)


def test_changed_numbers_are_taken_over(bench: Workbench) -> None:
    """Window, linger, quiet time and the others, for the next batch and the next look."""
    assert bench.line is not None
    assert bench.agent is not None
    new = {"window": 3, "resend_min_s": 2.0, "resend_max_s": 4.0, "canary_s": 7.0, "batch_images": 5}
    assert {f"ingest_agent.{key}" for key in new} <= bench.line.live.keys
    bench.line.live.apply(with_settings(bench.settings, **new))
    window = bench.agent._outbox.window
    assert (3, 2.0, 7.0) == (window.size, window.round_trip.base_s, bench.agent._canary.every_s)
    bench.drop_folder("shirts", 12)
    bench.until_closed()
    assert 3 <= len([name for name in bench.other.batches if name]) - 1


def test_figures_agree_with_what_was_dropped(bench: Workbench) -> None:
    """Seen, sent, closed and failed."""
    bench.drop_folder("shirts", 20)
    bench.drop("shirts/no.png", b"no picture")
    bench.until(lambda: len(bench.other.rows) == 21)
    bench.until_closed()
    assert bench.line is not None
    text = bench.line.metrics.text()[0].decode()
    found = {line.split()[0]: line.split()[1] for line in text.splitlines() if not line.startswith("#")}
    assert ("21.0", "21.0", "20.0", "1.0") == tuple(
        found[f"tailorbird_agent_images_{name}_total"] for name in ("seen", "sent", "closed", "failed")
    )
    assert float(found["tailorbird_agent_round_trip_seconds_count"]) >= 2
