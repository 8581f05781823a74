"""Tests of what the canaries say of the line."""

from datetime import UTC, datetime
from typing import Any

import pytest

from broker.flow import canary_troubles
from cli.canaries import shown

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
BEGAN = "2026-11-22T09:00:00.000Z"


def agent(state: str = "online", since: str = BEGAN, **canary: Any) -> dict[str, Any]:
    """Return an agent's status."""
    return {
        "service": "ingest_agent", "instance": "shop", "state": state, "since": since,
        "detail": {"canary": canary or None},
    }  # fmt: skip


def row(stored_at: str) -> dict[str, Any]:
    """Return what the database says of the agent's canary."""
    return {"source": "canary-shop", "label": "T-shirt/top", "latency_s": 0.25, "stored_at": stored_at}


def test_canary_that_came_back_lately_is_no_trouble() -> None:
    """Three flights and ten seconds are the bound."""
    assert [] == canary_troubles([agent(answered=True)], [row("2026-11-22T11:57:00.000Z")], 60.0, NOON)


def test_agent_that_misses_its_canarys_answer_is_trouble() -> None:
    """Its own word is enough, whatever stands in the database."""
    expected = ["nothing flows: the canary of ingest_agent-shop has had no answer"]
    assert expected == canary_troubles([agent(answered=False)], [row("2026-11-22T11:59:59.000Z")], 60.0, NOON)
    assert expected == canary_troubles([agent(answered=False)], None, 60.0, NOON)


@pytest.mark.parametrize("rows", [[row("2026-11-22T09:00:00.000Z")], [], [row("2026-11-21T12:00:00.000Z")]])
def test_canary_that_is_too_old_or_never_came_is_trouble(rows: list[dict[str, Any]]) -> None:
    """Counted from the last one, or from the agent's beginning."""
    expected = ["nothing flows: for 3 h 0 min no canary of ingest_agent-shop has reached the database"]
    assert expected == canary_troubles([agent(answered=True)], rows, 60.0, NOON)


def test_agent_that_has_just_begun_has_its_time() -> None:
    """Yesterday's canary says nothing of today's line."""
    begun = agent(since="2026-11-22T11:58:00.000Z")
    assert [] == canary_troubles([begun], [row("2026-11-21T12:00:00.000Z")], 60.0, NOON)
    assert [] == canary_troubles([begun], [], 60.0, NOON)


@pytest.mark.parametrize(
    ("service", "rows", "every_s"),
    [(agent(), [], 0.0), (agent("stopped", answered=False), [], 60.0), (agent(answered=True), None, 60.0)],
)
def test_canary_that_nobody_expects_is_no_trouble(
    service: dict[str, Any], rows: list[dict[str, Any]] | None, every_s: float
) -> None:
    """None flies, its agent was stopped, or there is no database to ask."""
    assert [] == canary_troubles([service], rows, every_s, NOON)


def test_answer_and_latency_are_shown() -> None:
    """For a person."""
    expected = "canary-shop: T-shirt/top within 0.2 s, at 2026-11-22T11:57:00.000Z"
    assert expected == shown(row("2026-11-22T11:57:00.000Z"))
    assert expected.replace(" within 0.2 s", "") == shown(
        {**row("2026-11-22T11:57:00.000Z"), "latency_s": None}
    )
