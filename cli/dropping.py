"""Dropping a folder into the inbox as a careful person would: complete, and in one moment."""

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from broker.mounts import rename_leads
from broker.names import text_of
from broker.places import Ignored, is_ours
from broker.settings import Settings
from cli.errors import CannotRun
from ingest_agent.sealing import wire_name


@dataclass(frozen=True)
class Parcel:
    """A folder that is complete and waits beside the inbox: what will be dropped, and under which name."""

    waiting: Path
    target: Path
    images: frozenset[str]
    """The images' names within the folder, as messages and tables have them."""

    @property
    def folder(self) -> str:
        """The dropped folder's name as messages and tables have it."""
        return text_of(os.fsencode(self.target.name))

    def drop(self) -> None:
        """Put the whole folder into the inbox with one rename."""
        self.waiting.rename(self.target)
        self.waiting.parent.rmdir()

    def discard(self) -> None:
        """Throw the copy away."""
        shutil.rmtree(self.waiting.parent, ignore_errors=True)


def pack(source: Path, settings: Settings, advance: Callable[[int], None] = lambda _: None) -> Parcel:
    """Copy a folder's files to where one rename drops them. Raises CannotRun.

    A link would be quicker, but then a later change of the original would be a new image in the inbox. What
    the agent would ignore is left out; so are devices, pipes and links that lead nowhere.
    """
    inbox = settings.ingest_agent.inbox
    try:
        files = list(files_below(source, Ignored(settings.ingest_agent.ignore)))
        if not files:
            raise CannotRun(f"{source}: holds no file to classify")
        waiting = Path(tempfile.mkdtemp(prefix=".drop-", dir=_beside(inbox, settings.paths.state))) / "parcel"
        images = frozenset(wire_name(relative) for relative in files)
        parcel = Parcel(waiting, _free_name(inbox, source), images)
        _fill(parcel, os.fsencode(source), files, advance)
    except OSError as error:
        raise CannotRun(f"{source}: cannot be put into the inbox {inbox}: {error}") from error
    return parcel


def _fill(parcel: Parcel, source: bytes, files: Sequence[bytes], advance: Callable[[int], None]) -> None:
    """Bring the files; a parcel that cannot be filled, or is not wanted any more, is thrown away."""
    try:
        for number, relative in enumerate(files):
            _bring(source + b"/" + relative, os.fsencode(parcel.waiting) + b"/" + relative)
            advance(number + 1)
    except BaseException:
        parcel.discard()
        raise


def files_below(source: Path, ignored: Ignored) -> Iterator[bytes]:
    """Yield the paths of the files below a folder that the agent would take. Raises OSError."""
    root = os.fsencode(source)
    for folder, folders, names in os.walk(root, onerror=_raise):
        relative = folder[len(root) + 1 :]
        folders[:] = sorted(name for name in folders if not ignored.name(name))
        for name in sorted(names):
            path = relative + b"/" + name if relative else name
            if not ignored.path(path) and not is_ours(b"folder/" + path) and _is_file(folder + b"/" + name):
                yield path


def _raise(error: OSError) -> None:
    raise error


def _is_file(path: bytes) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 - paths are bytes here
    except OSError:
        return False


def _beside(inbox: Path, state: Path) -> Path:
    """Choose a folder on the inbox's disk, outside of it if possible: no event for each file."""
    inbox.mkdir(parents=True, exist_ok=True)
    state.mkdir(parents=True, exist_ok=True)
    return state if rename_leads(state, inbox) else inbox


def _bring(source: bytes, target: bytes) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120 - paths are bytes here
    shutil.copy2(source, target)


def _free_name(inbox: Path, source: Path) -> Path:
    name = os.fsdecode(os.fsencode(source.resolve().name).lstrip(b".")) or "folder"
    number, target = 1, inbox / name
    while target.exists():
        number += 1
        target = inbox / f"{name}-{number}"
    return target
