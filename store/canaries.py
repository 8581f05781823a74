"""Canaries: known pictures that travel the whole way to show that the line flows; no report counts them."""

import re
from datetime import datetime

from broker.messages import PredictionBatch
from store import statements as sql
from store.statements import Session
from store.times import moment, stamp_of

_JOB_TIME = re.compile(r"(?<=-)\d{8}T\d{6}Z(?=-)", re.ASCII)


def write_canary(session: Session, batch: PredictionBatch, stored_at: str) -> None:
    """Keep a canary's answer and how long it took; one row per source."""
    first = batch.predictions[0]
    sent = sent_at(batch)
    latency_s = None if sent is None else (moment(stored_at) - sent).total_seconds()
    session.run(
        sql.UPSERT_CANARY,
        (
            batch.source,
            batch.batch_id,
            first.image,
            None if sent is None else stamp_of(sent),
            stored_at,
            latency_s,
            first.label,
            first.confidence,
            batch.model_version,
            batch.predictor,
        ),
    )


def sent_at(batch: PredictionBatch) -> datetime | None:
    """Return when a canary was sent: the time in its image's name, else the one in its job's id, else None.

    A name such as `canary@2026-11-22T13:16:01.123Z` needs no field of its own on the wire.
    """
    for text in (batch.predictions[0].image.rpartition("@")[2], *_JOB_TIME.findall(batch.job_id)):
        try:
            stamp_of(moment(text))
        except ValueError:
            continue
        return moment(text)
    return None
