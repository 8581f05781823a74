"""What counts as healthy, decided from what `status` reports."""

from datetime import UTC, datetime
from typing import Any

from broker.settings_reader import read_settings
from cli.installing.health import expected, unseen, unserved
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
