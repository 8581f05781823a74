"""`python -m store [--config FILE] [--instance NAME]`."""

import gc
import sys
from collections.abc import Sequence

from broker.line import Line
from broker.process import service_main
from broker.settings import Monitor, Settings
from broker.topics import Topics
from store import intake
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


def bounds_of(settings: Settings) -> Monitor:
    """Return the monitor's bounds; a canary is late when its own interval is over too."""
    interval_s, bounds = settings.ingest_agent.canary_s, settings.monitor
    late_s = interval_s + bounds.canary_late_s if interval_s and bounds.canary_late_s else 0.0
    fields = {name: getattr(bounds, name) for name in bounds.__struct_fields__}
    return Monitor(**{**fields, "canary_late_s": late_s})


if __name__ == "__main__":
    sys.exit(service_main("store", subscriptions, run, instance="main"))
