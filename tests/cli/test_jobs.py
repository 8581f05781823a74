"""Tests of the times that `jobs` shows."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cli.jobs import _times
from store.queries import Job

OPEN = Job(
    job_id="shop-1",
    source="shop",
    folder="spring",
    state="open",
    opened_at="2026-11-28T06:00:00.000Z",
    closed_at=None,
    images=10,
    sent=10,
    stored=4,
    failed=0,
    process_s=None,
    predict_s=0.0,
    time_per_prediction_s=None,
    mean_confidence=None,
)
CLOSED = replace(OPEN, state="closed", closed_at="2026-11-28T06:00:30.000Z", stored=10, process_s=1.25)
AT = datetime(2026, 11, 28, 6, 0, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("job", "took", "eta"),
    [
        (OPEN, "8.0 s", "12.0 s"),
        (CLOSED, "1.2 s", ""),  # as the page says it, without the quiet time before it was called done
        (replace(CLOSED, process_s=None), "30.0 s", ""),
        (replace(OPEN, sent=0), "", ""),  # another program's: nobody says when it is over
    ],
)
def test_times_of_a_job_are_those_of_its_images(job: Job, took: str, eta: str) -> None:
    """How long it took, or has been open, and how long the rest will take."""
    assert (took, eta) == _times(job, AT)
