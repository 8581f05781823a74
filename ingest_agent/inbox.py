"""The inbox itself: whether it is there, whether it is still the same directory, and what it lies on."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

# File systems on which another machine's writes cause no events here. FUSE ones are told by their prefix.
NETWORK_TYPES = frozenset(
    {
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "9p",
        "afs",
        "ceph",
        "glusterfs",
        "lustre",
        "virtiofs",
        "vboxsf",
        "prl_fs",
        "vmhgfs",
        "davfs",
        "ncpfs",
    }
)
# File systems whose inode numbers outlive an unmount; elsewhere they say nothing about a file's identity.
STEADY_INODES = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "tmpfs", "overlay", "bcachefs"}
)
MOUNTS = Path("/proc/self/mountinfo")


@dataclass(frozen=True)
class Mount:
    """What a directory lies on. `source` is the device or the share, "" when nothing could be read."""

    point: bytes = b"/"
    fs_type: str = ""
    source: str = ""

    @property
    def is_network(self) -> bool:
        """Whether others may write there without an event here."""
        return self.fs_type in NETWORK_TYPES or self.fs_type.startswith("fuse.")

    @property
    def has_steady_inodes(self) -> bool:
        """Whether a file keeps its inode number for life."""
        return self.fs_type in STEADY_INODES


def mount_of(path: bytes, mounts: bytes) -> Mount:
    """Find a path's mount in the text of mountinfo (proc(5)); later lines lie over earlier ones."""
    best = Mount()
    for line in mounts.splitlines():
        fields = line.split(b" ")
        try:
            dash = fields.index(b"-", 6)
            point, fs_type, source = _plain(fields[4]), fields[dash + 1], fields[dash + 2]
        except (ValueError, IndexError):
            continue
        inside = point in {b"/", path} or path.startswith(point + b"/")
        if inside and len(point) >= len(best.point):
            best = Mount(point, fs_type.decode(errors="replace"), _plain(source).decode(errors="replace"))
    return best


def _plain(field: bytes) -> bytes:
    return re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), field)


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
        try:
            mounts = self._mounts.read_bytes()
        except OSError:
            mounts = b""
        return Root(key, mount_of(os.path.realpath(self.path), mounts))

    def absolute(self, relative: bytes) -> bytes:
        """Return the whole path of something below the inbox."""
        return self.path + b"/" + relative if relative else self.path
