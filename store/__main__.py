"""`python -m store [--config FILE] [--instance NAME]`."""

import gc
import sys
from collections.abc import Sequence

from broker.line import Line
from broker.process import service_main
from broker.settings import Settings
from broker.topics import Topics
from store import intake
from store.live import bounds_of
from store.service import StoreService


def subscriptions(_settings: Settings, topics: Topics) -> Sequence[str]:
    """Everything that becomes a row."""
    return intake.subscriptions(topics)


COLLECT_EVERY = 100_000
"""Messages have no cycles: at Python's own threshold the collector took a sixth of the writer's time."""


def run(settings: Settings, line: Line) -> None:
    """Write until asked to stop."""
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY)
    StoreService(settings.store, line, bounds_of(settings), settings.upkeep).run()


if __name__ == "__main__":
    sys.exit(service_main("store", subscriptions, run, instance="main"))
