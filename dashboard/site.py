"""What every page is made from."""

from dataclasses import dataclass

from broker.settings import Settings
from dashboard.answers import Answers
from dashboard.watch import Watch


@dataclass(frozen=True)
class Site:
    """The settings, the present, and where people's answers go."""

    settings: Settings
    watch: Watch
    answers: Answers
