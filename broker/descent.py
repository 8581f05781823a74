"""Down from the inbox level by level, following no link: nothing outside is reached, whatever is swapped.

A path is looked up by the kernel anew each time, links in its middle included. So a folder that was one when
it was listed, and is a link a moment later, would lead out of the inbox. A descriptor stays what it was.
"""

import os
from types import TracebackType
from typing import Self

from broker.places import parent_and_name

# To go through a folder is not to list it: O_PATH wants no right to read. Other systems than Linux lack it.
_THROUGH = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LISTED = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_folder(root: bytes, relative: bytes) -> int:
    """Return a descriptor to go on from. `root` itself may be a link, no level of `relative` may.

    Raises OSError; a link on the way is a NotADirectoryError.
    """
    levels = relative.split(b"/") if relative else []
    if {b"", b".", b".."} & set(levels):
        raise NotADirectoryError(f"{relative!r} is no path below the inbox")
    descriptor = os.open(root, _THROUGH)
    try:
        for level in levels:
            below = os.open(level, _THROUGH | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def list_folder(name: bytes, parent: int | None) -> int:
    """Return a descriptor to list a folder by; without a parent `name` is the root's path. Raises OSError."""
    if parent is None:
        return os.open(name, _LISTED & ~os.O_NOFOLLOW)
    return os.open(name, _LISTED, dir_fd=parent)


def folders_in(path: bytes) -> list[bytes]:
    """Return the names of the folders in a folder that is no link itself. Raises OSError."""
    descriptor = os.open(path, _LISTED)
    try:
        with os.scandir(descriptor) as entries:
            return [os.fsencode(entry.name) for entry in entries if entry.is_dir(follow_symlinks=False)]
    finally:
        os.close(descriptor)


class Descent:
    """Opens files below `root`. The latest file's folder stays open, for its neighbours mostly come next."""

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._folder: bytes | None = None
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Nothing is open yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the folder."""
        if self._folder is not None:
            os.close(self._descriptor)
            self._folder = None

    def open(self, relative: bytes) -> int:
        """Return a file's descriptor, without waiting for whoever writes to a pipe. Raises OSError."""
        folder, name = parent_and_name(relative)
        return os.open(name, _FILE, dir_fd=self._through(folder))

    def stat(self, relative: bytes) -> os.stat_result:
        """Return what lies there, a link as a link. Raises OSError."""
        folder, name = parent_and_name(relative)
        return os.stat(name, dir_fd=self._through(folder), follow_symlinks=False)

    def _through(self, folder: bytes) -> int:
        if folder != self._folder:
            descriptor = open_folder(self._root, folder)
            self.__exit__(None, None, None)
            self._folder, self._descriptor = folder, descriptor
        return self._descriptor
