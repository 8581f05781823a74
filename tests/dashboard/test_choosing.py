"""Of two choices made quickly the later one is shown, whichever answer comes first."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from nicegui import Client, html, ui

from broker.settings import Settings
from dashboard import event_log, job
from dashboard.access import LOCAL
from dashboard.event_log import LogAsked
from store.browsing import Wanted
from store.event_log import Known, LogPage
from store.queries import EventRow
from store.selections import known_classes
from tests.running import run

Choose = Callable[[str], Coroutine[Any, Any, None]]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A page that no browser has open, so that no address follows."""
    monkeypatch.setattr(ui.navigate.history, "replace", lambda _: None)
    made = Client(ui.page(""))
    yield made
    made.delete()


class Answers:
    """Those of the database: the one to the first question comes only when the second was shown."""

    def __init__(self) -> None:
        self._number = 0
        self._asked, self._goes_on = asyncio.Event(), asyncio.Event()

    async def number(self) -> int:
        """Return which question it is, when it is to be answered."""
        self._number += 1
        if (number := self._number) == 1:
            self._asked.set()
            await self._goes_on.wait()
        return number

    async def shown(self, choose: Choose, first: str, second: str, where: ui.element) -> str:
        """Choose twice, and return what stands there in the end."""
        slow = asyncio.create_task(choose(first))
        await self._asked.wait()
        await choose(second)
        self._goes_on.set()
        await slow
        return " ".join(text for one in where.descendants() if (text := getattr(one, "_text", None)))


def test_event_log_shows_the_later_choice(
    settings: Settings, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two filters, one after the other."""

    async def chosen() -> str:
        answers = Answers()

        async def asked(*_: object) -> tuple[Known, LogPage]:
            word = f"answer-{await answers.number()}"
            row = EventRow("2026-11-28T04:00:00.000Z", "store", "main", "info", word, "", "", "")
            return Known([], []), LogPage([row])

        monkeypatch.setattr(event_log, "asyncio", SimpleNamespace(to_thread=asked))
        with client:
            log = event_log._Log(settings, LogAsked())
            take: Any = log._chosen("event")
            return await answers.shown(lambda word: take(SimpleNamespace(args=word)), "a", "b", log._table)

    said = run(chosen())
    assert "answer-2" in said
    assert "answer-1" not in said


def test_grid_of_a_job_shows_the_later_choice(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A doubt, and then all of them again."""
    monkeypatch.setattr(job, "here", lambda: LOCAL)
    monkeypatch.setattr(job, "tiles", lambda _site, seen, *_: html.span(seen[0]))

    async def chosen() -> str:
        answers = Answers()

        async def asked(question: object) -> Any:
            if question is known_classes:
                return []
            return [f"answer-{await answers.number()}"], {}, {}

        site: Any = SimpleNamespace(asked=asked)
        found: Any = SimpleNamespace(classes=[])
        with client:
            images = job._Images(site, found, Wanted("j1"), 1)
            await images.make()
            return await answers.shown(
                lambda doubt: images._choose(doubt=doubt), "suspect", "all", images._grid
            )

    assert "answer-2" == run(chosen())
