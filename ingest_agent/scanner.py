"""Walking the inbox without ever holding it in memory: one open directory per level, one entry at a time."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from ingest_agent.places import Ignored, has_image_suffix, is_ours


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
    seen: int = 0
    _stack: list[tuple[bytes, Iterator["os.DirEntry[bytes]"]]] = field(default_factory=list)

    def __iter__(self) -> Iterator[Found | Unreadable]:
        """Walk. What vanishes meanwhile is passed over."""
        yield from self._enter(self.start)
        while self._stack:
            relative, entries = self._stack[-1]
            try:
                entry = next(entries, None)
            except OSError as error:
                entry = None
                yield Unreadable(relative, error)
            if entry is None:
                self._leave()
                continue
            name = entry.name
            path = relative + b"/" + name if relative else name
            if not self.ignored.name(name) and not is_ours(path):
                yield from self._visit(path, entry)

    def _visit(self, path: bytes, entry: "os.DirEntry[bytes]") -> Iterator[Found | Unreadable]:
        self.seen += 1
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
            entries = os.scandir(self.inbox + b"/" + relative if relative else self.inbox)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            yield Unreadable(relative, error)
            return
        self._stack.append((relative, entries))

    def _leave(self) -> None:
        self.close_one(self._stack.pop()[1])
        if len(self._stack) == 1 and not self.start:
            self.folder = b""

    @staticmethod
    def close_one(entries: Iterator["os.DirEntry[bytes]"]) -> None:
        """Give a directory back."""
        close = getattr(entries, "close", None)
        if close is not None:
            close()

    def close(self) -> None:
        """Give all open directories back; a walk that ended has none."""
        while self._stack:
            self.close_one(self._stack.pop()[1])
