"""Tests of following one folder by its messages."""

from typing import Literal

from broker.messages import FailedImage, JobProgress, Receipt, StoredImage
from cli.watching import Outcome, Watch

TIME = "2026-11-22T13:00:00.000Z"


def progress(
    job: str = "job-1", folder: str = "spring", state: Literal["open", "closed"] = "open"
) -> JobProgress:
    """Return the agent's report of a job."""
    return JobProgress(
        batch_id="b", job_id=job, source="shop", state=state, folder=folder, opened_at=TIME,
        seen=1, sent=1, stored=1, failed=0, closed_at=TIME if state == "closed" else "",
    )  # fmt: skip


def receipt(job: str = "job-1", *, stored: str = "", failed: str = "") -> Receipt:
    """Return the store's word on one image."""
    row = StoredImage(image=stored or "-", label="Bag", confidence=0.9, model_version="m", predicted_at=TIME)
    return Receipt(
        batch_id="b",
        job_id=job,
        source="shop",
        kind="predictions",
        stored_at=TIME,
        stored=(row,) if stored else (),
        failed=(FailedImage(image=failed, reason="empty"),) if failed else (),
    )


def test_watch_is_complete_when_each_image_has_its_row_and_the_job_is_closed() -> None:
    """Failures are rows as well."""
    watch = Watch("spring", frozenset({"a", "b"}))
    watch.hear(progress())
    watch.hear(receipt(stored="a"))
    watch.hear(receipt(failed="b"))
    assert not watch.is_complete
    watch.hear(progress(state="closed"))
    assert watch.is_complete
    assert {"a": Outcome("Bag", 0.9, "m"), "b": Outcome(reason="empty")} == watch.outcomes


def test_receipt_that_comes_before_its_jobs_report_is_kept() -> None:
    """The agent reports twice a second, receipts come at once."""
    watch = Watch("spring", frozenset({"a"}))
    watch.hear(receipt(stored="a"))
    assert {} == watch.outcomes
    watch.hear(progress(state="closed"))
    assert watch.is_complete


def test_other_folders_do_not_count() -> None:
    """Several people drop at the same time."""
    watch = Watch("spring", frozenset({"a"}))
    watch.hear(progress("job-2", "summer", "closed"))
    watch.hear(receipt("job-2", stored="a"))
    assert {} == watch.outcomes


def test_images_of_the_folders_next_job_count_as_well() -> None:
    """A slow copy may be two jobs."""
    watch = Watch("spring", frozenset({"a", "b"}))
    watch.hear(progress("job-1", state="closed"))
    watch.hear(receipt("job-1", stored="a"))
    watch.hear(progress("job-2"))
    watch.hear(receipt("job-2", stored="b"))
    assert not watch.is_complete
    watch.hear(progress("job-2", state="closed"))
    assert watch.is_complete


def test_late_report_does_not_open_a_closed_job() -> None:
    """Messages of one job may overtake each other after a resend."""
    watch = Watch("spring", frozenset())
    watch.hear(progress(state="closed"))
    watch.hear(progress())
    assert "closed" == watch.jobs["job-1"].state
