"""Tests of `backup`, `restore` and `upkeep`, beside a running line and without one."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broker.messages import JobProgress, PredictionBatch
from broker.settings import Settings
from broker.settings_reader import read_settings
from cli import upkeep_record
from cli.application import main
from cli.daily import DAY_S, FIRST_S, Daily
from cli.given import Given
from store import database, upgrading
from store.lock import StoreLock
from store.writer import Writer
from tests.cli.conftest import PICTURES, RunCli, RunningUp, Started
from tests.store.workbench import Make
from tests.waiting import until

Said = pytest.CaptureFixture[str]


@pytest.fixture
def own(config: Path) -> Settings:
    """The settings of this test's own configuration."""
    return read_settings(config, {}).settings


@pytest.fixture
def stored(own: Settings) -> Settings:
    """A database with an old closed job and one of today, and no line that runs."""
    make = Make()
    today = datetime.now(UTC).isoformat()
    engine = database.writing_engine(own.store)
    upgrading.upgrade(engine, database.file_of(own.store.url))
    messages: list[PredictionBatch | JobProgress] = [
        make.batch("a.png", "b.png", job_id="old"),
        make.progress("closed", 2, job_id="old", closed_at="2020-01-01T00:00:00.000Z"),
        make.batch("c.png", job_id="new"),
        make.progress("closed", 1, job_id="new", closed_at=today),
    ]
    Writer(engine).write(messages)
    engine.dispose()
    return own


def test_upkeep_backs_up_tells_what_is_due_and_looks_for_damage(
    stored: Settings, config: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this order; the store itself deletes, so that nothing is gone yet."""
    monkeypatch.setenv("TAILORBIRD__UPKEEP__KEEP_DAYS", "30")
    assert 0 == main(["upkeep", "--config", str(config)])
    lines = capsys.readouterr().out.splitlines()
    assert ["backup", "ledger", "retention", "check"] == [line.split()[0] for line in lines if line[0] != " "]
    assert "retention 1 job, 2 predictions, about 0.0 MB" in lines
    assert 1 == len(list(stored.upkeep.backups.glob("*.db")))
    assert {"backup_at", "backup", "check_at"} == set(upkeep_record.read(stored.paths.state))


def test_dry_run_changes_nothing(stored: Settings, config: Path, capsys: Said) -> None:
    """It only says what would be done, and with the limits as shipped nothing would go."""
    assert 0 == main(["upkeep", "--dry-run", "--config", str(config)])
    said = capsys.readouterr().out
    assert "backup    would be " in said
    assert "retention nothing to delete\n" in said
    assert ["tailorbird.db"] == sorted(
        file.name for file in stored.paths.state.iterdir() if not file.name.endswith(("-wal", "-shm"))
    )


def test_upkeep_goes_on_after_what_cannot_be_done(
    stored: Settings, config: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No room for a backup: the check is done all the same, and the exit code tells."""
    monkeypatch.setenv("TAILORBIRD__STORE__MIN_FREE_MB", "1000000000")
    assert 3 == main(["upkeep", "--config", str(config)])
    said = capsys.readouterr()
    assert "a backup may need" in said.err
    assert "no damage found" in said.out


def test_damage_is_one_line_with_what_to_do(stored: Settings, config: Path, capsys: Said) -> None:
    """By whatever reads it, as by the store's start."""
    path = database.file_of(stored.store.url)
    assert path is not None
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xaa" * (len(content) - 8192)
    path.write_bytes(content)
    for command in ("upkeep", "jobs"):
        assert 3 == main([command, "--config", str(config)])
        assert "./tailorbird restore FILE" in capsys.readouterr().err
    assert 1 == main(["doctor", "--config", str(config)])
    assert "is damaged" in capsys.readouterr().out


def test_backup_under_a_name_that_is_taken_is_refused(stored: Settings, config: Path, tmp_path: Path) -> None:
    """A backup never takes another's place."""
    target = tmp_path / "b.db"
    assert 0 == main(["backup", str(target), "--config", str(config)])
    assert 3 == main(["backup", str(target), "--config", str(config)])


def test_restore_asks_first(stored: Settings, config: Path, tmp_path: Path, cli: RunCli) -> None:
    """Anything but yes leaves all as it is."""
    target = tmp_path / "b.db"
    assert 0 == main(["backup", str(target), "--config", str(config)])
    done = cli("restore", str(target), config=config, typed="n\n")
    assert 130 == done.returncode
    assert [] == list(stored.paths.state.glob("*.before-restore-*"))


def test_backup_into_a_folder_that_is_not_there_is_refused(
    stored: Settings, config: Path, tmp_path: Path, capsys: Said
) -> None:
    """A disk that is not mounted must not become a folder on this one."""
    target = tmp_path / "usb" / "b.db"
    assert 3 == main(["backup", str(target), "--config", str(config)])
    assert f"tailorbird: {target}: there is no such folder\n" == capsys.readouterr().err
    assert not target.parent.exists()


def test_restore_that_nobody_can_be_asked_about_is_one_line(
    stored: Settings, config: Path, tmp_path: Path, cli: RunCli
) -> None:
    """A timer's or an ssh command's: no answer is no yes."""
    target = tmp_path / "b.db"
    assert 0 == main(["backup", str(target), "--config", str(config)])
    done = cli("restore", str(target), config=config, typed="")
    assert 3 == done.returncode
    assert "tailorbird: nobody is there to be asked: --yes puts it in without" in done.stderr


def test_restore_beside_a_running_line_is_refused_before_it_asks(
    stored: Settings, config: Path, tmp_path: Path, cli: RunCli
) -> None:
    """Whoever says yes expects that it happens."""
    target = tmp_path / "b.db"
    assert 0 == main(["backup", str(target), "--config", str(config)])
    with StoreLock(database.file_of(stored.store.url)):
        done = cli("restore", str(target), config=config, typed="y\n")
    assert 3 == done.returncode
    assert "stop Tailorbird first" in done.stderr
    assert "Put it in" not in done.stderr


def test_database_that_was_lost_is_bad(stored: Settings, config: Path, capsys: Said) -> None:
    """`doctor` says what the store will say."""
    assert 0 == main(["backup", "--config", str(config)])
    path = database.file_of(stored.store.url)
    assert path is not None
    path.unlink()
    assert 1 == main(["doctor", "--config", str(config)])
    assert f"BAD   database      {path}: the database is not there, and backups" in capsys.readouterr().out


def test_restore_of_a_file_that_is_not_there_is_one_line(config: Path, capsys: Said) -> None:
    """With where to look for one."""
    assert 3 == main(["restore", "/no/such.db", "--yes", "--config", str(config)])
    assert "tailorbird: /no/such.db: there is no such file; `doctor` names the latest backup\n" == (
        capsys.readouterr().err
    )


def test_postgresql_is_pointed_at_its_own_tools(
    config: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, before anything is tried."""
    monkeypatch.setenv("TAILORBIRD__STORE__URL", "postgresql+psycopg://nobody@127.0.0.1:9/none")
    for command in (["backup"], ["restore", __file__, "--yes"]):
        assert 3 == main([*command, "--config", str(config)])
        assert "pg_dump" in capsys.readouterr().err


@pytest.mark.slow
def test_images_answered_after_the_backup_have_their_rows_again(
    mosquitto_program: Path, tmp_path: Path, cli: RunCli
) -> None:
    """The ledger goes back with the database, so the agent reads them again; nothing is there twice."""
    running = RunningUp(tmp_path)
    copy = tmp_path / "b.db"
    assert 0 == cli("classify", str(PICTURES / "Trouser"), config=running.config).returncode
    assert 0 == cli("backup", str(copy), config=running.config).returncode
    assert 0 == cli("classify", str(PICTURES / "Bag"), config=running.config).returncode
    refused = cli("restore", str(copy), "--yes", config=running.config)
    assert 3 == refused.returncode
    assert "stop Tailorbird first" in refused.stderr
    assert 0 == running.stop()

    done = cli("restore", str(copy), "--yes", config=running.config)
    assert 0 == done.returncode, done.stderr
    assert {"Trouser"} == set(folders(cli, running.config))

    started = Started(["up", "--config", str(running.config)], tmp_path / "output-again")
    try:
        wanted = {name: len(list((PICTURES / name).iterdir())) for name in ("Trouser", "Bag")}
        until(lambda: folders(cli, running.config) == wanted)
    finally:
        assert 0 == started.stop()


def folders(cli: RunCli, config: Path) -> dict[str, int]:
    """Return how many images of each folder have a row."""
    jobs = json.loads(cli("jobs", "--json", config=config).stdout)["jobs"]
    return {job["folder"]: job["stored"] for job in jobs}


@pytest.mark.slow
def test_restore_without_a_ledger_names_the_jobs_that_lost_rows(
    mosquitto_program: Path, tmp_path: Path, cli: RunCli
) -> None:
    """The present ledger calls them done; `reconcile` names their images."""
    running = RunningUp(tmp_path)
    copy = tmp_path / "b.db"
    assert 0 == cli("backup", str(copy), config=running.config).returncode
    job = json.loads(cli("classify", str(PICTURES / "Bag"), "--json", config=running.config).stdout)["jobs"][
        0
    ]
    assert 0 == running.stop()
    copy.with_name("b.db.ledger").unlink()

    said = cli("restore", str(copy), "--yes", config=running.config).stdout

    assert "the present one calls a job done, without all rows" in said
    assert f"{job} (folder Bag)" in said
    assert 1 == cli("reconcile", job, config=running.config).returncode


def stepped(daily: Daily) -> Daily:
    """Let it look once."""
    daily.step()
    return daily


def test_up_runs_upkeep_once_a_day(stored: Settings, config: Path) -> None:
    """Not right after the start, and not again when a timer has done it."""
    (stored.paths.state / "log").mkdir()
    now = [0.0]
    said: list[str] = []
    with Daily(Given(config), stored, said.append, clock=lambda: now[0]) as daily:
        daily.step()
        assert daily._process is None
        now[0] += FIRST_S
        daily.step()
        until(lambda: stepped(daily)._process is None)
        assert [] == said
        assert 1 == len(list(stored.upkeep.backups.glob("*.db")))
        now[0] += DAY_S
        daily.step()
        assert daily._process is None
        late = datetime.now(UTC) - timedelta(days=2)
        upkeep_record.write(stored.paths.state, check_at=late.isoformat())
        now[0] += DAY_S
        daily.step()
        assert daily._process is not None


def test_up_tells_when_upkeep_failed(stored: Settings, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its last line; the line itself goes on."""
    (stored.paths.state / "log").mkdir()
    monkeypatch.setenv("TAILORBIRD__STORE__MIN_FREE_MB", "1000000000")
    now = [0.0]
    said: list[str] = []
    with Daily(Given(config), stored, said.append, clock=lambda: now[0]) as daily:
        now[0] += FIRST_S
        daily.step()
        until(lambda: stepped(daily) and said)
    assert said[0].startswith("upkeep ended with exit status 3: ")
