"""What Today says where images do not flow."""

from datetime import UTC, datetime
from typing import Any

from dashboard.standstill import standstill

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def service(name: str, state: str = "online", instance: str = "main", **detail: Any) -> dict[str, Any]:
    """Return a service as it told of itself."""
    since = "2026-11-27T11:59:59.000Z"
    return {"service": name, "instance": instance, "state": state, "since": since, "detail": detail}


def test_service_that_nobody_does_is_said_once_with_what_it_means_and_what_to_do() -> None:
    """Not as dead besides, nor by the canary that cannot come back."""
    agent = service("ingest_agent", canary={"answered": False})
    (said,) = standstill([agent, service("predictor_service"), service("store", "offline")], [], 60.0, NOW)
    assert said.startswith("No store is online: images wait, none is lost")
    assert "./tailorbird doctor" in said


def test_service_that_died_beside_another_is_named() -> None:
    """A bundle on trial does nobody's work."""
    all_there = [service("ingest_agent"), service("store")]
    dead, other = service("predictor_service", "offline", "2"), service("predictor_service", instance="1")
    (said,) = standstill([*all_there, other, dead], [], 60.0, NOW)
    assert said.startswith("predictor_service 2 is offline")
    trial = service("predictor_service", instance="trial", shadow=True)
    (said,) = standstill([*all_there, trial], [], 60.0, NOW)
    assert said.startswith("No predictor is online")


def test_canary_that_does_not_come_back_is_a_sentence() -> None:
    """Though every service is there."""
    agent = service("ingest_agent", instance="shop", canary={"answered": False})
    (said,) = standstill([agent, service("predictor_service"), service("store")], [], 60.0, NOW)
    assert said.startswith("Nothing flows: the canary of ingest_agent-shop has had no answer.")
