"""Walking the inbox in bounded memory: one open directory a level, and a few thousand of its names at a time.

The names come sorted as far as that goes: neighbours by name are neighbours in the ledger, so a batch of them
changes few of its pages.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter

from broker.descent import list_folder, open_folder
from broker.places import Ignored, has_image_suffix, is_ours, parent_and_name

NAMES_AT_ONCE = 8192


@dataclass(frozen=True, slots=True)
class Found:
    """A file (or what wants to be one) that a walk came by, with its own stat, links not followed."""

    relative: bytes
    stat: os.stat_result


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A directory that could not be walked."""

    relative: bytes
    error: OSError


class _Directory:
    """An open directory, read a portion at a time; its folders are opened from its own descriptor."""

    def __init__(self, descriptor: int, relative: bytes) -> None:
        self.relative = relative
        self.descriptor = descriptor
        try:
            self._entries = os.scandir(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._portion: list[os.DirEntry[str]] = []

    def next(self) -> "os.DirEntry[str] | None":
        """Return the next entry, None at the end. Raises OSError."""
        if not self._portion:
            self._portion = sorted(islice(self._entries, NAMES_AT_ONCE), key=attrgetter("name"), reverse=True)
        return self._portion.pop() if self._portion else None

    def path_of(self, name: bytes) -> bytes:
        """Return an entry's path below the inbox."""
        return self.relative + b"/" + name if self.relative else name

    def close(self) -> None:
        """Give the directory back."""
        self._entries.close()
        os.close(self.descriptor)


@dataclass
class Walk:
    """One walk of a tree, as an iterator of `Found` and `Unreadable`.

    Hidden and ignored names are passed over. A directory that is called like an image is found as such, and
    walked as well. `folder` is the top-level folder that the walk is in.
    """

    inbox: bytes
    ignored: Ignored
    start: bytes = b""
    folder: bytes = b""
    _stack: list[_Directory] = field(default_factory=list)

    def __iter__(self) -> Iterator[Found | Unreadable]:
        """Walk. What vanishes meanwhile is passed over."""
        yield from self._enter(self.start)
        while self._stack:
            directory = self._stack[-1]
            try:
                entry = directory.next()
            except OSError as error:
                entry = None
                yield Unreadable(directory.relative, error)
            if entry is None:
                self._leave()
                continue
            name = os.fsencode(entry.name)  # by a descriptor, names come as text
            path = directory.path_of(name)
            if not self.ignored.name(name) and not is_ours(path):
                yield from self._visit(path, entry)

    def _visit(self, path: bytes, entry: "os.DirEntry[str]") -> Iterator[Found | Unreadable]:
        try:
            found = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return
        except OSError as error:
            yield Unreadable(path, error)
            return
        if not stat.S_ISDIR(found.st_mode):
            yield Found(path, found)
            return
        if has_image_suffix(path):
            yield Found(path, found)
        yield from self._enter(path)

    def _enter(self, relative: bytes) -> Iterator[Unreadable]:
        if len(self._stack) <= 1:
            self.folder = relative.partition(b"/")[0]
        try:
            self._stack.append(_Directory(self._open(relative), relative))
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            yield Unreadable(relative, error)

    def _open(self, relative: bytes) -> int:
        """Open a folder from the one that it was found in, so that no link is followed."""
        if self._stack:
            return list_folder(parent_and_name(relative)[1], self._stack[-1].descriptor)
        if not relative:
            return list_folder(self.inbox, None)
        folder, name = parent_and_name(relative)
        parent = open_folder(self.inbox, folder)
        try:
            return list_folder(name, parent)
        finally:
            os.close(parent)

    def _leave(self) -> None:
        self._stack.pop().close()
        if len(self._stack) == 1 and not self.start:
            self.folder = b""

    def close(self) -> None:
        """Give all open directories back; a walk that ended has none."""
        while self._stack:
            self._stack.pop().close()
