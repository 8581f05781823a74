"""`python -m store [--config FILE] [--instance NAME]`."""

import gc
import os
import sys
import time
from collections.abc import Sequence

from broker.line import Line
from broker.process import service_main
from broker.settings import Settings
from broker.topics import Topics
from store import intake
from store.errors import DatabaseProblem
from store.live import bounds_of
from store.service import StoreService


def subscriptions(_settings: Settings, topics: Topics) -> Sequence[str]:
    """Everything that becomes a row."""
    return intake.subscriptions(topics)


UNDER_SYSTEMD = "INVOCATION_ID"
WAIT_S = 20.0
"""Systemd starts the store again a second after its end, and each start looks through the database."""
COLLECT_EVERY = 100_000
"""Messages have no cycles: at Python's own threshold the collector took a sixth of the writer's time."""


def run(settings: Settings, line: Line) -> None:
    """Write until asked to stop."""
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY)
    try:
        StoreService(settings.store, line, bounds_of(settings), settings.upkeep).run()
    except DatabaseProblem as error:
        if UNDER_SYSTEMD in os.environ:
            line.log("error", "database-unfit", detail=f"{error}; the store ends in {WAIT_S:g} s")
            wait(line, WAIT_S)
        raise


def wait(line: Line, seconds: float) -> None:
    """Let time pass, unless the line is to stop."""
    until = time.monotonic() + seconds
    while not line.stopping and time.monotonic() < until:
        line.pause(1.0)


if __name__ == "__main__":
    sys.exit(service_main("store", subscriptions, run, instance="main"))
