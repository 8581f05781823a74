"""What root does in the state's folders, which belong to the services' user.

Whoever owns a folder may put a link where a file is expected, at any moment. So root does not write there by
path: a command becomes the owner for good, or acts as the owner for a while, and the kernel refuses the rest.
"""

import contextlib
import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typer

from broker.settings import Settings
from cli.errors import CannotRun
from cli.given import given

ROOT = 0


@dataclass(frozen=True)
class Owner:
    """A user as the kernel knows it, with its groups."""

    user: int
    group: int
    groups: tuple[int, ...]


def owner_of(state: Path) -> Owner:
    """Return whom a state belongs to, or would belong to where it is not there yet."""
    there = next(path for path in (state.absolute(), *state.absolute().parents) if _is_there(path))
    found = there.lstat()
    if found.st_uid == ROOT:  # a link of root's own leads where root wants it to
        found = there.stat()
    try:
        name = pwd.getpwuid(found.st_uid)
    except KeyError:
        return Owner(found.st_uid, found.st_gid, (found.st_gid,))
    return Owner(found.st_uid, name.pw_gid, tuple(os.getgrouplist(name.pw_name, name.pw_gid)))


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def become_owner(state: Path) -> None:
    """Be the state's owner from now on, when root runs a command on somebody else's. Raises CannotRun."""
    if os.geteuid() != ROOT or (owner := owner_of(state)).user == ROOT:
        return
    with acting_as_owner(state):
        for what, file in (
            ("this Python", os.__file__),
            ("its packages", typer.__file__),
            ("this program", __file__),
        ):
            if not os.access(file, os.R_OK, effective_ids=True):
                raise CannotRun(
                    f"{state} belongs to user {owner.user}, who may not read {what}, {file}: run it from"
                    " where Tailorbird is installed, or move it to where all may read"
                )
    try:
        os.setgroups(owner.groups)
        os.setresgid(owner.group, owner.group, owner.group)
        os.setresuid(owner.user, owner.user, owner.user)
    except OSError as error:
        raise CannotRun(f"{state} belongs to user {owner.user}: {error.strerror}; run this as it") from error


def as_owner(context: typer.Context) -> Settings:
    """Read the settings, then become the owner of their state. Raises SettingsError and CannotRun."""
    settings = given(context).settings
    become_owner(settings.paths.state)
    return settings


@contextlib.contextmanager
def acting_as_owner(state: Path) -> Iterator[None]:
    """Be the state's owner for the `with` block, when root runs it; no other thread may run meanwhile."""
    if os.geteuid() != ROOT or (owner := owner_of(state)).user == ROOT:
        yield
        return
    groups, group = os.getgroups(), os.getegid()
    try:
        os.setgroups(owner.groups)
        os.setegid(owner.group)
        os.seteuid(owner.user)
        yield
    finally:
        os.seteuid(ROOT)
        os.setegid(group)
        os.setgroups(groups)


@contextlib.contextmanager
def opened_in(folder: Path, path: Path) -> Iterator[int]:
    """Open a file or folder below a folder, through no link, and neither pipe nor device. Raises OSError."""
    with contextlib.ExitStack() as closing:
        at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        closing.callback(os.close, at)
        for name in path.relative_to(folder).parts:
            at = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
            closing.callback(os.close, at)
        kind = os.fstat(at)
        if not (stat.S_ISDIR(kind.st_mode) or (stat.S_ISREG(kind.st_mode) and kind.st_nlink == 1)):
            raise OSError(None, "it is a special file, or has a second name", str(path))
        yield at


def give(state: Path, folder: Path, path: Path) -> None:
    """Make the state's owner the owner of what lies below a folder, through no link. Raises OSError."""
    owner = owner_of(state)
    with opened_in(folder, path) as opened:
        os.fchown(opened, owner.user, owner.group)


def make_folder(state: Path, folder: Path, mode: int) -> None:
    """Make a folder, the state owner's own, wherever it lies; one that is there and theirs stays as it is.

    Where the owner may not make it, its parent is no folder of theirs, and root makes it. Raises OSError,
    also for one outside the state that is there and somebody else's.
    """
    with acting_as_owner(state):
        try:
            if not folder.is_dir():
                folder.mkdir(parents=True)
                folder.chmod(mode)
            refused = not os.access(folder, os.W_OK | os.X_OK, effective_ids=True)
        except PermissionError:
            refused = True
    if not refused:
        return
    if os.geteuid() != ROOT or (os.path.lexists(folder) and not folder.is_relative_to(state)):
        raise PermissionError(None, "whom the state belongs to may not write there; chown it", str(folder))
    if folder.is_relative_to(state):
        give(state, state, folder)
        return
    folder.mkdir(parents=True)
    with opened_in(folder.parent, folder) as opened:
        os.fchmod(opened, mode)
    give(state, folder.parent, folder)
