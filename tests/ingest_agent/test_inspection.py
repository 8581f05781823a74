"""Looking into the ledger from outside."""

import os
from pathlib import Path

import pytest

from broker.settings import Paths, Settings
from ingest_agent import inspection
from ingest_agent.inspection import LedgerImage, NoLedger, ledger_of
from tests.ingest_agent.conftest import MakeBench
from tests.ingest_agent.workbench import LABEL, Workbench, picture


def test_no_agent_has_run(tmp_path: Path) -> None:
    """There is no ledger, and none is made by looking."""
    settings = Settings(paths=Paths(state=tmp_path))
    for look in (lambda: inspection.jobs(ledger_of(settings)), lambda: inspection.reconcile(settings, "j")):
        with pytest.raises(NoLedger, match="no agent"):
            look()
    assert [] == list(tmp_path.iterdir())


def test_jobs_are_listed_while_the_agent_runs(bench: Workbench) -> None:
    """Open ones and closed ones, with their counts."""
    bench.drop("f/1.png")
    bench.until_closed()
    bench.other.silent = True
    bench.drop("g/2.png")
    bench.drop("g/broken.png", b"")
    bench.until(lambda: len(bench.other.deliveries) == 3)
    ledger = ledger_of(bench.settings)
    done, under_way = inspection.jobs(ledger)
    assert ("f", "closed", 1, 1, 1, 0) == (
        done.folder,
        done.state,
        done.seen,
        done.sent,
        done.stored,
        done.failed,
    )
    assert ("g", "open", 2, 0) == (under_way.folder, under_way.state, under_way.seen, under_way.stored)
    assert [under_way] == inspection.jobs(ledger, only_open=True)
    assert done == inspection.job(ledger, done.job_id)
    assert inspection.job(ledger, "other") is None


def test_images_of_a_job_have_their_outcomes(make_bench: MakeBench) -> None:
    """Stored, failed, and without an answer yet."""
    bench = make_bench(quiet_s=60.0)
    bench.start()
    bench.drop("f/1.png")
    bench.drop("f/broken.png", b"")
    bench.until(lambda: len(bench.other.rows) == 2)
    bench.other.silent = True
    bench.drop("f/2.png")
    bench.until(lambda: len(bench.other.deliveries) == 3)
    ledger = ledger_of(bench.settings)
    (job,) = inspection.jobs(ledger)
    found = {image.image: image for image in inspection.images(ledger, job.job_id)}
    assert {"1.png": "stored", "broken.png": "failed", "2.png": "unanswered"} == {
        name: image.state for name, image in found.items()
    }
    assert (LABEL, 0.75, "m1") == (found["1.png"].label, found["1.png"].confidence, found["1.png"].model)
    assert found["broken.png"].note.startswith("empty")
    assert LedgerImage("2.png", "unanswered") == found["2.png"]
    assert [] == list(inspection.images(ledger, "other"))


def test_folder_and_ledger_agree_when_all_is_done(bench: Workbench) -> None:
    """Also after the agent has ended."""
    bench.drop_folder("f", 10)
    (job,) = bench.until_closed()
    bench.end()
    result = inspection.reconcile(bench.settings, job.job_id)
    assert result is not None
    assert result.agrees
    assert {f"{n:05d}.png": "stored" for n in range(10)} == result.images
    assert inspection.reconcile(bench.settings, "other") is None


def test_differences_between_folder_and_ledger_are_named(bench: Workbench) -> None:
    """Files that are gone, overwritten, or unknown; those of other jobs are no difference."""
    folder = bench.drop_folder("f", 3)
    bench.until_closed(1)
    bench.drop("f/next.png")
    first, _ = bench.until_closed(2)
    bench.end()
    (folder / "00000.png").unlink()
    os.utime(folder / "00001.png", (1, 1))
    (folder / "new.png").write_bytes(picture())
    (folder / ".hidden").touch()
    result = inspection.reconcile(bench.settings, first.job_id)
    assert result is not None
    assert (["00000.png"], ["00001.png"], ["new.png"]) == (result.gone, result.changed, result.unknown)
    assert not result.agrees
