"""Backups: made beside a writer, verified, kept by number, and put back with nothing lost on the way."""

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker.settings import Store, Upkeep
from store import backups, database, lost
from store.backups import make, prune, verify
from store.errors import DatabaseProblem
from store.lock import StoreLock
from store.restoring import restore
from store.schema import REVISION
from store.upgrading import MIGRATIONS, _migrate, upgrade
from store.writer import Writer
from tests.store.workbench import Bench, Make, at_work

AT = datetime(2026, 11, 27, 17, 16, tzinfo=UTC)


@pytest.fixture
def path(store_settings: Store) -> Path:
    """The database's file."""
    found = database.file_of(store_settings.url)
    assert found is not None
    return found


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger that stands for the agent's."""
    path = tmp_path / "agent" / "shop.db"
    path.parent.mkdir()
    remember(path, "first")
    return path


def remember(ledger: Path, word: str) -> None:
    """Write something into the ledger."""
    with closing(sqlite3.connect(ledger)) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS words (word TEXT)")
        connection.execute("INSERT INTO words VALUES (?)", (word,))


def words(ledger: Path) -> list[str]:
    """Return what the ledger knows."""
    with closing(sqlite3.connect(ledger)) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM words")]


def names(folder: Path) -> list[str]:
    """Return the names of all files in a folder."""
    return sorted(file.name for file in folder.iterdir())


def images(path: Path) -> list[str]:
    """Return the images with a row."""
    with closing(sqlite3.connect(path)) as connection:
        return [image for (image,) in connection.execute("SELECT image FROM predictions ORDER BY image")]


def test_backup_is_made_beside_a_running_store(
    bench: Bench, make: Make, tmp_path: Path, ledger: Path
) -> None:
    """With what is still in the write-ahead log, for its owner alone, and with the ledger."""
    bench.send(make.batch("a.png", "b.png"), make.failure("c.png"))
    bench.work()
    target = tmp_path / "backups" / backups.new_name(AT)

    made = backups.make(bench.path, target, ledger=ledger, min_free_mb=0)

    assert (1, 2, 1) == (made.contents.jobs, made.contents.predictions, made.contents.failures)
    assert ["a.png", "b.png"] == images(target)
    assert made.ledger is not None
    assert ["first"] == words(made.ledger)
    assert "tailorbird-20261127T171600Z.db" == target.name
    assert [0o600, 0o600] == [file.stat().st_mode & 0o777 for file in (target, made.ledger)]
    assert sorted([target.name, made.ledger.name]) == names(target.parent)


def test_backup_without_room_is_refused(bench: Bench, tmp_path: Path) -> None:
    """A backup that fills the disk would stop the store."""
    with pytest.raises(DatabaseProblem, match=r"MB free, a backup may need .* make room"):
        make_here(bench.path, tmp_path / "b.db", min_free_mb=10**9)
    assert not (tmp_path / "b.db").exists()


def make_here(path: Path, target: Path, *, min_free_mb: int = 0) -> backups.Backup:
    """Make a backup without a ledger."""
    return make(path, target, ledger=None, min_free_mb=min_free_mb)


def test_backup_of_a_damaged_database_leaves_nothing(
    store_settings: Store, path: Path, tmp_path: Path, make: Make
) -> None:
    """One sentence, and no file that somebody might take for a backup."""
    fill(store_settings, make, 2000)
    damage(path)
    with pytest.raises(DatabaseProblem, match=r"no backup was made|is damaged"):
        make_here(path, tmp_path / "backups" / "b.db")
    assert [] == names(tmp_path / "backups")


def fill(settings: Store, make: Make, count: int) -> None:
    """Write a job of so many images."""
    engine = database.writing_engine(settings)
    upgrade(engine, database.file_of(settings.url))
    Writer(engine).write([make.batch(*[f"{n:05}.png" for n in range(count)])])
    engine.dispose()


def damage(path: Path) -> None:
    """Overwrite some pages."""
    content = bytearray(path.read_bytes())
    content[-40960:-20480] = b"\xaa" * 20480
    path.write_bytes(content)


def test_only_the_newest_backups_are_kept(tmp_path: Path) -> None:
    """By their names; what somebody called otherwise is left alone, ledgers go with theirs."""
    for day in (1, 2, 3):
        (tmp_path / f"tailorbird-2026110{day}T000000Z.db").touch()
        (tmp_path / f"tailorbird-2026110{day}T000000Z.db.ledger").touch()
    (tmp_path / "before-the-move.db").touch()
    stale = tmp_path / "tailorbird-20260101T000000Z.db.part"
    stale.touch()
    os.utime(stale, (0, 0))

    assert ["tailorbird-20261101T000000Z.db"] == [file.name for file in prune(tmp_path, 2)]

    assert [
        "before-the-move.db",
        "tailorbird-20261102T000000Z.db",
        "tailorbird-20261102T000000Z.db.ledger",
        "tailorbird-20261103T000000Z.db",
        "tailorbird-20261103T000000Z.db.ledger",
    ] == names(tmp_path)


def test_last_backup_with_rows_outlives_those_without(
    store_settings: Store, path: Path, tmp_path: Path, make: Make
) -> None:
    """An empty database, backed up every day, must not drive out what can be restored."""
    folder = tmp_path / "backups"
    fill(store_settings, make, 2)
    full = make_here(path, folder / "tailorbird-20261101T000000Z.db").file
    path.unlink()
    upgrade(database.writing_engine(store_settings), None)
    for day in (2, 3, 4):
        make_here(path, folder / f"tailorbird-2026110{day}T000000Z.db")

    assert ["tailorbird-20261102T000000Z.db"] == [file.name for file in backups.superseded(folder, 2)]
    prune(folder, 2)
    assert [full.name, "tailorbird-20261103T000000Z.db", "tailorbird-20261104T000000Z.db"] == names(folder)

    make_here(full, folder / "tailorbird-20261105T000000Z.db")
    assert full in prune(folder, 2)


def test_store_begins_no_empty_database_in_the_place_of_a_lost_one(
    store_settings: Store, path: Path, tmp_path: Path, make: Make
) -> None:
    """One line says what to restore; without backups, or with empty ones only, it is a first start."""
    folder = tmp_path / "backups"
    lost.refuse_empty(path, folder)
    fill(store_settings, make, 2)
    kept = make_here(path, folder / backups.new_name(AT)).file
    lost.refuse_empty(path, folder)
    for side in ("", "-wal", "-shm"):
        path.with_name(path.name + side).unlink(missing_ok=True)

    bench = Bench(store_settings, Upkeep(backups=folder))
    with bench.line, pytest.raises(DatabaseProblem) as problem:
        bench.service.open()
    bench.service.close()

    assert not path.exists()
    assert (
        f"{path}: the database is not there, and backups of it are: ./tailorbird restore {kept};"
        f" to begin anew, move {folder} elsewhere first"
    ) == str(problem.value)
    path.touch()
    assert lost.complaint(path, folder)
    folder.rename(tmp_path / "elsewhere")
    lost.refuse_empty(path, folder)


def test_backup_that_fails_leaves_no_ledger(bench: Bench, tmp_path: Path, ledger: Path) -> None:
    """The ledger is copied first, and is of no use alone."""
    (tmp_path / "backups").mkdir()
    target = tmp_path / "backups" / backups.new_name(AT)
    (target.with_name(target.name + ".part")).mkdir()
    with pytest.raises(DatabaseProblem, match="no backup was made"):
        make(bench.path, target, ledger=ledger, min_free_mb=0)
    assert [f"{target.name}.part"] == names(target.parent)


def test_ledger_without_its_database_is_pruned(tmp_path: Path) -> None:
    """It was left by a backup that was killed; a young one may belong to a backup that is being made."""
    for day in (1, 2):
        (tmp_path / f"tailorbird-2026110{day}T000000Z.db.ledger").touch()
    os.utime(tmp_path / "tailorbird-20261101T000000Z.db.ledger", (0, 0))
    prune(tmp_path, 7)
    assert ["tailorbird-20261102T000000Z.db.ledger"] == names(tmp_path)


def test_restore_puts_database_and_ledger_back_and_sets_the_present_ones_aside(
    store_settings: Store, path: Path, tmp_path: Path, ledger: Path, make: Make
) -> None:
    """Nothing is deleted, and a store that starts then goes on from there."""
    with at_work(store_settings) as bench:
        bench.send(make.batch("a.png"))
        bench.work()
        made = backups.make(path, tmp_path / "b.db", ledger=ledger, min_free_mb=0)
        bench.send(make.batch("later.png", batch="b2"))
        bench.work()
    remember(ledger, "second")

    done = restore(store_settings, made.file, ledger, AT)

    assert ["a.png"] == images(path)
    assert ["first"] == words(ledger)
    assert made.contents == done.contents
    aside = [f"{one}.before-restore-20261127T171600Z" for one in (ledger, path)]
    assert aside == [str(one) for one in done.aside]
    assert ["a.png", "later.png"] == images(Path(aside[1]))
    assert ["first", "second"] == words(Path(aside[0]))
    assert [] == [name for name in names(tmp_path) if ".part" in name]
    with at_work(store_settings) as bench:
        bench.send(make.batch("b.png", batch="b3"))
        bench.work()
    assert ["a.png", "b.png"] == images(path)


def test_restore_behind_a_link_exchanges_what_the_link_names(
    store_settings: Store, path: Path, tmp_path: Path, make: Make
) -> None:
    """The link stays: somebody put the database onto another disk."""
    fill(store_settings, make, 2)
    made = make_here(path, tmp_path / "b.db")
    (tmp_path / "disk").mkdir()
    path.rename(tmp_path / "disk" / "real.db")
    path.symlink_to(tmp_path / "disk" / "real.db")

    done = restore(store_settings, made.file, tmp_path / "agent" / "shop.db", AT)

    assert path.is_symlink()
    assert ["disk"] == [one.parent.name for one in done.aside]
    assert 2 == len(images(path))


def test_restore_while_a_store_runs_is_refused(bench: Bench, make: Make, tmp_path: Path) -> None:
    """The lock tells, whatever the broker says; the database stays as it is."""
    bench.send(make.batch("a.png"))
    bench.work()
    made = make_here(bench.path, tmp_path / "b.db")
    with pytest.raises(DatabaseProblem, match=r"another store, or a restore, uses .*: stop Tailorbird first"):
        restore(bench.settings, made.file, tmp_path / "no" / "shop.db", AT)
    assert ["a.png"] == images(bench.path)


def test_restore_after_damage_sets_the_damaged_file_aside(
    store_settings: Store, path: Path, tmp_path: Path, make: Make
) -> None:
    """What it is for; the damaged file may still be of use to somebody."""
    fill(store_settings, make, 2000)
    made = make_here(path, tmp_path / "b.db")
    damage(path)
    damaged = path.read_bytes()

    done = restore(store_settings, made.file, tmp_path / "agent" / "shop.db", AT)

    assert 2000 == len(images(path))
    assert [damaged] == [one.read_bytes() for one in done.aside]


def test_restore_where_there_is_no_database(
    store_settings: Store, path: Path, tmp_path: Path, make: Make
) -> None:
    """A new disk: nothing to set aside."""
    fill(store_settings, make, 3)
    made = make_here(path, tmp_path / "b.db")
    for file in path.parent.glob("store.db*"):
        file.unlink()
    assert () == restore(store_settings, made.file, tmp_path / "agent" / "shop.db", AT).aside
    assert 3 == len(images(path))


def test_backup_of_an_older_release_is_brought_up_to_date(
    store_settings: Store, path: Path, tmp_path: Path
) -> None:
    """The first release's rows are there, in this release's schema; the backup itself stays as it was."""
    old = first_release(tmp_path / "old.db")
    before = old.read_bytes()

    done = restore(store_settings, old, tmp_path / "agent" / "shop.db", AT)

    assert ("0001", REVISION, 2) == (done.migrated_from, done.contents.revision, done.contents.predictions)
    assert ["a", "b"] == images(path)
    assert before == old.read_bytes()


def test_store_upgrades_the_first_releases_database_with_a_backup_first(
    path: Path, store_settings: Store, tmp_path: Path
) -> None:
    """Rows as they were, figures as this release counts them, and the file as it was beside it."""
    shutil.copy(first_release(tmp_path / "old.db"), path)
    with at_work(store_settings):
        pass
    with closing(sqlite3.connect(path)) as connection:
        assert [("j1", 2, 1)] == connection.execute("SELECT job_id, stored, suspect FROM jobs").fetchall()
        assert [(REVISION,)] == connection.execute("SELECT version_num FROM alembic_version").fetchall()
        assert [(2,)] == connection.execute("SELECT count(*) FROM v_predictions").fetchall()
    assert "0001" == verify(Path(f"{path}.before-{REVISION}")).revision


def first_release(path: Path) -> Path:
    """Make a database as the first release left it."""
    from tests.store.test_upgrading import FIRST_ROWS  # noqa: PLC0415

    engine = database.writing_engine(Store(url=f"sqlite:///{path}"))
    with engine.begin() as connection:
        _migrate(connection, "0001", MIGRATIONS)
        for statement in FIRST_ROWS:
            connection.exec_driver_sql(statement)
    engine.dispose()
    return path


def test_backup_of_a_newer_release_is_refused(
    store_settings: Store, path: Path, tmp_path: Path, make: Make
) -> None:
    """And the database that stands is left alone."""
    fill(store_settings, make, 1)
    made = make_here(path, tmp_path / "b.db")
    with closing(sqlite3.connect(made.file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0099'")
    with pytest.raises(
        DatabaseProblem, match=r"has schema 0099, this release knows .*: restore it with the newer"
    ):
        restore(store_settings, made.file, tmp_path / "agent" / "shop.db", AT)
    assert 1 == len(images(path))


def test_file_that_is_no_backup_is_refused(
    store_settings: Store, path: Path, tmp_path: Path, make: Make
) -> None:
    """Neither a text nor another program's database."""
    fill(store_settings, make, 1)
    (tmp_path / "diary.txt").write_text("Dear diary, " * 100)
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE t (x)")
    for name in ("diary.txt", "other.db"):
        with pytest.raises(DatabaseProblem, match="is no database of Tailorbird's, or it is damaged"):
            restore(store_settings, tmp_path / name, tmp_path / "agent" / "shop.db", AT)
    assert 1 == len(images(path))


def test_store_waits_while_another_holds_the_database(store_settings: Store, path: Path, make: Make) -> None:
    """A restore takes seconds: nothing that came meanwhile is lost."""
    bench = Bench(store_settings)
    with bench.line:
        with StoreLock(path):
            bench.send(make.batch("a.png"))
            bench.service._wait = lambda seconds: bench.line.stop()  # type: ignore[method-assign]
            bench.service.open()
            events = b"".join(bench.heard("events"))
        assert b"database-in-use" in events
        assert not path.exists()
    bench.service.close()


def test_network_file_system_is_refused_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the kernel's list of mounts; a link is followed."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"30 22 0:26 / {tmp_path}/share rw - nfs4 server:/data rw\n")
    (tmp_path / "share").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "share")
    monkeypatch.setattr(database, "mount_now", lambda path: mount_now(path, mounts))
    from broker.mounts import mount_now  # noqa: PLC0415

    for folder in ("share", "link"):
        with pytest.raises(DatabaseProblem, match=r"lies on a network file system \(nfs4, server:/data\)"):
            database.refuse_network(tmp_path / folder / "store.db")
    database.refuse_network(tmp_path / "store.db")
    database.refuse_network(None)


def test_check_ends_when_its_time_is_over(store_settings: Store, path: Path, make: Make) -> None:
    """A large database must not keep the store from starting; without a limit all of it is looked at."""
    fill(store_settings, make, 30_000)
    engine = database.writing_engine(store_settings)
    assert database.check(engine, path)
    assert not database.check(engine, path, limit_s=1e-9)
    assert database.check(engine, path, limit_s=60.0)
    engine.dispose()
