"""The pixels themselves, for replay, reviews and retraining: one row a batch, deflated.

Garments on black shrink to about half; the quickest level is as good as the best to within a tenth.
"""

import json
import zlib

from broker.messages import PixelBatch
from broker.topics import is_canary
from store import statements as sql
from store.statements import Session

LEVEL = 1
PRUNED_AT_ONCE = 200
"""Batches; some ten megabytes, so that no transaction holds up the line."""


def write_pixels(session: Session, batch: PixelBatch, kept_at: str) -> None:
    """Keep a batch's pixels, once, however often it comes. Canaries are passed over."""
    if is_canary(batch.source):
        return
    images, shape = json.dumps(list(batch.images), ensure_ascii=False), json.dumps(list(batch.shape))
    values = (batch.job_id, batch.batch_id, kept_at, images, shape, zlib.compress(batch.pixels, LEVEL))
    session.run(sql.INSERT_PIXELS, values)


def prune_pixels(session: Session, before: str, limit: int = PRUNED_AT_ONCE) -> int:
    """Forget the oldest batches kept before a time, but for those with a reviewed image; return how many."""
    return session.run(sql.PRUNE_PIXELS, (before, limit)).rowcount
