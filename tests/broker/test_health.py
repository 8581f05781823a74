"""How a service is, by a clock that the test moves, told to a real datagram socket."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.health import Health, Work
from broker.notify import Notifier
from tests.broker.listening import Listening


class Scene:
    """A service's health and somebody who listens where systemd would."""

    def __init__(self, systemd: Listening) -> None:
        self.now = 1000.0
        self.systemd = systemd
        self.health = Health(Notifier(systemd.address, watchdog_s=40.0), 60.0, lambda: self.now)

    def pass_by(self, seconds: float, *, turning: bool = True) -> None:
        """Let time pass, with or without turns of the loop."""
        for _ in range(round(seconds)):
            self.now += 1.0
            if turning:
                self.health.turned()
            self.systemd.hear()  # its queue is short

    def serve(self) -> None:
        """Have all that the service needs."""
        self.health.serves("serving m1")
        self.health.connected = True
        self.pass_by(1)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A service that has just begun."""
    with Listening(tmp_path) as systemd:
        yield Scene(systemd)


def test_service_is_ready_once_it_serves_and_is_connected(scene: Scene) -> None:
    """Either alone is not enough."""
    scene.health.serves("serving m1")
    scene.pass_by(5)
    assert "READY" not in scene.systemd.names()
    scene.health.connected = True
    scene.pass_by(1)
    assert 1 == scene.systemd.names().count("READY")
    assert "serving m1" == scene.systemd.statuses()[-1]
    assert "ok" == scene.health.report().state


def test_start_without_a_broker_is_extended_for_ever(scene: Scene) -> None:
    """Systemd does not give a start up that still turns, and its status says what it waits for."""
    scene.health.serves("serving m1")
    scene.health.begin("broker-away", "cannot reach 127.0.0.1:18830")
    scene.pass_by(600)
    assert "READY" not in scene.systemd.names()
    assert "waiting: broker-away: cannot reach 127.0.0.1:18830" == scene.systemd.statuses()[-1]
    assert 30_000_000 == int(dict(scene.systemd.hear())["EXTEND_TIMEOUT_USEC"])
    scene.systemd.words.clear()
    scene.pass_by(10)
    assert "EXTEND_TIMEOUT_USEC" in scene.systemd.names()


def test_start_that_hangs_is_not_extended(scene: Scene) -> None:
    """Nothing is sent by a timer."""
    scene.health.turned()
    scene.systemd.hear()
    scene.systemd.words.clear()
    scene.pass_by(120, turning=False)
    assert [] == scene.systemd.hear()


def test_idle_service_feeds_the_watchdog(scene: Scene) -> None:
    """Nothing to do is no hang; it is fed at least twice in the watchdog's time."""
    scene.serve()
    for _ in range(30):
        scene.systemd.is_fed()
        scene.pass_by(20)
        assert scene.systemd.is_fed()


@pytest.mark.parametrize("trouble", ["broker-away", "disk-low", "database-locked", "ledger-trouble"])
def test_service_in_a_world_that_is_not_well_feeds_the_watchdog(scene: Scene, trouble: str) -> None:
    """A restart would mend nothing; `GET /health` says what is wrong."""
    scene.serve()
    scene.health.begin(trouble, "why")
    scene.pass_by(600)
    scene.systemd.is_fed()
    scene.pass_by(20)
    assert scene.systemd.is_fed()
    report = scene.health.report()
    assert ("waiting", f"{trouble}: why", False, True) == (
        report.state,
        report.why,
        report.well,
        report.alive,
    )
    assert 620 == scene.health.end(trouble)
    assert "ok" == scene.health.report().state


def test_loop_that_hangs_feeds_no_more_and_is_stuck(scene: Scene) -> None:
    """A database call or an engine that does not come back; whoever asks hears it after `stuck_s`."""
    scene.serve()
    scene.systemd.is_fed()
    scene.pass_by(60, turning=False)
    assert "ok" == scene.health.report().state
    scene.pass_by(1, turning=False)
    assert ("stuck", "the loop has not turned for 61 s") == (
        scene.health.report().state,
        scene.health.report().why,
    )
    assert not scene.systemd.is_fed()
    scene.health.turned()
    assert "ok" == scene.health.report().state
    assert scene.systemd.is_fed()


def test_image_that_hangs_in_another_thread_stops_the_feeding(scene: Scene) -> None:
    """The loop turns all the while, and feeds again when the image moves."""
    scene.serve()
    began = scene.now
    scene.health.in_work = lambda: Work("an image that is being read", began)
    scene.pass_by(60)
    scene.systemd.is_fed()
    scene.pass_by(40)
    assert not scene.systemd.is_fed()
    report = scene.health.report()
    assert ("stuck", "an image that is being read has not moved for 100 s") == (report.state, report.why)
    began = scene.now
    scene.pass_by(10)
    assert scene.systemd.is_fed()


def test_trouble_beside_the_way_leaves_a_service_well(scene: Scene) -> None:
    """It is degraded: images flow, and the trouble is named."""
    scene.serve()
    scene.health.begin("notes-not-written", "disk full")
    report = scene.health.report()
    assert ("degraded", "notes-not-written: disk full", True) == (report.state, report.why, report.well)


def test_backlog_is_no_hang(scene: Scene) -> None:
    """A message that waited long for its turn is told, and feeds on: others were worked on meanwhile."""
    scene.serve()
    scene.health.waiting_since = scene.now - 500
    scene.systemd.is_fed()
    scene.pass_by(20)
    assert scene.systemd.is_fed()
    assert 520 == scene.health.report().waiting_s


def test_reload_is_told_only_by_a_service_that_has_started(scene: Scene) -> None:
    """READY ends a reload, and must not end a start."""
    scene.health.reloaded(lambda: None)
    assert [] == scene.systemd.names()
    scene.serve()
    scene.systemd.is_fed()
    scene.health.reloaded(lambda: None)
    assert ["RELOADING", "MONOTONIC_USEC", "READY"] == scene.systemd.names()


def test_stopping_is_told(scene: Scene) -> None:
    """Once, with its status."""
    scene.serve()
    scene.health.stopping()
    assert ("STOPPING", "1") in scene.systemd.hear()
    assert "stopping" == scene.systemd.statuses()[-1]
    assert "stopping" == scene.health.report().state


def test_ready_that_nobody_took_is_said_again(tmp_path: Path) -> None:
    """A service manager that was busy at that moment must not wait for ever."""
    health = Health(Notifier(str(tmp_path / "notify")))
    health.connected = True
    health.serves("serving m1")
    with Listening(tmp_path) as systemd:
        health.turned(at_once=True)
        health.turned(at_once=True)
        assert 1 == systemd.names().count("READY")
