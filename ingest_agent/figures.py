"""The agent's figures for Prometheus."""

import os
from pathlib import Path

from broker.metrics import Metrics
from ingest_agent.window import Window


class AgentFigures:
    """What is counted where it happens, and what is looked at now and then."""

    def __init__(self, metrics: Metrics) -> None:
        count, gauge = metrics.counter, metrics.gauge
        self.seen = count("agent_images_seen", "Images found in the inbox, refused ones included.")
        self.sent = count("agent_images_sent", "Images sent for the first time.")
        self.stored = count("agent_images_closed", "Images whose prediction is in the database.")
        self.failed = count("agent_images_failed", "Images that became failures.")
        self.jobs_closed = count("agent_jobs_closed", "Jobs that have their receipt.")
        self.round_trip = metrics.seconds(
            "agent_round_trip", "From a batch's sending to its receipt, where it was sent once."
        )
        self._resent = count("agent_batches_resent", "Batches that were sent again.")
        self._waiting = gauge("agent_images_waiting", "Images read or sent that have no receipt yet.")
        self._in_use = gauge("agent_window_batches", "Batches without a receipt.")
        self._size = gauge("agent_window_size_batches", "How many there may be.")
        self._jobs = gauge("agent_jobs_open", "Jobs that are not closed.")
        self._ledger = gauge("agent_ledger_bytes", "The ledger's size with its log.")
        self._told_resent = 0

    def look(self, window: Window, gathered: int, jobs: int, ledger: Path) -> None:
        """Take in how things stand now."""
        self._waiting.set(window.images + gathered)
        self._in_use.set(len(window))
        self._size.set(window.size)
        self._jobs.set(jobs)
        self._ledger.set(bytes_of(ledger))
        self._resent.inc(window.resent - self._told_resent)
        self._told_resent = window.resent


def bytes_of(database: Path) -> int:
    """Return the size of an SQLite file with its write-ahead log; 0 where there is none."""
    sizes = 0
    for name in (database, Path(f"{database}-wal")):
        try:
            sizes += os.stat(name).st_size  # noqa: PTH116 - one call for each look
        except OSError:
            continue  # not made yet, or just taken away: the next look sees it
    return sizes
