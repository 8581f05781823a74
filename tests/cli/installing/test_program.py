"""Which files are copied, and where the packages come from."""

import subprocess
from pathlib import Path

import pytest

from cli.errors import CannotRun
from cli.installing import program
from cli.installing.machine import Machine, check_systemd
from cli.installing.places import Places
from cli.installing.program import Environment, checksum, choose_environment, files_of, place_environment

SYSTEM_PYTHON = "/bin/sh"
"""Stands for the system's Python: a program outside every home."""


@pytest.fixture(autouse=True)
def hidden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that services do not see, in the place of /home, /root and /tmp."""
    monkeypatch.setattr("cli.installing.places.PRIVATE", ())
    monkeypatch.setattr("cli.installing.places.HIDDEN", (tmp_path / "home",))
    return tmp_path / "home"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A project with two locks."""
    folder = tmp_path / "project"
    folder.mkdir()
    for lock in program.LOCKS:
        (folder / lock).write_text(f"# {lock}\n")
    return folder


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A prefix of this test's own, the next release begun."""
    made = Places(tmp_path / "opt" / "tailorbird")
    made.next.mkdir(parents=True)
    return made


def make_environment(folder: Path, source: Path, python: str = SYSTEM_PYTHON) -> Path:
    """Make what the launcher leaves of a finished set-up."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(python)
    (folder / "package.py").write_text("")
    lock = source / "requirements-serve.txt"
    (folder / f"{lock.name}.done").write_text(f"{checksum(lock)}\n")
    return folder


def test_launcher_writes_the_same_checksum(source: Path) -> None:
    """What it calls done is done for `install` too."""
    shell = f'set -- $(cksum <"{source}/requirements.txt"); echo "$1-$2"'
    said = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True).stdout
    assert said == f"{checksum(source / 'requirements.txt')}\n"


def test_files_are_those_that_git_tracks(tmp_path: Path) -> None:
    """Nobody's notes and no state come along; one that was removed is not missed."""
    git = ["git", "-C", str(tmp_path)]
    for name in ("tracked.py", "gone.py", "notes.txt"):
        (tmp_path / name).write_text("")
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "tracked.py", "gone.py"], check=True)
    (tmp_path / "gone.py").unlink()
    assert [Path("tracked.py")] == files_of(tmp_path)


def test_files_without_git_are_all_but_what_arises_by_itself(tmp_path: Path) -> None:
    """An unpacked release has no history."""
    for name in ("broker/line.py", "broker/__pycache__/line.pyc", "var/tailorbird.db", ".venv/bin/python"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert [Path("broker/line.py")] == files_of(tmp_path)


def test_installed_packages_are_shared_when_the_lock_is_the_same(source: Path, places: Places) -> None:
    """By hard links: no download, no second copy, and the release before keeps its own names."""
    installed = make_environment(places.prefix / ".venv", source)
    running = make_environment(source / ".venv", source)
    chosen = choose_environment(source, places, None, running)
    assert Environment("share", installed) == chosen
    place_environment(chosen, places)
    assert (places.next / ".venv" / "package.py").samefile(installed / "package.py")


def test_running_packages_are_copied(source: Path, places: Places) -> None:
    """Not linked: they are somebody else's files, and services run as they were when root looked."""
    running = make_environment(source / ".venv", source)
    chosen = choose_environment(source, places, None, running)
    assert Environment("copy", running) == chosen
    place_environment(chosen, places)
    copied = places.next / ".venv" / "package.py"
    assert copied.is_file()
    assert not copied.samefile(running / "package.py")


def test_packages_are_fetched_where_none_fit(source: Path, places: Places, hidden: Path) -> None:
    """Another lock, or a Python that services do not see."""
    make_environment(places.prefix / ".venv", source)
    (source / "requirements-serve.txt").write_text("# changed\n")
    hidden.mkdir()
    (hidden / "python").write_text("")
    running = make_environment(source / ".venv", source, str(hidden / "python"))
    assert Environment("set-up") == choose_environment(source, places, None, running)


def test_given_packages_are_used_where_they_are(source: Path, places: Places, tmp_path: Path) -> None:
    """And again by the next installation, which needs no option."""
    given = make_environment(tmp_path / "packages", source)
    chosen = choose_environment(source, places, given, source / ".venv")
    assert Environment("link", given) == chosen
    place_environment(chosen, places)
    program.swap_in(places)
    assert chosen == choose_environment(source, places, None, source / ".venv")


def test_given_packages_of_another_release_are_refused(source: Path, places: Places, tmp_path: Path) -> None:
    """One line, before anything is stopped."""
    given = make_environment(tmp_path / "packages", source)
    (source / "requirements-serve.txt").write_text("# changed\n")
    with pytest.raises(CannotRun, match="does not hold the packages that this release locks"):
        choose_environment(source, places, given, source / ".venv")


class OldSystemd(Machine):
    """A machine with systemd of 2020."""

    def run(self, *command: str | Path, check: bool = True, timeout_s: float = 0) -> str:
        """Answer as it does."""
        return "systemd 246 (246.6-1)\n+PAM\n"


def test_old_systemd_is_refused() -> None:
    """It knows no credentials."""
    with pytest.raises(CannotRun, match=r"systemd 250 or newer is needed, this is systemd 246"):
        check_systemd(OldSystemd())
