"""What `doctor` sees in the file system: folders, owners and rights, room, watches."""

import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from broker.credentials import ACCOUNTS, read_credentials
from broker.errors import SettingsError
from broker.mounts import mount_now
from broker.settings import Settings
from cli.errors import CannotRun
from cli.finding import Finding, Mend, bad, ok, size, warn
from cli.ownership import give, make_folder, opened_in

if TYPE_CHECKING:
    from store.disk import Room

INOTIFY = Path("/proc/sys/fs/inotify")
FOLDERS_COUNTED = 200_000
NEARLY = 0.8
PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600


def folders(settings: Settings) -> Iterator[Finding]:
    """Say whether the folders are there, and may be written by whom they belong to."""
    wanted = {
        "[paths] state": (settings.paths.state, 0o750),
        "[ingest_agent] inbox": (settings.ingest_agent.inbox, 0o750),
        "[upkeep] backups": (settings.upkeep.backups, PRIVATE_FOLDER),
    }
    for key, (folder, mode) in wanted.items():
        yield _folder(key, folder, mode, settings.paths.state)


def _folder(key: str, folder: Path, mode: int, state: Path) -> Finding:
    if not folder.exists():
        mend = Mend(f"made the folder {folder}", lambda: make_folder(state, folder, mode))
        return warn(
            "paths", f"{key}: {folder} is not there yet", "it is made when it is needed, or: --fix", mend
        )
    if not folder.is_dir():
        return bad("paths", f"{key}: {folder} is no folder", "move that file, or change the key")
    if not os.access(folder, os.W_OK | os.X_OK):
        return bad("paths", f"{key}: {_me()} may not write in {folder}", f"it belongs to {_owner(folder)}")
    return ok("paths", f"{key}: {folder}, of {_owner(folder)}")


def owners(settings: Settings) -> Iterator[Finding]:
    """Say which files the services cannot use, since somebody else, root mostly, made them."""
    state = settings.paths.state
    if not state.is_dir():
        return
    wrong = [path for path in _ours(settings) if _owner_of(path) != _owner_of(state)]
    if not wrong:
        yield ok("owner", f"what lies in {state} belongs to {_owner(state)}")
    for path in wrong:
        said = f"{path} belongs to {_owner(path)}, and its state to {_owner(state)}"
        yield bad("owner", said, f"sudo chown {_owner(state)} {path}", _handing_over(path, state))


def _owner_of(path: Path) -> int:
    return path.lstat().st_uid


def _handing_over(path: Path, state: Path) -> Mend | None:
    if os.geteuid() != 0 or (path.is_file() and path.stat().st_nlink > 1):
        return None  # a file with a second name may be anybody's
    return Mend(f"gave {path} to the owner of its state", lambda: give(state, state, path))


def _ours(settings: Settings) -> Iterator[Path]:
    """Yield what services write: without the inbox, which is the clerks', and bundles, which they read."""
    state = settings.paths.state
    for path in sorted(state.iterdir()):
        if path in (settings.ingest_agent.inbox, settings.model.bundle) or path.is_symlink():
            continue
        yield path
        if path.is_dir():
            yield from (one for one in sorted(path.iterdir()) if not one.is_symlink())


def credentials(settings: Settings) -> Iterator[Finding]:
    """Say whether the passwords are there, readable, and nobody else's to read."""
    folder = settings.broker.credentials
    if not folder.is_dir():
        when = "made at the first start" if settings.broker.manage else "clients connect without an account"
        yield ok("credentials", f"{folder} is not there: {when}")
        return
    if not os.access(folder, os.R_OK | os.X_OK):
        yield ok("credentials", f"{folder} is {_owner(folder)}'s: ask as root to have it looked at")
        return
    yield from _private(folder, folder, PRIVATE_FOLDER)
    files = [file for file in sorted(folder.iterdir()) if file.is_file()]
    for file in files:
        yield from _private(folder, file, PRIVATE_FILE)
    missing = [account for account in ACCOUNTS if not (folder / account).is_file()]
    if missing:
        advice = "made at the next start" if settings.broker.manage else "they connect without an account"
        yield warn("credentials", f"{folder} has no file for {', '.join(missing)}", advice)
    yield from _readable(folder)


def _readable(folder: Path) -> Iterator[Finding]:
    found = 0
    for account in ACCOUNTS:
        try:
            found += read_credentials(folder, account) is not None
        except SettingsError as error:
            yield bad("credentials", str(error), "one line user:password, readable for the services' user")
    yield ok("credentials", f"{found} accounts can be read in {folder}")


def _private(folder: Path, path: Path, mode: int) -> Iterator[Finding]:
    found = stat.S_IMODE(path.stat().st_mode)
    if found & 0o077:
        mend = Mend(f"set {path} to {mode:o}", lambda: _set_mode(folder, path, mode))
        said = f"{path} has mode {found:o}: others may read the passwords"
        yield bad("credentials", said, f"chmod {mode:o} {path}", mend)


def _set_mode(folder: Path, path: Path, mode: int) -> None:
    with opened_in(folder.parent, path) as opened:
        os.fchmod(opened, mode)


def room(settings: Settings, database: Path | None) -> Iterator[Finding]:
    """Say how much room each path has, and whether the database may lie where it lies."""
    from store.disk import room_at

    wanted = {
        "state": settings.paths.state,
        "inbox": settings.ingest_agent.inbox,
        "backups": settings.upkeep.backups,
        **({} if database is None else {"database": database.parent}),
    }
    seen: dict[int, str] = {}
    for name, path in wanted.items():
        found = room_at(path, settings.store.min_free_mb)
        if found.device in seen:
            continue
        seen[found.device] = name
        yield _room(name, found, settings.store.min_free_mb)
    if database is not None and (mount := mount_now(database)).is_remote:
        said = f"{database} lies on a network file system ({mount.fs_type})"
        yield bad("disk", said, "set [store] url to a local disk, or to PostgreSQL")


def _room(name: str, found: "Room", min_free_mb: int) -> Finding:
    said = f"{size(found.free_bytes)} of {size(found.whole_bytes)} free at {found.place} ({name})"
    if found.state == "bad":
        return bad(
            "disk", said, f"below [store] min_free_mb = {min_free_mb}: the store takes nothing; make room"
        )
    if found.state == "warn":
        return warn("disk", said, "make room, or set [upkeep] keep_days or keep_bytes")
    return ok("disk", said)


def watches(settings: Settings, limits: Path = INOTIFY) -> Iterator[Finding]:
    """Say whether the kernel lets the agent watch every folder of the inbox."""
    agent = settings.ingest_agent
    if agent.watch == "polling" or not limits.is_dir():
        yield ok("inotify", "the inbox is polled: no limit applies")
        return
    count = _folders_below(agent.inbox)
    most = int((limits / "max_user_watches").read_text())
    instances = int((limits / "max_user_instances").read_text())
    said = f"{count:,} folders in the inbox, {most:,} watches and {instances:,} instances allowed"
    advice = f"sudo sysctl fs.inotify.max_user_watches={max(524_288, 2 * count)}, and in /etc/sysctl.d"
    if count >= most:
        yield bad("inotify", said, f"new files are found by the rescan only; {advice}")
    elif count >= NEARLY * most:
        yield warn("inotify", said, advice)
    elif instances < 16:
        yield warn("inotify", said, "sudo sysctl fs.inotify.max_user_instances=128, and in /etc/sysctl.d")
    else:
        yield ok("inotify", said)


def _folders_below(inbox: Path) -> int:
    count = 0
    for _ in os.walk(inbox):
        count += 1
        if count >= FOLDERS_COUNTED:
            break
    return count


def database_file(settings: Settings) -> Path | None:
    """Return the SQLite file, None for another database. Raises CannotRun for no URL at all."""
    from store.database import file_of

    try:
        return file_of(settings.store.url)
    except SettingsError as error:
        raise CannotRun(str(error)) from error


def _owner(path: Path) -> str:
    number = path.lstat().st_uid
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _me() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
