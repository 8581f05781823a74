"""What a path lies on, by the kernel's own list: another machine's disk is no place for everything."""

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
# FUSE carries local file systems as well (mergerfs, gocryptfs); these are another machine's.
REMOTE_FUSE = frozenset(
    f"fuse.{name}"
    for name in (
        "sshfs",
        "glusterfs",
        "ceph-fuse",
        "rclone",
        "s3fs",
        "gcsfuse",
        "juicefs",
        "davfs",
        "curlftpfs",
        "smbnetfs",
        "moosefs",
        "seaweedfs",
    )
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
    def is_remote(self) -> bool:
        """Whether it is surely another machine's, where locks and shared memory cannot be relied on."""
        return self.fs_type in NETWORK_TYPES | REMOTE_FUSE

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


def mount_now(path: Path | bytes, mounts: Path = MOUNTS) -> Mount:
    """Return what a path, with its links resolved, lies on now; where nobody can say, a nameless mount."""
    try:
        found = mounts.read_bytes()
    except OSError:
        found = b""
    return mount_of(os.fsencode(os.path.realpath(path)), found)


def rename_leads(one: Path, other: Path) -> bool:
    """Tell whether a rename leads from one folder into another, which must be there.

    It needs one disk, and one mount of it: of a folder elsewhere systemd makes a mount of its own, even where
    it lies on the same disk. Raises OSError.
    """
    same_disk = one.is_dir() and one.stat().st_dev == other.stat().st_dev
    return same_disk and mount_now(one) == mount_now(other)


def _plain(field: bytes) -> bytes:
    return re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), field)
