"""One file becomes bytes, or the reason why not, without ever waiting on it or following it elsewhere."""

import errno
import hashlib
import os
import stat
import time
from dataclasses import dataclass, replace
from typing import NamedTuple

from broker.descent import Descent
from ingest_agent.preparing import NO_MEMORY, Prepared, Unprepared

# The machine's or the mount's trouble, never the file's: it is tried again for as long as it lasts.
WORLDLY = frozenset(
    {
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ENOTCONN,
        errno.ESTALE,
        errno.EHOSTDOWN,
        errno.ETIMEDOUT,
        errno.ENODEV,
    }
)
LARGEST = 2**63 - 1
HARD_LINK = "The file has {} names (hard links); files with one name are read."


class Stat(NamedTuple):
    """What tells a file's one version from the next. Two zeros and the inode for what is no regular file.

    `digest` tells the content once it was read, 0 before. It is no part of the comparison: a version may
    change (a file is touched, or copied over itself) while its content stays.
    """

    size: int
    mtime_ns: int
    inode: int
    digest: int = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stat) and self[:3] == other[:3]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self[:3])

    def same_content(self, other: "Stat") -> bool:
        """Tell whether both were read and held the same bytes."""
        return self.size == other.size and self.digest == other.digest != 0

    def same_as(self, other: "Stat") -> bool:
        """Tell whether both are one version; an inode of 0 is unknown and fits every other."""
        return (
            self.size == other.size
            and self.mtime_ns == other.mtime_ns
            and (self.inode == other.inode or not self.inode or not other.inode)
        )


def stat_of(found: os.stat_result, *, inodes: bool = True) -> Stat:
    """Return what is kept of a stat. Without `inodes` (they change on some file systems) they are 0.

    All fit into SQLite's signed 64 bits: an inode may be larger, a time may be later than the year 2262.
    """
    if not stat.S_ISREG(found.st_mode):
        return Stat(0, 0, found.st_ino & LARGEST)
    mtime_ns = max(-LARGEST, min(LARGEST, found.st_mtime_ns))
    return Stat(found.st_size, mtime_ns, found.st_ino & LARGEST if inodes else 0)


@dataclass(frozen=True, slots=True)
class Pixels:
    """The file is whole and an image: `pixels` is (height, width) uint8, row-major."""

    pixels: bytes
    stat: Stat
    read_s: float
    prepare_s: float


@dataclass(frozen=True, slots=True)
class NotYet:
    """The file is no image now, and may become one: `reason` and `detail` if it stays so.

    `world` says that the file cannot help it. `gone` says that there is no file any more.
    """

    reason: str
    detail: str
    stat: Stat | None = None
    world: bool = False
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Unfit:
    """What lies there can never be an image."""

    reason: str
    detail: str
    stat: Stat


Outcome = Pixels | NotYet | Unfit


@dataclass(frozen=True, slots=True)
class Whole:
    """A regular file's bytes as they stood there at one moment, and how long reading them took."""

    data: bytes
    stat: Stat
    read_s: float


@dataclass(frozen=True, slots=True)
class Rules:
    """Which files are read: up to `max_bytes`, and whether those with a second name (a hard link) are.

    Without `inodes` (they change on some file systems) no version has one.
    """

    max_bytes: int
    inodes: bool = True
    hard_links: bool = True


def read_file(descent: Descent, relative: bytes, rules: Rules) -> Whole | NotYet | Unfit:
    """Read one file below the inbox. Raises nothing."""
    began = time.perf_counter()
    try:
        found = _read(descent, relative, rules)
    except OSError as error:
        return _why(descent, relative, error)
    except MemoryError:
        return _too_much(descent, relative, rules)
    return replace(found, read_s=time.perf_counter() - began) if isinstance(found, Whole) else found


def outcome_of(file: Whole, found: Prepared | Unprepared) -> Pixels | NotYet:
    """Return what became of a whole file."""
    if isinstance(found, Prepared):
        return Pixels(found.pixels, file.stat, file.read_s, found.prepare_s)
    return NotYet(found.reason, found.detail, file.stat)


def _too_much(descent: Descent, relative: bytes, rules: Rules) -> NotYet:
    """Say that a file does not fit into the memory that is left; it may later on."""
    try:
        return NotYet("too-large", NO_MEMORY, stat_of(descent.stat(relative), inodes=rules.inodes))
    except OSError as error:
        return NotYet("vanished", _sentence(error), gone=True)


def _read(descent: Descent, relative: bytes, rules: Rules) -> Whole | NotYet | Unfit:
    """Return a regular file's bytes and version; NotYet when it changed meanwhile."""
    descriptor = descent.open(relative)
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            return not_regular(before)
        version = stat_of(before, inodes=rules.inodes)
        if before.st_size > rules.max_bytes:
            return NotYet("too-large", _too_large(before.st_size, rules.max_bytes), version)
        if before.st_nlink > 1 and not rules.hard_links:
            # A writer that links its finished file to its name removes the other one a moment later.
            return NotYet("hard-link", HARD_LINK.format(before.st_nlink), version)
        data = _read_all(descriptor, before.st_size)
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    version = stat_of(after, inodes=rules.inodes)
    if before.st_size != len(data) or stat_of(before, inodes=rules.inodes) != version:
        return NotYet("truncated", "The file kept changing while it was read.", version)
    return Whole(data, version._replace(digest=_digest(data)), 0.0)


def _digest(data: bytes) -> int:
    """Return 64 bits of the content's BLAKE2b, as SQLite's signed numbers are."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little", signed=True)


def _read_all(descriptor: int, size: int) -> bytes:
    """Read to the end: one read for nearly every file, a second one shows that it has not grown."""
    data = os.read(descriptor, size + 1)
    if len(data) == size or not data:
        return data
    parts = [data]
    while len(data) and sum(map(len, parts)) <= size:
        data = os.read(descriptor, size + 1)
        parts.append(data)
    return b"".join(parts)


def _too_large(size: int, max_bytes: int) -> str:
    return f"The file has {size:,} bytes; at most {max_bytes:,} are read."


def not_regular(found: os.stat_result) -> Unfit:
    """Say what lies there that is no regular file."""
    if stat.S_ISLNK(found.st_mode):
        return Unfit("symlink", "Symbolic links are not followed.", stat_of(found))
    kinds = (
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a character device"),
        (stat.S_ISBLK, "a block device"),
    )
    kind = next((name for test, name in kinds if test(found.st_mode)), "something unknown")
    return Unfit("not-a-regular-file", f"It is {kind}.", stat_of(found))


def _why(descent: Descent, relative: bytes, error: OSError) -> NotYet | Unfit:
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return NotYet("vanished", "The file vanished before it could be read whole.", gone=True)
    if error.errno in WORLDLY:
        return NotYet("unreadable", _sentence(error), world=True)
    try:
        found = descent.stat(relative)
    except OSError:
        return NotYet("vanished", "The file vanished before it could be read whole.", gone=True)
    if not stat.S_ISREG(found.st_mode):  # open says ELOOP for a link and ENXIO for a socket
        return not_regular(found)
    return NotYet("unreadable", _sentence(error), stat_of(found))


def _sentence(error: OSError) -> str:
    return f"The file cannot be read: {error.strerror or error}."
