"""What a model on trial would have answered: rows beside the line, which no report counts."""

from broker.messages import ShadowBatch
from broker.topics import is_canary
from store import statements as sql
from store.statements import Session
from store.times import stamp


def write_shadows(session: Session, batch: ShadowBatch) -> None:
    """Keep a batch's answers, one row an image and model; the first one stands. Canaries are passed over."""
    if is_canary(batch.source):
        return
    job_id, version, at = batch.job_id, batch.model_version, stamp(batch.predicted_at)
    rows = [(job_id, p.image, version, p.label, p.confidence, at) for p in batch.predictions]
    session.run_each(sql.INSERT_SHADOW, rows)
