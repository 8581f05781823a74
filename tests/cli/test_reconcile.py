"""Tests of holding folder, ledger and database against each other."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from cli.reconcile import compare
from ingest_agent.inspection import LedgerJob, Reconciliation
from tests.cli.conftest import PICTURES, RunCli, RunningUp
from tests.waiting import until


def found(*, stored: int = 0, failed: int = 0, **more: Any) -> Reconciliation:
    """Return what the ledger says of a job."""
    job = LedgerJob(
        "job-1", "spring", "closed", "", "", stored + failed, stored + failed, stored, failed, 0, 0, 0, 0
    )
    return Reconciliation(job, **more)


def test_same_images_with_the_same_outcome_agree() -> None:
    """Stored and failed on both sides."""
    ledger = found(stored=1, failed=1, images={"a": "stored", "b": "failed"})
    assert compare(ledger, {"a": "stored", "b": "failed"}).agrees


def test_image_whose_file_is_gone_is_no_disagreement() -> None:
    """The ledger forgets such images after a while, the database does not."""
    verdict = compare(found(stored=2, images={"a": "stored"}, gone=["a"]), {"a": "stored", "b": "stored"})
    assert (True, ["a", "b"]) == (verdict.agrees, verdict.forgotten)


def test_image_without_a_row_is_named() -> None:
    """The promise is broken, or the database was exchanged."""
    verdict = compare(found(stored=1, images={"a": "stored"}), {})
    assert (False, ["a"]) == (verdict.agrees, verdict.without_row)


def test_image_with_another_outcome_is_named() -> None:
    """Stored in the ledger, failed in the database."""
    verdict = compare(found(stored=1, images={"a": "stored"}), {"a": "failed"})
    assert (False, ["a"]) == (verdict.agrees, verdict.other_outcome)


@pytest.mark.parametrize(("key", "name"), [("changed", "overwritten"), ("unknown", "unknown")])
def test_file_that_is_not_classified_as_it_is_now_is_named(key: str, name: str) -> None:
    """Overwritten since, or never seen."""
    ledger: dict[str, Any] = {"images": {"a": "stored"}, key: ["x"]}
    verdict = compare(found(stored=1, **ledger), {"a": "stored"})
    assert (False, ["x"]) == (verdict.agrees, getattr(verdict, name))


def test_image_that_waits_for_its_answer_is_named() -> None:
    """The job is under way."""
    verdict = compare(found(images={"a": "unanswered"}), {})
    assert (False, ["a"]) == (verdict.agrees, verdict.waiting)


@pytest.mark.slow
def test_reconcile_of_a_classified_folder_agrees_until_a_row_is_lost(
    line: RunningUp, cli: RunCli, tmp_path: Path
) -> None:
    """With the real ledger and the real database."""
    folder = tmp_path / "reconciled"
    shutil.copytree(PICTURES / "Trouser", folder)
    job = json.loads(cli("classify", str(folder), "--json", config=line.config).stdout)["jobs"][0]
    until(lambda: cli("reconcile", job, config=line.config).returncode == 0)
    path = line.settings.store.url.removeprefix("sqlite:///")
    with sqlite3.connect(path, timeout=30) as database:
        database.execute("DELETE FROM predictions WHERE job_id = ? AND image = 'jeans.png'", (job,))
    database.close()
    done = cli("reconcile", job, "--json", config=line.config)
    assert (1, ["jeans.png"]) == (done.returncode, json.loads(done.stdout)["without_row"])


@pytest.mark.slow
def test_reconcile_of_an_unknown_job_is_a_problem(line: RunningUp, cli: RunCli) -> None:
    """One line says whose ledger was asked."""
    done = cli("reconcile", "none", config=line.config)
    assert (1, "tailorbird: the ledger of 'shop' knows no job 'none'\n") == (done.returncode, done.stderr)
