"""Root's commands on a state that belongs to the services' user, who has planted links in it."""

import contextlib
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer

from broker.settings import Settings
from broker.settings_reader import PROJECT, read_settings
from cli import doctor_files, ownership
from cli.errors import CannotRun
from cli.installing.configuration import add_bundles
from cli.installing.database import copies, save
from cli.ownership import acting_as_owner, become_owner, make_folder, owner_of
from store import database, upgrading

NOBODY = 65534
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be misled into what root may do")


def python_for_all(state: Path) -> str:
    """Return a Python of this version that everybody may run; this one may lie in root's home.

    So may the whole clone: then the owner of a state could run nothing of it.
    """
    for needed in (__file__, typer.__file__):
        with acting_as_owner(state):
            if not os.access(needed, os.R_OK, effective_ids=True):
                pytest.skip(f"users other than root may not read {needed}")
    script = "import configparser, encodings.idna, pickle"
    for python in (sys.executable, f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            subprocess.run([python, "-c", script], user=NOBODY, group=NOBODY, cwd="/", check=True)
            return python
    pytest.skip("no Python of this version that users other than root may run")


@dataclass(frozen=True)
class Foreign:
    """A state of nobody's, and what only root may write, which the links lead to."""

    state: Path
    config: Path
    secret: Path
    folder: Path

    @property
    def settings(self) -> Settings:
        """The settings."""
        return read_settings(self.config, {}).settings

    def plant(self, name: str, target: Path) -> None:
        """Put a link into the state, as whoever owns it may."""
        with acting_as_owner(self.state):
            path = self.state / name
            path.parent.mkdir(exist_ok=True)
            path.symlink_to(target)

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command as root."""
        command = [python_for_all(self.state), "-m", "cli", "--config", self.config, *arguments]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(PROJECT), sysconfig.get_path("purelib")]),
        }
        environment |= {"PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, check=False)

    def is_unharmed(self) -> bool:
        """Whether root's file and folder are as they were."""
        found = [
            (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) for path in (self.secret, self.folder)
        ]
        return (
            [(0, 0o600), (0, 0o755)] == found
            and "root's own\n" == self.secret.read_text()
            and [] == list(self.folder.iterdir())
        )

    def owners(self) -> set[int]:
        """Return whom the files in the state belong to."""
        return {path.lstat().st_uid for path in self.state.rglob("*")}


@pytest.fixture
def foreign() -> Iterator[Foreign]:
    """Not in pytest's own folder, which nobody but root may enter."""
    base = Path(tempfile.mkdtemp(prefix="tailorbird-"))
    base.chmod(0o755)
    made = Foreign(base / "state", base / "config.toml", base / "secret", base / "folder")
    for folder in (made.state, made.folder):
        folder.mkdir(mode=0o755)
    os.chown(made.state, NOBODY, NOBODY)
    made.config.write_text(f'[paths]\nstate = "{made.state}"\n')
    made.secret.write_text("root's own\n")
    made.secret.chmod(0o600)
    yield made
    shutil.rmtree(base)


@pytest.fixture
def stored(foreign: Foreign) -> Foreign:
    """With a database."""
    engine = database.writing_engine(foreign.settings.store)
    upgrading.upgrade(engine, None)
    engine.dispose()
    for path in foreign.state.iterdir():
        os.chown(path, NOBODY, NOBODY)
    return foreign


@pytest.mark.timeout(180)  # five programs, one after the other
def test_commands_leave_only_what_belongs_to_the_owner_of_the_state(stored: Foreign) -> None:
    """Each does its work, and root is gone from the state."""
    copy = stored.state / "backups" / "mine.db"
    for arguments in (
        ["tls", "init"],
        ["client", "add", "till-1", "--role", "source"],
        ["upkeep"],
        ["backup", copy],
        ["restore", copy, "--yes"],
    ):
        done = stored.run(*arguments)
        assert 0 == done.returncode, done.stderr
    assert {NOBODY} == stored.owners()


def test_backup_follows_no_link_of_the_record(stored: Foreign) -> None:
    """It makes the backup and the record, and the link's target stays root's."""
    stored.plant("upkeep.json", stored.secret)
    assert 0 == stored.run("backup").returncode
    assert stored.is_unharmed()


def test_restore_gives_no_folder_away(stored: Foreign) -> None:
    """Where the agent's folder is a link to root's, the owner may not write there, and that is said."""
    assert 0 == stored.run("backup").returncode
    (copy,) = stored.settings.upkeep.backups.glob("*.db")
    stored.plant("agent", stored.folder)
    done = stored.run("restore", copy, "--yes")
    assert 3 == done.returncode
    assert "Permission denied" in done.stderr
    assert stored.is_unharmed()


def test_client_add_copies_nothing_that_only_root_may_read(foreign: Foreign) -> None:
    """Not into the broker's passwords, which the owner may read."""
    foreign.plant("broker/passwords", foreign.secret)
    done = foreign.run("client", "add", "till-1", "--role", "source")
    assert 3 == done.returncode
    assert "Permission denied" in done.stderr
    assert foreign.is_unharmed()


def test_password_file_is_the_callers(foreign: Foreign) -> None:
    """Root may want it where the owner of the state must not look."""
    file = foreign.folder / "password"
    assert 0 == foreign.run("client", "add", "t", "--role", "source", "--password-file", file).returncode
    assert (0, 0o600) == (file.stat().st_uid, stat.S_IMODE(file.stat().st_mode))
    assert file.read_text().strip()


def test_program_that_the_owner_may_not_read_is_told(
    foreign: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is given up: half a program would fail somewhere later."""
    read = {os: "this Python", typer: "its packages", ownership: "this program"}
    for module, words in read.items():
        for each in read:
            monkeypatch.setattr(each, "__file__", str(foreign.secret if each is module else foreign.config))
        with pytest.raises(CannotRun, match=f"belongs to user 65534, who may not read {words}, /"):
            become_owner(foreign.state)
        assert 0 == os.geteuid()


def test_tls_init_writes_no_key_into_roots_folder(foreign: Foreign) -> None:
    """And leaves its mode alone."""
    foreign.plant("tls", foreign.folder)
    assert 3 == foreign.run("tls", "init").returncode
    assert foreign.is_unharmed()


def test_install_copies_the_database_as_its_owner(stored: Foreign) -> None:
    """Beside planted links."""
    made = copies(stored.settings, datetime(2026, 3, 4, tzinfo=UTC))
    stored.plant(f"backups/{made.file.name}.part", stored.secret)
    save(made)
    assert NOBODY == made.file.stat().st_uid
    assert stored.is_unharmed()


def test_install_adds_bundles_as_the_owner(foreign: Foreign) -> None:
    """A link that leads nowhere is no reason to make the file there."""
    source = foreign.config.parent / "bundles"
    (source / "v1").mkdir(parents=True)
    (source / "v1" / "manifest.json").write_text("{}")
    (source / "current").write_text("v1\n")
    foreign.plant("models/current", foreign.folder / "made")
    add_bundles(source, foreign.state / "models")
    assert foreign.is_unharmed()
    assert {NOBODY} == foreign.owners()


def test_folder_of_roots_in_the_state_is_handed_over(foreign: Foreign) -> None:
    """As older releases left it; one outside that is somebody else's is told."""
    models = foreign.state / "models"
    models.mkdir()
    make_folder(foreign.state, models, 0o755)
    assert {NOBODY} == foreign.owners()
    with pytest.raises(PermissionError, match="may not write there"):
        make_folder(foreign.state, foreign.folder, 0o750)
    made = foreign.config.parent / "new" / "copies"
    make_folder(foreign.state, made, 0o750)
    assert (NOBODY, 0o750) == (made.stat().st_uid, stat.S_IMODE(made.stat().st_mode))
    assert 0 == made.parent.stat().st_uid
    assert foreign.is_unharmed()


def swapped_file(foreign: Foreign) -> None:
    """Put a link in a file's place."""
    (foreign.state / "agent" / "shop.db").unlink()
    foreign.plant("agent/shop.db", foreign.secret)


def swapped_folder(foreign: Foreign) -> None:
    """Put a link in a folder's place, in which there is a file of that name."""
    shutil.rmtree(foreign.state / "agent")
    foreign.secret.rename(foreign.folder / "shop.db")
    foreign.plant("agent", foreign.folder)


def linked_file(foreign: Foreign) -> None:
    """Give root's file a second name."""
    (foreign.state / "agent" / "shop.db").unlink()
    (foreign.state / "agent" / "shop.db").hardlink_to(foreign.secret)


@pytest.mark.parametrize("swap", [swapped_file, swapped_folder, linked_file])
def test_doctor_hands_over_nothing_that_was_exchanged_meanwhile(
    foreign: Foreign, swap: Callable[[Foreign], None]
) -> None:
    """Between the look and the mending a file of root's may have become a link."""
    (foreign.state / "agent").mkdir()
    (foreign.state / "agent" / "shop.db").touch()
    found = [one for one in doctor_files.owners(foreign.settings) if "shop.db" in one.said]
    os.chown(foreign.state / "agent", NOBODY, NOBODY)
    swap(foreign)
    mend = found[0].mend
    assert mend is not None
    with pytest.raises(OSError, match=r"symbolic link|Not a directory|second name"):
        mend.do()
    theirs = [path for path in (foreign.secret, foreign.folder / "shop.db") if path.exists()]
    assert [0] == [path.stat().st_uid for path in theirs]


def test_doctor_sets_no_mode_through_a_link(foreign: Foreign) -> None:
    """A password's place may lead anywhere by the time it is mended."""
    with acting_as_owner(foreign.state):
        (foreign.state / "credentials").mkdir(mode=0o700)
        (foreign.state / "credentials" / "store").write_text("store:secret\n")
    found = [one for one in doctor_files.credentials(foreign.settings) if "credentials/store" in one.said]
    (foreign.state / "credentials" / "store").unlink()
    foreign.secret.chmod(0o644)
    foreign.plant("credentials/store", foreign.secret)
    mend = found[0].mend
    assert mend is not None
    with pytest.raises(OSError, match="symbolic link"):
        mend.do()
    assert 0o644 == stat.S_IMODE(foreign.secret.stat().st_mode)


def test_link_for_a_state_is_of_who_made_it(foreign: Foreign) -> None:
    """Root's own leads where root wants it to; somebody else's makes nobody root."""
    base = foreign.config.parent
    (base / "roots").symlink_to(foreign.state)
    (foreign.state / "theirs").symlink_to(base)
    os.chown(foreign.state / "theirs", NOBODY, NOBODY, follow_symlinks=False)
    assert NOBODY == owner_of(base / "roots").user
    assert NOBODY == owner_of(foreign.state / "theirs").user
    assert NOBODY == owner_of(foreign.state / "not" / "there").user
