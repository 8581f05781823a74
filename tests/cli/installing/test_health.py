"""What counts as healthy, decided from what `status` reports."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from broker.settings_reader import read_settings
from cli.errors import CannotRun
from cli.installing import health
from cli.installing.health import expected, unseen, unserved, wait_until_healthy
from cli.installing.machine import Machine
from cli.installing.places import Places
from cli.installing.units import Chosen

BEGAN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
BEFORE, AFTER = "2026-03-04T05:06:06.000Z", "2026-03-04T05:06:08.000Z"
SETTINGS = read_settings(None, {}).settings


def report(since: str = AFTER, stored_at: str | None = AFTER) -> dict[str, Any]:
    """Return a line's report, all services online since a time, a canary stored at another."""
    services = (("store", "main"), ("predictor_service", "1"), ("ingest_agent", "shop"))
    return {
        "broker": {"reachable": True},
        "services": [
            {"service": service, "instance": instance, "state": "online", "since": since}
            for service, instance in services
        ],
        "canaries": [{"source": "canary-shop", "stored_at": stored_at}],
        "trouble": [],
    }


def test_all_online_since_the_start_is_healthy() -> None:
    """Nothing is missing."""
    assert [] == unserved(report(), expected(SETTINGS, Chosen()), BEGAN)
    assert [] == unseen(report(), SETTINGS, Chosen(), BEGAN)


def test_status_of_before_the_start_does_not_count() -> None:
    """A retained status may be that of the process that was stopped."""
    wanted = expected(SETTINGS, Chosen(services=("store",)))
    assert ["store-main is not online"] == unserved(report(since=BEFORE), wanted, BEGAN)


def test_each_predictor_must_be_online() -> None:
    """Two were asked for, one is there."""
    missing = unserved(report(), expected(SETTINGS, Chosen(predictors=2)), BEGAN)
    assert ["predictor_service-2 is not online"] == missing


def test_canary_of_before_the_start_does_not_count() -> None:
    """It came through the release before."""
    assert ["no canary has reached the database"] == unseen(
        report(stored_at=BEFORE), SETTINGS, Chosen(), BEGAN
    )


def test_canary_is_not_asked_for_where_a_part_is_elsewhere() -> None:
    """Its row is in another machine's database."""
    assert [] == unseen(report(stored_at=None), SETTINGS, Chosen(services=("agent",)), BEGAN)


def test_broker_that_does_not_answer_is_the_reason() -> None:
    """Then nobody can be online."""
    found = {"broker": {"reachable": False}, "trouble": ["no broker listens"], "services": []}
    assert ["no broker listens"] == unserved(found, [("store", "main")], BEGAN)


STORE = Chosen(services=("store",))


class Systemd(Machine):
    """Says of the store's unit what a script says, its last line for ever; a clock that only it moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *script: str) -> None:
        self.script = list(script)
        self.seconds = 0.0
        monkeypatch.setattr("time.monotonic", lambda: self.seconds)
        monkeypatch.setattr("time.sleep", lambda _: setattr(self, "seconds", self.seconds + 60))

    def run(self, *command: str | Path, check: bool = True, timeout_s: float = 0) -> str:
        """Answer `systemctl show` and `journalctl`."""
        if "journalctl" in command:
            return "store: cannot run: no such broker\n"
        active, sub, status, restarts = self.script[0].split("|")
        if len(self.script) > 1:
            del self.script[0]
        return (
            f"NRestarts={restarts}\nId=tailorbird-store.service\nActiveState={active}\nSubState={sub}\n"
            f"StatusText={status}\n"
        )

    def look(self) -> None:
        """Wait until it is healthy."""
        wait_until_healthy(self, Places(), SETTINGS, STORE, BEGAN)


def test_migration_is_waited_for_however_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """The unit says that it is at it; after that the usual patience begins."""
    migrating = ["activating|start|starting: checking the database|0"] * 30
    systemd = Systemd(monkeypatch, *migrating, "active|running|serving|0")
    monkeypatch.setattr(health, "_report", lambda *_: report())
    systemd.look()
    assert 30 * 60 == systemd.seconds


def test_unit_that_waits_for_the_world_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would wait for ever, and so would who installs."""
    systemd = Systemd(monkeypatch, "activating|start|waiting: not connected to the broker yet|0")
    with pytest.raises(
        CannotRun, match=r"store\.service is activating \(waiting: not connected to the broker"
    ):
        systemd.look()


def test_unit_that_ends_again_and_again_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its last words, before anybody has waited."""
    systemd = Systemd(monkeypatch, "activating|auto-restart||5")
    with pytest.raises(
        CannotRun, match=r"^tailorbird-store\.service ends again and again: store: cannot run"
    ):
        systemd.look()
    assert 0 == systemd.seconds
