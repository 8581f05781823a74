"""Whether a predictor gets on, as systemd's watchdog and `GET /health` see it, its figures and its lines."""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.notify import Notifier
from tests.broker.listening import Listening
from tests.predictor_service.test_service import Bench, batch
from tests.waiting import until

STUCK_S = 0.5


@pytest.fixture
def watched(tmp_path: Path, systemd: Listening) -> Iterator[Bench]:
    """A predictor that serves, with little patience, in a loop beside the test."""
    made = Bench(tmp_path / "notes")
    made.outside.start()
    health = made.line.health
    health._notifier = Notifier(systemd.address, 0.1)
    health.stuck_s = STUCK_S

    def loop() -> None:
        while not made.line.stopping:
            made.predictor.step(0.05)

    with made.line, made.notes:
        made.line.serves("serving")
        thread = threading.Thread(target=loop)
        thread.start()
        until(lambda: health.connected)
        yield made
        made.line.stop()
        thread.join(60)
        assert not thread.is_alive()


def test_idle_predictor_feeds(watched: Bench, systemd: Listening) -> None:
    """Nothing to do is no hang, and without a broker there is nothing to do."""
    until(systemd.is_fed)
    watched.broker.go_away()
    for _ in range(3):
        systemd.is_fed()
        until(systemd.is_fed)


def test_predictor_stuck_in_its_engine_feeds_no_more(
    watched: Bench, systemd: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that does not come back; once it does, all goes on."""
    free, classify = threading.Event(), watched.model.classify

    def hanging(pixels: Any) -> Any:
        assert free.wait(60)
        return classify(pixels)

    monkeypatch.setattr(watched.model, "classify", hanging)
    health = watched.line.health
    try:
        watched.publish(batch("b1", [200]))
        until(lambda: health.report().state == "stuck")
        until(lambda: health.report().waiting_s > STUCK_S)
        systemd.is_fed()
        with pytest.raises(AssertionError):
            until(systemd.is_fed, timeout_s=1.0)
    finally:
        free.set()
    until(systemd.is_fed)
    until(lambda: health.report().state == "ok")
    assert until(watched.answers)


GROUPS = 16


def test_many_slow_groups_are_no_hang(
    watched: Bench, systemd: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each group that is done counts: a slow engine with much to do is fed for."""
    classify, pause = watched.model.classify, threading.Event()

    def slow(pixels: Any) -> Any:
        pause.wait(0.5)
        return classify(pixels)

    monkeypatch.setattr(watched.model, "classify", slow)
    watched.line.health.stuck_s = 7.0  # less than all the groups together take, and much more than one
    states = set()
    for number in range(GROUPS):
        watched.publish(batch(f"b{number}", [200] * 700))  # two do not fit into one call
    answers: list[Any] = []

    def done() -> bool:
        systemd.hear()
        states.add(watched.line.health.report().state)
        answers.extend(watched.answers())
        return len(answers) == GROUPS

    until(done)
    assert {"ok"} == states


def test_batch_is_counted_and_is_one_line(watched: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """With its ids and its seconds; a canary's is for debugging, once a minute on an idle line."""
    caplog.set_level(logging.INFO)
    watched.publish(batch("b1", [200, 100], job_id="j1"))
    watched.publish(batch("c1", [200], source="canary-shop"))
    answers: list[Any] = []

    def done() -> bool:
        answers.extend(watched.answers())
        return len(answers) == 2

    until(done)
    # Counted after it is acknowledged, the images last.
    until(lambda: b"tailorbird_predictor_images_total 3.0" in watched.line.metrics.text()[0])
    (line,) = [record.fields for record in caplog.records if record.message == "batch-predicted"]  # type: ignore[attr-defined]
    assert {"batch_id": "b1", "job_id": "j1", "images": 2, "suspect": 0}.items() <= line.items()
    assert line["queue_s"] >= 0
    text = watched.line.metrics.text()[0].decode()
    assert "tailorbird_predictor_batches_total 2.0" in text
