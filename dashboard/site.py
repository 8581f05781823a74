"""What every page is made from."""

from dataclasses import dataclass, field

from broker.settings import Settings
from dashboard.answers import Answers
from dashboard.counting import Counting
from dashboard.watch import Watch


@dataclass(frozen=True)
class Site:
    """The settings, the present, where people's answers go, and what is counted for all pages."""

    settings: Settings
    watch: Watch
    answers: Answers
    counting: Counting = field(default_factory=Counting)
