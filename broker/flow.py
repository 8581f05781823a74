"""Whether images flow: which services are online, and whether pictures come back."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from broker.durations import span
from broker.topics import canary_source

NEEDED = ("store", "predictor_service", "ingest_agent")
MISSED = 3
"""Flights in a row that may fail to leave a row: services restart now and then."""
GRACE_S = 10.0


def canary_troubles(
    services: Sequence[Mapping[str, Any]],
    canaries: Sequence[Mapping[str, Any]] | None,
    every_s: float,
    at: datetime,
) -> list[str]:
    """Return a sentence for each online agent whose canary does not come back.

    `canaries` is None where the database cannot be read: then only the agents' own words count.
    """
    stored_at = None if canaries is None else {row["source"]: row["stored_at"] for row in canaries}
    found = []
    for service in services:
        if (service["service"], service["state"]) != ("ingest_agent", "online"):
            continue
        agent = f"ingest_agent-{service['instance']}"
        if (service["detail"].get("canary") or {}).get("answered") is False:
            found.append(f"nothing flows: the canary of {agent} has had no answer")
        elif stored_at is not None and every_s > 0:
            late = _too_late(stored_at.get(canary_source(service["instance"])), service["since"], every_s, at)
            found += [f"nothing flows: {late} of {agent} has reached the database"] if late else []
    return found


def _too_late(stored_at: str | None, since: str, every_s: float, at: datetime) -> str:
    """Say for how long no canary came, where that is too long; an agent that has just begun has its time."""
    latest = max(_moment(text) for text in (stored_at or since, since))
    age_s = (at - latest).total_seconds()
    return f"for {span(age_s)} no canary" if age_s > MISSED * every_s + GRACE_S else ""


def service_troubles(services: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each kind of service that nobody does, and for each service that died."""
    running = {
        service["service"]
        for service in services
        if service["state"] == "online" and not service["detail"].get("shadow")
    }
    return [f"no {name} is online" for name in NEEDED if name not in running] + [
        f"{service['service']}-{service['instance']} is offline"
        for service in services
        if service["state"] == "offline"
    ]


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
