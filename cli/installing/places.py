"""Where an installation lies."""

import re
from dataclasses import dataclass
from pathlib import Path

from cli.errors import CannotRun

PREFIX = Path("/opt/tailorbird")
HIDDEN = (Path("/home"), Path("/root"), Path("/run/user"))
"""Folders that the units' ProtectHome= hides from the services."""
PRIVATE = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - named because nobody may use them
"""Folders of which each service sees one of its own."""


@dataclass(frozen=True)
class Places:
    """Every path that `install` writes to; all but the prefix are the system's own conventions."""

    prefix: Path = PREFIX
    configuration: Path = Path("/etc/tailorbird")
    state: Path = Path("/var/lib/tailorbird")
    units: Path = Path("/etc/systemd/system")
    link: Path = Path("/usr/local/bin/tailorbird")

    @property
    def config(self) -> Path:
        """The administrator's file."""
        return self.configuration / "config.toml"

    @property
    def credentials(self) -> Path:
        """Root's folder with a file per account."""
        return self.configuration / "credentials"

    @property
    def models(self) -> Path:
        """The bundles, outside the code so that an upgrade leaves them alone."""
        return self.state / "models"

    @property
    def next(self) -> Path:
        """Where the next release is put together."""
        return self.prefix.with_name(f"{self.prefix.name}.next")

    @property
    def previous(self) -> Path:
        """The release that ran before."""
        return self.prefix.with_name(f"{self.prefix.name}.previous")

    @property
    def python(self) -> Path:
        """The Python that the units name."""
        return self.prefix / ".venv" / "bin" / "python"


def check_prefix(prefix: Path) -> None:
    """Refuse a prefix that the units cannot name, or the services not see. Raises CannotRun."""
    if not re.fullmatch(r"(/[A-Za-z0-9._-]+)+", str(prefix)) or ".." in prefix.parts:
        raise CannotRun(f"--prefix: expected a whole path of A-Z a-z 0-9 . _ -, not {str(prefix)!r}")
    _check_seen("--prefix", prefix)


def check_folder(what: str, folder: Path) -> None:
    """Refuse a folder that the units cannot name, or the services not see. Raises CannotRun."""
    if re.search(r"[\x00-\x1f\x7f\"\\]", str(folder)) or not folder.is_absolute():
        raise CannotRun(
            f"{what}: expected a whole path without quotes and control characters, not {folder!s}"
        )
    _check_seen(what, folder)


def _check_seen(what: str, path: Path) -> None:
    for folder in (*HIDDEN, *PRIVATE):
        if path.resolve().is_relative_to(folder):
            raise CannotRun(
                f"{what}: {path} lies below {folder}, which services do not see; /srv is a good place"
            )


def is_hidden(path: Path) -> bool:
    """Tell whether the services cannot see a program."""
    return any(path.resolve().is_relative_to(folder) for folder in (*HIDDEN, *PRIVATE))
