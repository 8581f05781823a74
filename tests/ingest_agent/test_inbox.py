"""The inbox's identity and what it lies on."""

from pathlib import Path

import pytest

from broker.mounts import Mount, mount_of
from ingest_agent.inbox import Inbox

MOUNTS = rb"""22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 0:26 / /mnt/my\040photos rw,nosuid - nfs4 server:/photos rw,vers=4.2
31 22 0:27 / /mnt rw shared:5 master:2 - tmpfs none rw
32 22 0:28 / /mnt/sd rw - vfat /dev/sdb1 rw
33 22 0:29 / /home/me/remote rw - fuse.sshfs me@host: rw
34 22 0:30 / /mnt/sd rw - exfat /dev/sdc1 rw
a line that is none
"""


@pytest.mark.parametrize(
    ("path", "fs_type", "source"),
    [
        (b"/var/inbox", "ext4", "/dev/vda1"),
        (b"/mnt/my photos/in", "nfs4", "server:/photos"),
        (b"/mnt/my photos", "nfs4", "server:/photos"),
        (b"/mnt/my photoshop", "tmpfs", "none"),
        (b"/mnt/sd/in", "exfat", "/dev/sdc1"),
        (b"/home/me/remote/in", "fuse.sshfs", "me@host:"),
    ],
)
def test_mount_of_a_path(path: bytes, fs_type: str, source: str) -> None:
    """The longest mount point counts, the latest of equals, and blanks are escaped there."""
    mount = mount_of(path, MOUNTS)
    assert (fs_type, source) == (mount.fs_type, mount.source)


@pytest.mark.parametrize(
    ("fs_type", "network", "steady"),
    [
        ("ext4", False, True),
        ("nfs4", True, False),
        ("fuse.sshfs", True, False),
        ("vfat", False, False),
        ("", False, False),
    ],
)
def test_file_system_decides_about_events_and_inodes(
    fs_type: str,
    network: bool,  # noqa: FBT001 - a parameter
    steady: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Others write to network file systems without events; some make inode numbers up."""
    mount = Mount(b"/", fs_type, "x")
    assert (network, steady) == (mount.is_network, mount.has_steady_inodes)


def test_missing_inbox_has_no_root(tmp_path: Path) -> None:
    """And says why."""
    inbox = Inbox(tmp_path / "missing")
    assert (None, None) == (inbox.key(), inbox.root())
    assert "No such file" in inbox.why_not()


def test_file_is_no_inbox(tmp_path: Path) -> None:
    """Only a directory is one."""
    (tmp_path / "file").touch()
    assert Inbox(tmp_path / "file").root() is None


def test_replaced_inbox_has_another_key_and_identity(tmp_path: Path) -> None:
    """Another directory of the same name."""
    inbox = Inbox(tmp_path / "in")
    (tmp_path / "in").mkdir()
    before = inbox.root()
    (tmp_path / "in").rename(tmp_path / "old")
    (tmp_path / "in").mkdir()
    after = inbox.root()
    assert before is not None
    assert after is not None
    assert before.key != after.key
    assert before.identity != after.identity


def test_identity_does_not_know_the_device_number(tmp_path: Path) -> None:
    """It stays the same when the device gets another number at the next boot."""
    mounts = tmp_path / "mountinfo"
    mounts.write_bytes(MOUNTS)
    root = Inbox(tmp_path, mounts).root()
    assert root is not None
    assert f"ext4:/dev/vda1:{tmp_path.stat().st_ino}" == root.identity


def test_paths_below_the_inbox(tmp_path: Path) -> None:
    """The inbox itself is the path without a name."""
    inbox = Inbox(tmp_path)
    assert (inbox.path, inbox.path + b"/f/a") == (inbox.absolute(b""), inbox.absolute(b"f/a"))
