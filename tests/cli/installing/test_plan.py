"""`install` below a temporary folder, with systemctl and the users of another machine."""

import errno
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.settings_reader import PROJECT
from cli.errors import CannotRun
from cli.installing import plan
from cli.installing.configuration import installed_settings
from cli.installing.machine import Machine
from cli.installing.places import Places
from cli.installing.plan import Installation, removal
from cli.installing.program import Environment
from cli.installing.steps import perform
from cli.installing.units import Chosen
from store import backups
from store.errors import DatabaseProblem


class OtherMachine(Machine):
    """Writes down the commands it is asked to run; files stay their owner's."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.running = ""

    def run(self, *command: str | Path, check: bool = True, timeout_s: float = 0) -> str:
        """Do nothing."""
        if "list-units" in command:
            return self.running
        self.commands.append(" ".join(map(str, command)))
        return ""

    def has_user(self) -> bool:
        """Tell of the user once it was made."""
        return any(command.startswith("useradd") for command in self.commands)

    def give(self, *paths: Path) -> None:
        """Leave the owner."""

    def give_to_read(self, path: Path) -> None:
        """Leave the owner."""


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """All places below a folder of this test's own, which stands for the whole machine."""
    monkeypatch.setattr("cli.installing.places.PRIVATE", ())
    monkeypatch.setattr("cli.installing.places.HIDDEN", ())
    (tmp_path / "units").mkdir()
    return Places(
        *(tmp_path / name for name in ("opt/tailorbird", "etc", "state", "units", "bin/tailorbird"))
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A checkout with little in it."""
    folder = tmp_path / "checkout"
    (folder / "model" / "bundles" / "v1").mkdir(parents=True)
    (folder / "model" / "bundles" / "v1" / "manifest.json").write_text("{}")
    (folder / "model" / "bundles" / "current").write_text("v1\n")
    shutil.copytree(PROJECT / "systemd", folder / "systemd")
    (folder / "config.toml").write_text("# the defaults\n")
    (folder / "release").write_text("first")
    (folder / "packages").mkdir()
    return folder


Install = Callable[..., Installation]


@pytest.fixture
def machine() -> OtherMachine:
    """The machine that is installed on."""
    return OtherMachine()


@pytest.fixture
def install(places: Places, source: Path, machine: OtherMachine, monkeypatch: pytest.MonkeyPatch) -> Install:
    """`install()`: perform an installation; `healthy=False` fails its last step."""
    packages = source / "packages"

    def begin(
        source: Path = source, *, healthy: bool = True, meanwhile: Callable[[], None] = lambda: None
    ) -> Installation:
        def look(*_: object) -> None:
            meanwhile()
            if not healthy:
                raise CannotRun("not healthy")

        monkeypatch.setattr(plan, "wait_until_healthy", look)
        environment = Environment("link", packages)
        settings = installed_settings(places, None)
        made = Installation(machine, places, source, settings, Chosen(), environment)
        perform(made.steps(), lambda _: None, "the release before runs again")
        return made

    return begin


def test_first_installation_puts_everything_in_its_place(
    install: Install, places: Places, machine: OtherMachine
) -> None:
    """Code, packages, configuration, passwords, model, units; then enabled and started."""
    made = install()
    assert "first" == (places.prefix / "release").read_text()
    assert places.python.parent.parent.is_symlink()
    assert places.config == (places.prefix / "config.toml").readlink()
    assert "# the defaults\n" == (places.prefix / "config.defaults.toml").read_text()
    assert places.state == made.settings.paths.state
    assert "v1\n" == (places.models / "current").read_text()
    assert 0o700 == (places.state.parent / "etc" / "credentials").stat().st_mode & 0o777
    assert str(places.prefix) in (places.units / "tailorbird-store.service").read_text()
    assert "/opt/tailorbird/" not in (places.units / "tailorbird-store.service").read_text().replace(
        str(places.prefix), ""
    )
    timers = "tailorbird-upkeep.timer tailorbird-export.timer"
    assert f"systemctl enable --quiet tailorbird.target {timers}" in machine.commands
    assert "systemctl start --no-block tailorbird.target" in machine.commands[-1]


def test_second_installation_keeps_what_is_the_administrators(
    install: Install, places: Places, source: Path
) -> None:
    """The configuration, the passwords and the model that serves stay; the old code is beside the new."""
    install()
    places.config.write_text(places.config.read_text() + "\n# mine\n")
    password = (places.credentials / "store").read_text()
    (places.models / "current").write_text("mine\n")
    (source / "release").write_text("second")
    install()
    assert "second" == (places.prefix / "release").read_text()
    assert "first" == (places.previous / "release").read_text()
    assert places.config.read_text().endswith("# mine\n")
    assert password == (places.credentials / "store").read_text()
    assert "mine\n" == (places.models / "current").read_text()


def test_release_before_is_installed_again_from_where_it_was_kept(
    install: Install, places: Places, source: Path
) -> None:
    """With its own defaults; the administrator's file, which may hold a password, is not copied."""
    install()
    (source / "release").write_text("second")
    install()
    places.config.write_text(places.config.read_text() + "# a secret\n")
    install(source=places.previous)
    assert "first" == (places.prefix / "release").read_text()
    assert "# the defaults\n" == (places.prefix / "config.defaults.toml").read_text()
    assert places.config == (places.prefix / "config.toml").readlink()


def make_database(file: Path, revision: str) -> None:
    """Write a database that is at a revision, with one row."""
    file.unlink(missing_ok=True)
    connection = sqlite3.connect(file)
    connection.executescript(
        "CREATE TABLE alembic_version (version_num TEXT); CREATE TABLE rows (name TEXT);"
        "CREATE TABLE jobs (id); CREATE TABLE predictions (id); CREATE TABLE failures (id);"
        "CREATE TABLE batches (id, stored_at);"
        f"INSERT INTO alembic_version VALUES ('{revision}'); INSERT INTO rows VALUES ('{revision}');"
    )
    connection.close()


def rows(file: Path) -> list[str]:
    """Return what stands in such a database."""
    connection = sqlite3.connect(file)
    found = [name for (name,) in connection.execute("SELECT name FROM rows")]
    connection.close()
    return found


def test_failed_upgrade_brings_back_code_units_and_a_migrated_database(
    install: Install, places: Places, source: Path
) -> None:
    """The database and the ledger as a pair, since the ledger must not believe in rows that are gone."""
    install()
    database, ledger = places.state / "tailorbird.db", places.state / "agent" / "shop.db"
    ledger.parent.mkdir()
    make_database(database, "0002")
    make_database(ledger, "1")
    (places.units / "tailorbird-store.service").write_text("the unit of before")
    (source / "release").write_text("second")

    def migrate() -> None:
        make_database(database, "0003")
        connection = sqlite3.connect(ledger)
        connection.execute("INSERT INTO rows VALUES ('sent since')")
        connection.commit()
        connection.close()

    with pytest.raises(CannotRun, match=r"^not healthy; the release before runs again$"):
        install(healthy=False, meanwhile=migrate)
    assert "first" == (places.prefix / "release").read_text()
    assert "the unit of before" == (places.units / "tailorbird-store.service").read_text()
    assert ["0002"] == rows(database)
    assert ["1"] == rows(ledger)
    assert not places.next.exists()


@pytest.fixture
def migrated(install: Install, places: Places) -> Callable[[], None]:
    """An installation with a database and a ledger, and what a newer release makes of the database."""
    install()
    database, ledger = places.state / "tailorbird.db", places.state / "agent" / "shop.db"
    ledger.parent.mkdir()
    make_database(database, "0002")
    make_database(ledger, "1")

    def migrate() -> None:
        make_database(database, "0003")
        make_database(ledger, "2")

    return migrate


def test_undo_without_room_changes_neither_file_and_starts_nothing(
    install: Install,
    places: Places,
    machine: OtherMachine,
    migrated: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A ledger that believes rows the database has lost would lose images; one line says what to do."""
    whole = backups.staged
    left = ["the ledger's copy still finds room"]

    def staged(source: Path, target: Path) -> Path:
        if not left:
            raise OSError(errno.ENOSPC, "No space left on device")
        left.pop()
        return whole(source, target)

    monkeypatch.setattr(backups, "staged", staged)
    with pytest.raises(
        CannotRun, match=r"No space left.*stays stopped.*sudo tailorbird restore \S+Z\.db, then"
    ):
        install(healthy=False, meanwhile=migrated)
    assert ["0003"] == rows(places.state / "tailorbird.db")
    assert ["2"] == rows(places.state / "agent" / "shop.db")
    assert not list(places.state.rglob("*.part"))
    assert machine.commands[-1].startswith("systemctl daemon-reload")


def test_end_between_the_two_files_leaves_the_older_ledger(
    install: Install, places: Places, migrated: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then images are read again; the other way round they would be taken for stored."""
    put_in = backups.put_in
    done: list[Path] = []

    def once(part: Path, target: Path) -> None:
        if done:
            raise OSError(errno.EIO, "killed here")
        done.append(target)
        put_in(part, target)

    monkeypatch.setattr(backups, "put_in", once)
    with pytest.raises(CannotRun, match=r"killed here"):
        install(healthy=False, meanwhile=migrated)
    assert ["1"] == rows(places.state / "agent" / "shop.db")
    assert ["0003"] == rows(places.state / "tailorbird.db")


def test_backups_of_upgrades_are_what_restore_looks_for(
    install: Install, places: Places, migrated: Callable[[], None]
) -> None:
    """In [upkeep] backups, the ledger beside the database under the same name; the last three are kept."""
    elsewhere = places.state.parent / "copies"
    places.config.write_text(f'{places.config.read_text()}\n[upkeep]\nbackups = "{elsewhere}"\n')
    for hour in range(4):
        elsewhere.mkdir(exist_ok=True)
        for name in (f"before-install-20200101T0{hour}0000Z.db{end}" for end in ("", ".ledger")):
            (elsewhere / name).touch()
    install()
    copies = sorted(path.name for path in elsewhere.iterdir())
    assert 6 == len(copies)
    assert copies[4] + ".ledger" == copies[5]
    assert ["1"] == rows(elsewhere / copies[5])


def test_upgrade_without_room_for_a_backup_is_refused_in_one_line(
    install: Install, places: Places, migrated: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the same bound as every backup, and the release before goes on."""
    monkeypatch.setattr(backups, "_check_room", lambda *_: (_ for _ in ()).throw(DatabaseProblem("full")))
    with pytest.raises(CannotRun, match=r"^full; the release before runs again$"):
        install()
    assert ["0002"] == rows(places.state / "tailorbird.db")


def test_shadow_that_ran_runs_after_an_upgrade(
    install: Install, places: Places, machine: OtherMachine
) -> None:
    """Nobody wants it by a target; a predictor that is no longer chosen stays away."""
    install()
    target = places.units / "tailorbird.target"
    target.write_text(target.read_text().replace("predictor@1", "predictor@1.service tailorbird-predictor@2"))
    machine.running = "\n".join(
        f"tailorbird-{name}.service loaded active running"
        for name in ("broker", "predictor@1", "predictor@2", "predictor@shadow")
    )
    install()
    assert machine.commands[-1].endswith(" tailorbird-export.timer tailorbird-predictor@shadow.service")


def test_folders_outside_the_state_are_made(install: Install, places: Places) -> None:
    """Of the database and of its backups: a unit does not start where one is missing."""
    places.config.parent.mkdir()
    data, copies = places.state.parent / "data", places.state.parent / "copies"
    places.config.write_text(
        f'[paths]\nstate = "{places.state}"\n[upkeep]\nbackups = "{copies}"\n'
        f'[broker]\ncredentials = "{places.credentials}"\n'
        f'[store]\nurl = "sqlite:///{data}/tailorbird.db"\n'
    )
    install()
    assert [0o750, 0o750] == [folder.stat().st_mode & 0o777 for folder in (data, copies)]


def test_failed_upgrade_keeps_rows_where_the_schema_is_the_same(install: Install, places: Places) -> None:
    """Images that came meanwhile have their row, and others' programs their receipt."""
    install()
    database = places.state / "tailorbird.db"
    make_database(database, "0002")

    def write() -> None:
        connection = sqlite3.connect(database)
        connection.execute("INSERT INTO rows VALUES ('since')")
        connection.commit()
        connection.close()

    with pytest.raises(CannotRun, match=r"^not healthy"):
        install(healthy=False, meanwhile=write)
    assert ["0002", "since"] == rows(database)


def test_failed_first_installation_leaves_no_code_and_no_units(install: Install, places: Places) -> None:
    """Configuration and passwords stay for the next try."""
    with pytest.raises(CannotRun, match=r"^not healthy"):
        install(healthy=False)
    assert not places.prefix.exists()
    assert not places.link.is_symlink()
    assert [] == list(places.units.iterdir())
    assert places.config.exists()


def test_dry_run_touches_nothing(places: Places, source: Path) -> None:
    """To list the steps is to read only."""
    settings = installed_settings(places, None)
    before = sorted(places.state.parent.rglob("*"))
    made = Installation(OtherMachine(), places, source, settings, Chosen(), Environment("set-up"))
    assert 14 == len(made.steps())
    assert before == sorted(places.state.parent.rglob("*"))


def test_uninstall_keeps_configuration_and_data(
    install: Install, places: Places, machine: OtherMachine
) -> None:
    """Only `--purge` takes them away."""
    install()
    perform(removal(machine, places, purge=False), lambda _: None)
    assert not places.prefix.exists()
    assert [] == list(places.units.iterdir())
    assert places.config.exists()
    assert places.state.exists()
    perform(removal(machine, places, purge=True), lambda _: None)
    assert not places.config.exists()
    assert not places.state.exists()
    assert "userdel tailorbird" == machine.commands[-1]


def test_inbox_must_be_changed_in_the_configuration(install: Install, places: Places, tmp_path: Path) -> None:
    """The file is never overwritten, so the command says where to change it."""
    install()
    with pytest.raises(CannotRun, match=r"config\.toml names the inbox .*: change it there"):
        installed_settings(places, tmp_path / "other")
