"""What every page is made from."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from broker.settings import Settings
from dashboard.answers import Answers
from dashboard.counting import Counting
from dashboard.watch import Watch
from store import queries

T = TypeVar("T")


@dataclass(frozen=True)
class Site:
    """The settings, the present, where people's answers go, and what is counted for all pages."""

    settings: Settings
    watch: Watch
    answers: Answers
    counting: Counting = field(default_factory=Counting)

    def ask(self, question: Callable[[queries.Connection], T]) -> T:
        """Return what the database says to a question. Raises SettingsError where it cannot be read."""
        with queries.reading(self.settings.store) as connection:
            return question(connection)

    async def asked(self, question: Callable[[queries.Connection], T]) -> T:
        """Return what the database says to a question, asked in a thread. Raises SettingsError as `ask`."""
        return await asyncio.to_thread(self.ask, question)
