"""The inbox is missing, vanishes, is replaced, cannot be read: one event, and it goes on by itself."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from broker import descent
from ingest_agent import scanner
from tests.ingest_agent.conftest import MakeBench
from tests.ingest_agent.workbench import LABEL, Workbench, picture


def test_inbox_that_is_missing_at_the_start_is_waited_for(make_bench: MakeBench) -> None:
    """One event says so; when it is there, it is watched."""
    bench = make_bench()
    bench.other.announce()
    bench.start_agent()
    bench.until(lambda: bench.other.told("inbox-away"))
    bench.for_a_while(1.2)
    assert 1 == len(bench.other.told("inbox-away"))
    bench.inbox.mkdir()
    bench.drop("f/1.png")
    bench.until_closed()
    assert 1 == len(bench.other.told("inbox-away-over"))


def test_inbox_that_vanishes_and_comes_back_costs_nothing(bench: Workbench) -> None:
    """Its known files are no deleted files, and nothing is taken twice when they are back."""
    bench.drop_folder("f", 20)
    bench.until_closed()
    away = bench.inbox.rename(bench.folder / "away")
    bench.until(lambda: bench.other.told("inbox-away"))
    bench.for_a_while(0.3)
    away.rename(bench.inbox)
    bench.until(lambda: bench.other.told("inbox-away-over"))
    bench.drop("f/new.png")
    bench.until_closed(2)
    assert {1} == set(bench.other.deliveries.values())
    assert 21 == len(bench.other.deliveries)


def test_inbox_that_is_replaced_is_watched_anew(bench: Workbench) -> None:
    """Another directory of that name is another inbox; the ledger keeps the old one's files."""
    bench.drop("f/old.png")
    bench.until_closed()
    bench.inbox.rename(bench.folder / "old")
    bench.inbox.mkdir()
    bench.drop("f/new.png")
    bench.until_closed(2)
    assert {"old.png": LABEL, "new.png": LABEL} == bench.other.images()
    assert 1 == len(bench.other.told("inbox-replaced"))
    names = {line.split(",")[0] for line in (bench.inbox / "f" / "results.csv").read_text().splitlines()}
    assert {"image", "old.png", "new.png"} == names


def test_inbox_without_events_is_polled(make_bench: MakeBench) -> None:
    """Files are found by walking, once they have stood still."""
    bench = make_bench(watch="polling", rescan_s=0.1)
    bench.start()
    bench.until(lambda: any("polling" in told for told in bench.other.told("inbox-watched")))
    bench.drop_folder("f", 10)
    bench.drop("loose.png")
    bench.until_closed(2)
    assert 11 == len(bench.other.rows)


def test_events_that_were_lost_are_made_up_for(bench: Workbench) -> None:
    """After an overflow everything is walked."""
    bench.until(lambda: bench.other.told("inbox-watched"))
    assert bench.agent is not None
    bench.agent._post._watcher.stop()
    bench.agent._post._watches = False
    bench.drop_folder("f", 10)
    bench.agent._hints.lost()
    bench.until_closed()
    assert 10 == len(bench.other.rows)
    assert bench.other.told("events-lost")


def test_watch_that_died_is_begun_anew(bench: Workbench) -> None:
    """A thread that ended is noticed within a second."""
    bench.until(lambda: bench.other.told("inbox-watched"))
    assert bench.agent is not None
    bench.agent._post._watcher.stop()
    bench.drop("f/1.png")
    bench.until_closed()
    assert bench.other.told("watch-died")


def test_folder_that_is_taken_away_closes_without_results(bench: Workbench) -> None:
    """Nobody would read them; the job is closed all the same."""
    bench.other.silent = True
    bench.drop_folder("f", 5)
    bench.until(lambda: len(bench.other.deliveries) == 5)
    shutil.rmtree(bench.inbox / "f")
    bench.other.silent = False
    (job,) = bench.until_closed()
    assert (5, 5) == (job.seen, job.stored)
    assert [] == bench.other.told("results-not-written")


def test_files_that_were_deleted_are_forgotten(bench: Workbench) -> None:
    """The ledger keeps an image as long as its file is there."""
    path = bench.drop_folder("f", 5)
    bench.until_closed()
    (path / "00000.png").unlink()
    assert bench.agent is not None
    bench.agent._pruner._next = 0.0
    ledger = bench.agent._ledger
    bench.until(lambda: len(ledger.known(b"f", [b"%05d.png" % n for n in range(5)])) == 4)
    shutil.rmtree(path)
    bench.agent._pruner._next = 0.0
    bench.until(lambda: not ledger.known(b"f", [b"%05d.png" % n for n in range(5)]))


def test_results_that_cannot_be_written_are_written_later(make_bench: MakeBench) -> None:
    """A directory stands where the file belongs and another where it would go: one event, later the file."""
    bench = make_bench()
    bench.start()
    (bench.inbox / "f" / "results.csv" / "inside").mkdir(parents=True)
    (bench.inbox / "f" / "results.before-tailorbird.csv").mkdir()
    bench.drop("f/1.png")
    bench.until_closed()
    assert 1 == len(bench.other.told("results-not-written"))
    bench.end()
    shutil.rmtree(bench.inbox / "f" / "results.csv")
    bench.start()
    bench.until((bench.inbox / "f" / "results.csv").is_file)
    bench.until(lambda: bench.agent is not None and not bench.agent._ledger.results_due())


@pytest.mark.skipif(os.geteuid() != 0, reason="a user's own mount wants root (unshare -m)")
def test_disk_that_is_full_for_results_only_delays_them(tmp_path: Path) -> None:
    """On a full disk the old results.csv stays whole; with room again the new one appears."""
    script = Path(__file__).with_name("full_disk.py")
    command = (
        f'mount -t tmpfs -o size=200k none "{tmp_path}" && exec "{sys.executable}" "{script}" "{tmp_path}"'
    )
    done = subprocess.run(["unshare", "-m", "sh", "-c", command], capture_output=True, text=True, check=False)
    if "unshare:" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mount namespace here: {done.stderr.strip()}")
    assert (0, "written later\n") == (done.returncode, done.stdout), done.stderr


def test_folder_that_cannot_be_read_is_told_once(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rights that were lost are no deleted files; given back, everything goes on."""
    bench.drop("f/1.png")
    bench.until_closed()
    list_folder = descent.list_folder

    def refuse(name: bytes, parent: int | None) -> int:
        if name == b"f":
            raise PermissionError(13, "Permission denied")
        return list_folder(name, parent)

    assert bench.agent is not None
    monkeypatch.setattr(scanner, "list_folder", refuse)
    bench.agent._intake.rounds.begin(0.0, set())
    bench.until(lambda: bench.other.told("cannot-read"))
    monkeypatch.undo()
    (bench.inbox / "f" / "2.png").write_bytes(picture())
    rounds = bench.agent._intake.rounds
    for _ in range(3):
        rounds.begin(0.0, set())
        bench.for_a_while(0.05)
    bench.until(lambda: bench.other.told("cannot-read-over"))
    bench.until_closed(2)
    assert 1 == len(bench.other.told("cannot-read"))
