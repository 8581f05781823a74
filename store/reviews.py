"""What people say of images: one row each, the latest answer stands, and every change is told."""

from broker.messages import Correction, Review
from store import statements as sql
from store.statements import Session
from store.times import stamp


def write_review(session: Session, review: Review) -> Correction | str:
    """Write an answer, or take one back; return what to tell, or why it cannot be.

    An answer that is older than the one that stands changes nothing, and is told as it came: who sent it
    twice must not wait for ever.
    """
    row = session.run(sql.SELECT_REVIEWED, (review.job_id, review.image)).first()
    if row is None:
        return f"Review: the job {review.job_id} has no prediction for an image {review.image!r}"
    at = stamp(review.reviewed_at)
    if row.reviewed_at is None or at >= row.reviewed_at:
        _write(session, review, at)
    return Correction(
        review_id=review.review_id,
        job_id=review.job_id,
        source=row.source,
        folder=row.folder,
        image=review.image,
        label=review.label,
        predicted=row.label,
        confidence=row.confidence,
        model_version=row.model_version,
        reviewer=review.reviewer,
        reviewed_at=at,
    )


def _write(session: Session, review: Review, at: str) -> None:
    key = (review.job_id, review.image)
    if review.label:
        values = (review.label, review.reviewer, at, review.how, review.stratum, review.review_id)
        session.run(sql.UPSERT_REVIEW, (*key, *values))
    else:
        session.run(sql.DELETE_REVIEW, key)
