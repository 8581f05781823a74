"""What the canaries say of the line: whether pictures come back, not whether services are connected."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from broker.topics import canary_source
from cli.moments import span

MISSED = 3
"""Flights in a row that may fail to leave a row: services restart now and then."""
GRACE_S = 10.0


def troubles(
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


def shown(canary: Mapping[str, Any]) -> str:
    """Return one canary's answer for a person."""
    latency = f" within {span(canary['latency_s'])}" if canary["latency_s"] is not None else ""
    return f"{canary['source']}: {canary['label']}{latency}, at {canary['stored_at']}"


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
