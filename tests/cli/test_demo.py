"""Tests of `demo`: from nothing to rows, and nothing left."""

import csv
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.cli.conftest import PICTURES, RunCli, Started
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("mosquitto_program")]


def belonging_to(state: Path) -> list[str]:
    """Return the command lines of processes that work on a state."""
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            words = [*command, *process.environ().values()]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if any(str(state) in word for word in words):
            found.append(" ".join(command))
    return found


def test_demo_gives_each_picture_its_row(cli: RunCli, tmp_path: Path) -> None:
    """The table, the accuracy, the speed, the database and results.csv; no process stays."""
    state = tmp_path / "a state"
    done = cli("demo", "--state", str(state))
    assert 0 == done.returncode, done.stderr
    pictures = sorted(path.relative_to(PICTURES).as_posix() for path in PICTURES.rglob("*.*"))
    with sqlite3.connect(state / "tailorbird.db") as database:
        assert pictures == [
            row[0] for row in database.execute("SELECT image FROM predictions ORDER BY image")
        ]
    table = state / "inbox" / "pictures" / "results.csv"
    with table.open(newline="") as file:
        assert pictures == sorted(row["image"] for row in csv.DictReader(file))
    for words in ("accuracy ", "images/s", str(state / "tailorbird.db"), str(table)):
        assert words in done.stdout
    assert [] == belonging_to(state)


def test_demo_with_a_file_that_is_no_image_still_gives_it_its_row(cli: RunCli, tmp_path: Path) -> None:
    """A failure is a row as well; folders that name no class have no accuracy."""
    images = tmp_path / "images"
    images.mkdir()
    (images / "a.png").write_bytes(b"no image")
    (images / "b.jpg").write_bytes((PICTURES / "Coat" / "navy.jpg").read_bytes())
    done = cli("demo", "--images", str(images), "--state", str(tmp_path / "state"))
    assert 0 == done.returncode, done.stderr
    assert "(failed)" in done.stdout
    assert "accuracy" not in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo_that_is_interrupted_leaves_no_process(
    start: Callable[..., Started], tmp_path: Path, number: signal.Signals
) -> None:
    """Ctrl-C reaches the whole process group of a terminal."""
    state, config = tmp_path / "state", tmp_path / "config.toml"
    config.write_text("[ingest_agent]\nquiet_s = 600.0\n")  # no job closes: it goes on
    demo = start("demo", "--state", str(state), "--config", str(config))
    until(lambda: (state / "up.json").exists() and len(belonging_to(state)) > 2)
    assert 130 == demo.stop(number)
    until(lambda: not belonging_to(state))


def test_demo_on_a_folder_without_images_is_refused(cli: RunCli, tmp_path: Path) -> None:
    """One line, and nothing stays behind."""
    (tmp_path / "empty").mkdir()
    done = cli("demo", "--images", str(tmp_path / "empty"), "--state", str(tmp_path / "state"))
    assert 3 == done.returncode
    assert "holds no file to classify" in done.stderr
    assert [] == belonging_to(tmp_path / "state")
