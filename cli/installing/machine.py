"""The machine that is installed on: its commands, and whether it is fit at all."""

import contextlib
import fcntl
import os
import pwd
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from cli.errors import CannotRun

BOOTED = Path("/run/systemd/system")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Not the caller's: what is found there must be there for the services as well."""
OLDEST_SYSTEMD = 250
LOCK = Path("/run/tailorbird-install.lock")
COMMAND_S = 300.0


class Machine:
    """Runs commands as root; tests put another in its place."""

    user = "tailorbird"

    def run(self, *command: str | Path, check: bool = True, timeout_s: float = COMMAND_S) -> str:
        """Return what a command prints. Raises CannotRun with its last line when it fails."""
        words = [str(word) for word in command]
        environment = {"PATH": SYSTEM_PATH, "LANG": "C.UTF-8", "HOME": "/root"}
        try:
            done = subprocess.run(  # noqa: S603 - our own words, no shell
                words, capture_output=True, text=True, env=environment, timeout=timeout_s, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CannotRun(f"{words[0]}: {error}") from error
        if check and done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
            raise CannotRun(f"`{' '.join(words)}` failed: {said[-1]}")
        return done.stdout

    def has_user(self) -> bool:
        """Tell whether the services' user is there."""
        try:
            pwd.getpwnam(self.user)
        except KeyError:
            return False
        return True

    def give(self, *paths: Path) -> None:
        """Make the services' user the owner of paths."""
        found = pwd.getpwnam(self.user)
        for path in paths:
            os.chown(path, found.pw_uid, found.pw_gid, follow_symlinks=False)

    def give_to_read(self, path: Path) -> None:
        """Let the services' user, and nobody else beside root, read a file."""
        os.chown(path, 0, pwd.getpwnam(self.user).pw_gid)
        path.chmod(0o640)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Be the only one who changes the installation. Raises CannotRun when somebody else is at it."""
    with LOCK.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotRun("another `install` or `uninstall` is under way") from error
        yield


def unfit(command: str) -> Sequence[str]:
    """Say why nothing can be installed here, or taken away; empty where nothing speaks against it."""
    found = []
    if not BOOTED.is_dir():
        found.append(
            "systemd does not run this machine (there is no /run/systemd/system): use ./tailorbird up"
        )
    if os.geteuid() != 0:
        found.append(f"this needs root: type sudo ./tailorbird {command}")
    return found


def check_systemd(machine: Machine) -> None:
    """Refuse a systemd that does not know what the units ask for. Raises CannotRun."""
    said = machine.run("systemctl", "--version")
    version = re.search(r"^systemd (\d+)", said)
    if version is None or int(version[1]) < OLDEST_SYSTEMD:
        raise CannotRun(
            f"systemd {OLDEST_SYSTEMD} or newer is needed, this is {said.splitlines()[0] or 'older'}"
        )
