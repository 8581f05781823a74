"""`python -m store [--config FILE] [--instance NAME]`."""

import sys
from collections.abc import Sequence

from broker.line import Line
from broker.process import service_main
from broker.settings import Settings
from broker.topics import Topics
from store import intake
from store.service import StoreService


def subscriptions(_settings: Settings, topics: Topics) -> Sequence[str]:
    """Everything that becomes a row."""
    return intake.subscriptions(topics)


def run(settings: Settings, line: Line) -> None:
    """Write until asked to stop."""
    StoreService(settings.store, line).run()


if __name__ == "__main__":
    sys.exit(service_main("store", subscriptions, run, instance="main"))
