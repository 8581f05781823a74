"""What every page is made from."""

from dataclasses import dataclass

from broker.settings import Settings
from dashboard.watch import Watch


@dataclass(frozen=True)
class Site:
    """The settings, and the present."""

    settings: Settings
    watch: Watch
