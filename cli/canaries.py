"""What a canary's answer is called on the terminal."""

from collections.abc import Mapping
from typing import Any

from broker.durations import span


def shown(canary: Mapping[str, Any]) -> str:
    """Return one canary's answer for a person."""
    latency = f" within {span(canary['latency_s'])}" if canary["latency_s"] is not None else ""
    return f"{canary['source']}: {canary['label']}{latency}, at {canary['stored_at']}"
