"""What `doctor` asks the system: its clock, systemd's units, and certificates that end."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from broker.certificates import SOON_DAYS, validity_of
from broker.errors import BrokerProblem
from broker.settings import Settings
from broker.settings_reader import PROJECT
from cli.finding import Finding, bad, ok, warn
from cli.installing.places import PREFIX, Places
from cli.installing.units import TARGET, Chosen, chosen_before, prefix_before, rendered

UNITS = Path("/etc/systemd/system")
BOOTED = Path("/run/systemd/system")
ASK_S = 5.0


def clock() -> Iterator[Finding]:
    """Say whether the clock follows others, where somebody knows."""
    said = _answer("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if said == "yes":
        yield ok("clock", "synchronised by NTP")
    elif said == "no":
        yield warn("clock", "not synchronised by NTP", "sudo timedatectl set-ntp true")
    else:
        yield ok("clock", "whether it is synchronised nobody here can tell (no timedatectl)")


def _answer(program: str, *arguments: str) -> str | None:
    """Return what a program says, None where it is not there or fails."""
    found = shutil.which(program)
    if found is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - found, with fixed arguments
            [found, *arguments], capture_output=True, text=True, timeout=ASK_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def units(settings: Settings, installed: Path = UNITS, project: Path = PROJECT) -> Iterator[Finding]:
    """Say which units are installed, other than this release would install them, not active or failed."""
    target = installed / TARGET
    found = sorted([*installed.glob("tailorbird*.service"), *installed.glob("tailorbird*.t*")])
    if not found:
        yield ok("systemd", "no units are installed: the line runs under `up`")
        return
    places = Places(prefix=prefix_before(target) or PREFIX, units=installed)
    wanted = rendered(project / "systemd", places, settings, chosen_before(target) or Chosen())
    other = [name for name, text in wanted.items() if _text(installed / name) != text]
    if other:
        yield warn(
            "systemd", f"not as this release has them: {', '.join(other)}", "sudo ./tailorbird install"
        )
    else:
        yield ok("systemd", f"{len(found)} units are installed as this release has them")
    if BOOTED.is_dir():
        yield from _states()


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _states() -> Iterator[Finding]:
    said = _answer("systemctl", "list-units", "--all", "--plain", "--no-legend", "tailorbird*")
    rows = [row.split(None, 4) for row in (said or "").splitlines()]
    wrong = {row[0]: row[2] for row in rows if len(row) > 3 and row[2] in {"failed", "activating"}}
    for unit, state in wrong.items():
        yield bad("systemd", f"{unit} is {state}", f"journalctl -u {unit} -n 20")
    idle = [row[0] for row in rows if len(row) > 3 and row[2] == "inactive" and row[0].endswith(".target")]
    for unit in idle:
        yield warn("systemd", f"{unit} is not active", f"sudo systemctl enable --now {unit}")
    if rows and not wrong and not idle:
        yield ok("systemd", f"{len(rows)} units are loaded, none failed")


def certificates(settings: Settings) -> Iterator[Finding]:
    """Say when each certificate ends, and whether a key may be read by others."""
    files, keys = _of_tls(settings)
    for file in files:
        yield _certificate(file)
    for key in keys:
        mode = key.stat().st_mode & 0o777
        if mode & 0o077 and os.access(key, os.R_OK):
            yield bad("certificates", f"{key} has mode {mode:o}: others may read the key", f"chmod 600 {key}")


def _of_tls(settings: Settings) -> tuple[list[Path], list[Path]]:
    """Return the certificates and keys of `{state}/tls` and of the keys `tls_...` of broker and page."""
    named = [
        getattr(section, key)
        for section in (settings.broker, settings.dashboard)
        for key in section.__struct_fields__
        if key.startswith("tls_")
    ]
    files = {path for path in named if isinstance(path, Path) and path.is_file()}
    files |= {path for path in (settings.paths.state / "tls").glob("*") if path.is_file()}
    once = {path.resolve(): path for path in sorted(files)}  # one file may have two names
    kinds = {path: path.suffix for path in once.values()}
    return (
        [path for path, kind in kinds.items() if kind in {".crt", ".pem"}],
        [path for path, kind in kinds.items() if kind == ".key"],
    )


def _advice(file: Path) -> str:
    """Say what makes a certificate new; no authority can renew itself."""
    if file.name == "ca.crt":
        return "./tailorbird tls init --force, or replace your own; every client then needs the new ca.crt"
    authority = file.with_name("ca.crt")
    try:
        ends_with_it = validity_of(authority).ends_at <= validity_of(file).ends_at
    except BrokerProblem:
        ends_with_it = False
    if ends_with_it:
        return (
            f"./tailorbird tls init --force: {authority} ends with it; every client then needs the new ca.crt"
        )
    return "./tailorbird tls renew, or replace your own"


def _certificate(file: Path) -> Finding:
    advice = _advice(file)
    try:
        end = validity_of(file).ends_at
    except BrokerProblem as problem:
        return warn("certificates", str(problem))
    days = (end - datetime.now(UTC)).days
    said = f"{file} is valid until {end:%Y-%m-%d}"
    if days < 0:
        return bad("certificates", f"{file} ended on {end:%Y-%m-%d}", advice)
    return warn("certificates", said, advice) if days < SOON_DAYS else ok("certificates", said)
