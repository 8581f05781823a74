"""What keeps images from flowing, in words: what it means, and what to do."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from broker.flow import NEEDED, canary_troubles

MEANS = {
    "store": "No store is online: images wait, none is lost, and nothing new is stored.",
    "predictor_service": "No predictor is online: images wait for an answer, and none is lost.",
    "ingest_agent": "The agent is not online: what is dropped waits in the inbox.",
}
NEXT = "If this lasts for more than a minute: ./tailorbird doctor says what is wrong."


def lacks(services: Sequence[Mapping[str, Any]], name: str) -> bool:
    """Tell whether nobody does what a kind of service does."""
    return not any(
        one["service"] == name and one["state"] == "online" and not one["detail"].get("shadow")
        for one in services
    )


def standstill(
    services: Sequence[Mapping[str, Any]],
    canaries: Sequence[Mapping[str, Any]] | None,
    every_s: float,
    at: datetime,
) -> list[str]:
    """Return a sentence for each trouble; what only follows from another is not said again."""
    missing = [name for name in NEEDED if lacks(services, name)]
    found = [MEANS[name] for name in missing]
    found += [
        f"{one['service']} {one['instance']} is offline; the rest goes on without it."
        for one in services
        if one["state"] == "offline" and one["service"] not in missing
    ]
    if not missing:
        late = canary_troubles(services, canaries, every_s, at)
        found += [f"{said[:1].upper()}{said[1:]}." for said in late]
    return [f"{said} {NEXT}" for said in found]
