"""The program's files below the prefix: the project's own, and the environment with its packages."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.errors import CannotRun
from cli.installing.machine import SYSTEM_PATH, Machine
from cli.installing.places import Places, is_hidden

LOCKS = ("requirements.txt", "requirements-serve.txt")
LEFT_OUT = {
    ".git",
    ".venv",
    "var",
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".setup.lock",
}
DEFAULTS = "config.defaults.toml"


def files_of(source: Path) -> list[Path]:
    """Return the project's files, relative to its folder: those git tracks, or all without git."""
    if (source / ".git").exists() and shutil.which("git") is not None:
        # git would not look into somebody else's folder; who types sudo here trusts it.
        command = ["git", "-c", f"safe.directory={source}", "-C", str(source), "ls-files", "-z"]
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - our own words
        if done.returncode == 0 and done.stdout:
            names = [Path(os.fsdecode(name)) for name in done.stdout.split(b"\0") if name]
            return [name for name in names if (source / name).is_file()]
    return sorted(_walk(source, source))


def _walk(folder: Path, source: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name in LEFT_OUT or path.suffix == ".pyc":
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path, source)
        elif path.is_file():
            yield path.relative_to(source)


def copy_program(source: Path, places: Places) -> None:
    """Put the project's files together beside the prefix; its configuration there is the machine's own."""
    remove(places.next)
    for name in files_of(source):
        target = places.next / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / name, target, follow_symlinks=False)
    config = places.next / "config.toml"
    if config.is_symlink():  # an installed release, which keeps its defaults apart already
        config.unlink()
    else:
        config.replace(places.next / DEFAULTS)
    config.symlink_to(places.config)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Environment:
    """Where the packages come from: `link` (used where they are), `share`, `copy`, or `set-up` (fetched)."""

    way: str
    folder: Path | None = None

    def what(self, places: Places) -> str:
        """Say what is done."""
        target = places.next / ".venv"
        return {
            "link": f"use the packages in {self.folder}, by a link at {target}",
            "share": f"share the packages of {self.folder} with {target} (hard links)",
            "copy": f"copy the packages of {self.folder} to {target}",
            "set-up": f"fetch the packages into {target} (a few minutes)",
        }[self.way]


def choose_environment(source: Path, places: Places, given: Path | None, running: Path) -> Environment:
    """Return the way to the packages that needs least. Raises CannotRun when the given one is no use.

    The installed ones are shared when the locked packages are the same; those that run this command are
    copied, so that root's services run no file of somebody else's. Both only where services may run them.
    """
    if given is not None:
        if (objection := _objection(given, source)) is not None:
            raise CannotRun(f"--environment: {objection}")
        return Environment("link", given)
    installed = places.prefix / ".venv"
    if installed.is_symlink() and _objection(installed.resolve(), source) is None:
        return Environment("link", installed.resolve())
    if _objection(installed, source) is None:
        return Environment("share", installed)
    if _objection(running, source) is None:
        return Environment("copy", running)
    return Environment("set-up")


def _objection(environment: Path, source: Path) -> str | None:
    """Say why services cannot use an environment for this project; None where they can."""
    python = environment / "bin" / "python"
    if not python.exists():
        return f"there is no Python in {environment}"
    if not any(_holds(environment, source, lock) for lock in LOCKS):
        return f"{environment} does not hold the packages that this release locks"
    if is_hidden(python):
        return f"its Python is {python.resolve()}, which services do not see"
    return None


def _holds(environment: Path, source: Path, lock: str) -> bool:
    """Tell whether the launcher has set this lock file up there."""
    done = environment / f"{lock}.done"
    if not done.is_file():
        return False
    return done.read_text("utf-8").strip() == checksum(source / lock)


def checksum(file: Path) -> str:
    """Return a file's checksum and size as the launcher writes them."""
    with file.open("rb") as opened:
        said = subprocess.run(["cksum"], stdin=opened, capture_output=True, text=True, check=True)  # noqa: S607
    return "-".join(said.stdout.split()[:2])


def place_environment(chosen: Environment, places: Places) -> None:
    """Make `.venv` of the next release. Raises CannotRun when its packages could not be fetched."""
    target = places.next / ".venv"
    if chosen.folder is None:
        _set_up(places.next)
    elif chosen.way == "link":
        target.symlink_to(chosen.folder)
    else:
        shutil.copytree(
            chosen.folder,
            target,
            symlinks=True,
            copy_function=_share if chosen.way == "share" else shutil.copy2,
        )


def _share(source: str, target: str) -> None:
    """Link a file that nobody changes in place, or copy it to another disk."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def _set_up(project: Path) -> None:
    """Let the launcher set itself up there, with the system's Python."""
    environment = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    wanted = os.environ.get("TAILORBIRD_REQUIREMENTS", "requirements-serve.txt")
    environment |= {"PATH": SYSTEM_PATH, "HOME": "/root", "TAILORBIRD_REQUIREMENTS": wanted}
    done = subprocess.run([project / "tailorbird", "--version"], env=environment, check=False)  # noqa: S603
    if done.returncode != 0:
        raise CannotRun(f"the packages could not be set up in {project / '.venv'}")
    if is_hidden(project / ".venv" / "bin" / "python"):
        raise CannotRun(
            "the system's own Python 3.11, 3.12 or 3.13 is needed: services do not see the one found"
        )


def finish_program(machine: Machine, places: Places) -> None:
    """Compile all, since services may not write beside the code, and let everybody read it."""
    # Files of packages that are templates do not compile; what cannot be imported shows at the start.
    machine.run(
        *(places.next / ".venv" / "bin" / "python", "-m", "compileall", "-qq", "-j", "0"),
        *("-s", places.next, "-p", places.prefix, places.next),
        check=False,
        timeout_s=900,
    )
    machine.run("chmod", "-R", "u=rwX,go=rX", places.next)
    machine.run("chown", "-R", "-h", "root:root", places.next)


def swap_in(places: Places) -> None:
    """Make the next release the present one, and keep the one before."""
    if places.prefix.exists():
        remove(places.previous)
        places.prefix.rename(places.previous)
    places.next.rename(places.prefix)


def swap_back(places: Places) -> None:
    """Make the release before the present one again; without one nothing is left."""
    if places.next.exists() and places.prefix.exists():  # the swap had not begun
        return
    if not places.next.exists():
        remove(places.prefix)
    if places.previous.exists():
        places.previous.rename(places.prefix)
