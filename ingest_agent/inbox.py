"""The inbox itself: whether it is there, whether it is still the same directory, and what it lies on."""

import os
from dataclasses import dataclass
from pathlib import Path

from broker.mounts import MOUNTS, Mount, mount_now


@dataclass(frozen=True)
class Root:
    """The inbox as it was found: `key` changes when another directory lies there, even for a moment."""

    key: tuple[int, int]
    mount: Mount

    @property
    def identity(self) -> str:
        """What stays the same over a reboot, and not when the mount is missing."""
        return f"{self.mount.fs_type}:{self.mount.source}:{self.key[1]}"


class Inbox:
    """The directory that is watched."""

    def __init__(self, path: Path, mounts: Path = MOUNTS) -> None:
        self.path = os.path.abspath(os.fsencode(path))  # noqa: PTH100 - bytes, and no link resolved
        self._mounts = mounts

    def key(self) -> tuple[int, int] | None:
        """Return device and inode of the directory that is there now; None when there is none."""
        try:
            found = os.stat(self.path)  # noqa: PTH116 - bytes
            with os.scandir(self.path):
                pass
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def why_not(self) -> str:
        """Say why there is no directory that can be read."""
        try:
            with os.scandir(self.path):
                return "it is there"
        except OSError as error:
            return error.strerror or str(error)

    def root(self) -> Root | None:
        """Return the directory that is there now and its mount; None when there is none."""
        key = self.key()
        if key is None:
            return None
        return Root(key, mount_now(self.path, self._mounts))

    def absolute(self, relative: bytes) -> bytes:
        """Return the whole path of something below the inbox."""
        return self.path + b"/" + relative if relative else self.path
