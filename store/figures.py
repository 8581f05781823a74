"""The store's figures for Prometheus, and the one line in the log for each batch."""

import math
import time
from collections.abc import Sequence
from pathlib import Path

from broker.line import Line
from broker.messages import Failure, PredictionBatch, ShadowBatch
from broker.topics import is_canary
from store.intake import Item
from store.monitor import Seen
from store.writer import Outcome


class StoreFigures:
    """What the store counts and measures."""

    def __init__(self, line: Line, path: Path | None) -> None:
        metrics = line.metrics
        self._line = line
        self._path = path
        self._batches = metrics.counter("store_batches", "Batches of predictions committed, repeats too.")
        self._rows = metrics.counter("store_rows", "Rows of images and failures committed, repeats too.")
        self._receipts = metrics.counter("store_receipts", "Receipts given out.")
        self._commit = metrics.seconds("store_commit", "One transaction, from its beginning to its commit.")
        self._database = metrics.gauge("store_database_bytes", "The database file's size.")
        self._wal = metrics.gauge("store_wal_bytes", "The write-ahead log's size.")
        self._alerts = metrics.gauge("store_alerts_open", "Alerts that are open.")
        self._latency = metrics.gauge(
            "store_canary_latency_seconds", "The whole way of the slowest source's latest canary."
        )
        self._accuracy = metrics.gauge(
            "store_expected_accuracy_ratio",
            "Accuracy to be expected of the latest jobs, 0..1; NaN where there is none to be trusted.",
        )
        self._accuracy.set(math.nan)
        self._latency.set(math.nan)

    def committed(self, items: Sequence[Item], outcome: Outcome, commit_s: float) -> None:
        """Count a transaction, and write a line for each batch and each closed job in it."""
        self._commit.observe(commit_s)
        self._receipts.inc(len(outcome.receipts))
        for place, item in enumerate(items):
            message = item.message
            if place in outcome.foreign:
                continue
            if isinstance(message, PredictionBatch) and not isinstance(message, ShadowBatch):
                self._stored(message, item, commit_s)
            elif isinstance(message, Failure):
                self._rows.inc()
        for summary in outcome.summaries:
            self._line.log(
                "info",
                "job-stored",
                job_id=summary.job_id,
                source=summary.source,
                folder=summary.folder,
                stored=summary.stored,
                failed=summary.failed,
                process_s=summary.process_s,
            )

    def _stored(self, batch: PredictionBatch, item: Item, commit_s: float) -> None:
        images = len(batch.predictions)
        canary = is_canary(batch.source)
        self._batches.inc()
        self._rows.inc(0 if canary else images)
        self._line.log(
            "debug" if canary else "info",
            "batch-stored",
            batch_id=batch.batch_id,
            job_id=batch.job_id,
            source=batch.source,
            images=images,
            predictor=batch.predictor,
            store_s=time.monotonic() - item.delivery.arrived,
            commit_s=commit_s,
        )

    def looked(self, seen: Seen) -> None:
        """Take in what the monitor saw, and how large the files are."""
        self._alerts.set(seen.open_alerts)
        self._accuracy.set(math.nan if seen.expected_accuracy is None else seen.expected_accuracy)
        self._latency.set(math.nan if seen.canary_latency_s is None else seen.canary_latency_s)
        if self._path is not None:
            self._database.set(_bytes_of(self._path))
            self._wal.set(_bytes_of(Path(f"{self._path}-wal")))


def _bytes_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # away with its disk: the store itself tells of that
        return 0
