"""Jobs: their names, their ends, and one open job a folder."""

import re
from datetime import UTC, datetime
from pathlib import Path

from broker.topics import is_source
from ingest_agent.job import Job, new_job_id
from ingest_agent.jobs import Jobs
from ingest_agent.ledger import Ledger

AT = datetime(2026, 11, 22, 13, 0, 5, tzinfo=UTC)


def test_job_id_names_source_time_and_chance() -> None:
    """And fits into the wire's ids, however long the source."""
    assert re.fullmatch(r"shop-20261122T130005Z-[0-9a-f]{8}", new_job_id("shop", AT))
    assert is_source("s" * 64)
    assert len(new_job_id("s" * 64, AT)) <= 128
    assert new_job_id("shop", AT) != new_job_id("shop", AT)


def test_job_is_complete_when_all_is_answered() -> None:
    """Stored or failed, the sum counts."""
    job = Job(1, "j", 1, b"f", "", 0.0, 2.0, 3.0, seen=3, stored=2)
    assert not job.is_complete
    job.failed = 1
    assert (True, 3.0, 3.5) == (job.is_complete, job.process_s, job.quiet_at(1.5))


def test_summary_is_one_line_with_counts_and_timings() -> None:
    """The canonical line of the event log."""
    job = Job(1, "j", 1, b"a\nb", "", 0.0, 2.0, 2.0, seen=3, sent=3, stored=2, failed=1, read_s=0.5)
    assert (
        "folder=a\\x0ab seen=3 sent=3 stored=2 failed=1 process_s=2.000"
        " read_s=0.500 prepare_s=0.000 wait_s=0.000 images_per_s=2"
    ) == job.summary()


def test_folder_has_one_open_job(tmp_path: Path) -> None:
    """The next one begins when it is closing; both are known by number until the end."""
    with Ledger(tmp_path / "l.db") as ledger:
        jobs = Jobs("shop", ledger)
        first, is_new = jobs.open_for(b"f", 1.0)
        assert (first, False, True) == (*jobs.open_for(b"f", 2.0), is_new)
        jobs.closing(first)
        second, is_new = jobs.open_for(b"f", 3.0)
        assert (True, False, 2) == (is_new, first is second, len(jobs))
        jobs.closed(first)
        assert ([second], {b"f"}, second) == (list(jobs), jobs.folders(), jobs.by_number(second.number))


def test_changed_jobs_are_told_once(tmp_path: Path) -> None:
    """A few at a time; closing ones never, and none that the ledger does not have yet."""
    with Ledger(tmp_path / "l.db") as ledger:
        jobs = Jobs("shop", ledger)
        made = [jobs.open_for(name, 1.0)[0] for name in (b"f", b"g", b"h")]
        jobs.changed.update(job.number for job in made)
        jobs.closing(made[0])
        assert [] == jobs.take_changed(5)
        for job in made:
            job.registered = True
        assert 1 == len(jobs.take_changed(1))
        assert 1 == len(jobs.take_changed(5))
        assert [] == jobs.take_changed(5)
