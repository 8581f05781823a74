"""Tests of following one folder by its messages."""

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pytest

from broker.messages import (
    FailedImage,
    Failure,
    JobProgress,
    Prediction,
    PredictionBatch,
    Receipt,
    StoredImage,
)
from broker.settings import Settings
from broker.topics import Topics
from cli.dropping import pack
from cli.reader import Reader
from cli.watching import Outcome, Watch, ask_database, follow
from store.database import file_of, writing_engine
from store.upgrading import upgrade
from store.writer import Writer
from tests.cli.conftest import PICTURES, RunningUp

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
    assert "closed" == watch.jobs["job-1"]


def store(settings: Settings, job: str, opened_at: str, state: Literal["open", "closed"] = "closed") -> None:
    """Write a job of two images of the folder `spring`, one of them a failure, as the store does."""
    bag = Prediction(image="a", label="Bag", confidence=0.9, probabilities={"Bag": 0.9})
    names: dict[str, Any] = {"job_id": job, "source": settings.ingest_agent.source}
    engine = writing_engine(settings.store)
    upgrade(engine, file_of(settings.store.url))
    Writer(engine).write(
        [
            PredictionBatch(
                batch_id="b", model_version="m", predictor="1", predicted_at=TIME, predictions=(bag,), **names
            ),
            Failure(batch_id="f", image="b", reason="empty", detail="", failed_at=TIME, **names),
            JobProgress(
                batch_id="j", state=state, folder="spring", opened_at=opened_at, seen=2, sent=2, stored=1,
                failed=1, closed_at=TIME if state == "closed" else "", **names,
            ),
        ]
    )  # fmt: skip
    engine.dispose()


def test_database_tells_what_no_message_told(settings: Settings) -> None:
    """Rows, failures and the job's end, where the broker restarted meanwhile."""
    store(settings, "job-1", TIME)
    watch = Watch("spring", frozenset({"a", "b"}), began=datetime.fromisoformat(TIME))
    ask_database(watch, settings)
    assert {"a": Outcome("Bag", 0.9, "m"), "b": Outcome(reason="empty")} == watch.outcomes
    assert {"job-1": "closed"} == watch.jobs
    assert watch.is_complete


def test_open_job_in_the_database_does_not_open_a_closed_one(settings: Settings) -> None:
    """The store may be behind the agent's message, never the other way round."""
    store(settings, "job-1", TIME, "open")
    watch = Watch("spring", frozenset({"a", "b"}), began=datetime.fromisoformat(TIME))
    watch.hear(progress(state="closed"))
    ask_database(watch, settings)
    assert {"job-1": "closed"} == watch.jobs


def test_earlier_job_of_the_same_folder_name_is_not_taken_for_this_one(settings: Settings) -> None:
    """A folder that was deleted, and dropped again."""
    store(settings, "job-1", "2026-11-22T12:59:59.000Z")
    watch = Watch("spring", frozenset({"a", "b"}), began=datetime.fromisoformat(TIME))
    ask_database(watch, settings)
    assert ({}, {}) == (watch.outcomes, watch.jobs)


def test_database_that_is_not_there_tells_nothing(settings: Settings) -> None:
    """The messages may still come."""
    watch = Watch("spring", frozenset({"a"}))
    ask_database(watch, settings)
    assert {} == watch.outcomes


@pytest.mark.slow
def test_folder_of_which_no_message_is_heard_is_followed_all_the_same(
    line: RunningUp, tmp_path: Path
) -> None:
    """A reader without the receipts and the jobs' reports, as after a restart of the broker."""
    folder = tmp_path / "unheard"
    shutil.copytree(PICTURES / "Bag", folder)
    parcel = pack(folder, line.settings)
    watch = Watch(parcel.folder, parcel.images)
    with Reader(line.settings, [Topics(line.settings.broker.root).model()]) as reader:
        reader.connect()
        parcel.drop()
        follow(watch, reader, lambda _: None, ask=lambda: ask_database(watch, line.settings))
    assert parcel.images == watch.outcomes.keys()
    assert {"Bag"} == {outcome.label for outcome in watch.outcomes.values()}
    assert ["closed"] == list(watch.jobs.values())
