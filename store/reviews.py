"""What people say of images: one row each, the latest answer stands, and every answer is told what does."""

import json
from typing import Any

from broker.messages import Correction, Review
from store import statements as sql
from store.statements import Session
from store.times import stamp


def write_review(session: Session, review: Review, stored_at: str) -> Correction | str:
    """Write an answer, or take one back; return what stands now, or why the answer cannot be taken.

    Answers go by the time at which they were given, which is the store's own where somebody's clock runs
    ahead: else a wrong clock would settle an image for ever. One that comes late, or twice, changes nothing;
    nor does one that was to replace another than stands, since its giver has not seen what does.
    """
    row = session.run(sql.SELECT_REVIEWED, (review.job_id, review.image)).first()
    if row is None:
        return f"Review: the job {review.job_id} has no prediction for an image {review.image!r}"
    if not _is_class(review.label, row.classes):
        return f"Review: {review.label[:40]!r} is no class of {row.model_version}"
    at = min(stamp(review.reviewed_at), stored_at)
    if at < max(row.reviewed_at or "", row.withdrawn_at or "") or not _has_seen(review, row.review_id or ""):
        when = row.reviewed_at or row.withdrawn_at or at
        return _told(review, row, row.reviewed or "", row.reviewer or "", when, row.review_id or "")
    given_at = min(stamp(review.given_at), at) if review.label and review.given_at else at
    _write(session, review, given_at, at)
    standing = review.review_id if review.label else ""
    return _told(review, row, review.label, review.reviewer, given_at, standing)


def _has_seen(review: Review, standing: str) -> bool:
    """Tell whether an answer was given by somebody who knew the one that stands; it may be the same again."""
    return review.replaces is None or standing in {review.replaces, review.review_id}


def _is_class(label: str, classes: str | None) -> bool:
    known = json.loads(classes or "[]")
    return not label or not known or label in known


def _told(review: Review, row: Any, label: str, reviewer: str, at: str, standing: str) -> Correction:
    return Correction(
        review_id=review.review_id,
        job_id=review.job_id,
        source=row.source,
        folder=row.folder,
        image=review.image,
        label=label,
        predicted=row.label,
        confidence=row.confidence,
        model_version=row.model_version,
        reviewer=reviewer,
        reviewed_at=at,
        standing=standing,
    )


def _write(session: Session, review: Review, given_at: str, at: str) -> None:
    key = (review.job_id, review.image)
    if review.label:
        values = (review.label, review.reviewer, given_at, review.how, review.stratum, review.review_id)
        session.run(sql.UPSERT_REVIEW, (*key, *values))
    else:
        session.run(sql.DELETE_REVIEW, key)
    if not review.label or given_at < at:
        # What was taken back keeps the time, so that it does not come back to life when it comes again late.
        session.run(sql.UPSERT_WITHDRAWAL, (*key, at))
