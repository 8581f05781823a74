"""Files for their owner alone, replaced as a whole: who reads one sees the old text or the new."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

PRIVATE = 0o600
READABLE = 0o644


def write_private(file: Path, text: str | bytes, mode: int = PRIVATE) -> None:
    """Write a file anew, on disk before it takes the old one's place.

    Written by root it belongs to the owner of its folder: `sudo ./tailorbird` must not lock the services out.
    """
    unfinished = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    made = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(made, "wb") as opened:
            _give_to_owner(opened.fileno(), file.parent)
            os.fchmod(opened.fileno(), mode)  # whatever the umask says
            opened.write(text.encode() if isinstance(text, str) else text)
            opened.flush()
            os.fsync(opened.fileno())
        unfinished.replace(file)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def make_private_folder(folder: Path, mode: int = 0o700) -> None:
    """Make a folder for its owner alone, who is the owner of the folder above."""
    is_new = not folder.is_dir()
    if is_new:
        folder.mkdir(parents=True, mode=mode)
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if is_new:
            _give_to_owner(opened, folder.parent)
        os.fchmod(opened, mode)
    finally:
        os.close(opened)


def _give_to_owner(opened: int, folder: Path) -> None:
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(opened, owner.st_uid, owner.st_gid)


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Wait until no other process holds this lock, and hold it for the `with` block."""
    opened = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, PRIVATE)
    try:
        _give_to_owner(opened, lock.parent)
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)
