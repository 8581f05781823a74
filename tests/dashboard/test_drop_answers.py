"""What the drop zone asks, without a network."""

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI

from broker.settings import Settings
from dashboard import drop_answers
from dashboard.access import Person, Role
from dashboard.gate import Visit
from dashboard.uploads import Uploads
from tests.running import run


def test_lists_are_read_two_at_a_time_and_not_for_ever(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of five that never end the others wait their turn; each is given up after a while, so that all come."""
    monkeypatch.setattr(drop_answers, "LIST_S", 0.05)
    made, coming, most, told = FastAPI(), 0, 0, []
    drop_answers.add_answers(made, Uploads(settings))

    async def receive() -> Any:
        nonlocal coming, most
        coming += 1
        most = max(most, coming)
        try:
            return await asyncio.Future()
        finally:
            coming -= 1

    async def send(message: Any) -> None:
        told.append(message.get("status"))

    async def asked() -> None:
        visit = Visit(Person("anna", Role.REVIEWER), lambda: True)
        scope = {"type": "http", "method": "POST", "path": "/drop/begin", "headers": [], "query_string": b""}
        await asyncio.gather(*[made({**scope, "state": {"visit": visit}}, receive, send) for _ in range(5)])

    run(asked())
    assert ([408] * 5, drop_answers.LISTS) == ([one for one in told if one], most)
