"""What somebody wants to upload, before a byte of it has come: names made safe, limits, what is left out.

Pure: the names and sizes that a browser tells lead to a plan, or to one sentence.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from broker.places import Ignored
from dashboard import words

LEVEL_BYTES = 255
"""What file systems take as a name."""
PATH_BYTES = 1024
LEVELS = 32
SUFFIX_CHARS = 16
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\\\\/\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffd\ud800-\udfff]"
)
# An inbox may be shared with Windows, where these are devices, whatever stands behind the dot.
_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|\Z)")


class Refused(Exception):  # noqa: N818 - no defect: the text is for whoever asked
    """Something is not taken; the text says in one sentence why. `status` is HTTP's word for it."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """What one drop may hold."""

    files: int
    file_bytes: int
    whole_bytes: int


@dataclass(frozen=True)
class Planned:
    """One file: its safe path within the dropped folder, and its size."""

    path: str
    size: int


@dataclass(frozen=True)
class Plan:
    """What will come, by each file's number in the list, and why other numbers are left out."""

    files: dict[int, Planned] = field(default_factory=dict)
    left_out: dict[int, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The bytes of all files that will come."""
        return sum(one.size for one in self.files.values())


def planned(declared: Sequence[tuple[str, int]], limits: Limits, ignored: Ignored) -> Plan:
    """Return the plan for files of these paths and sizes. Raises Refused when the whole is not taken."""
    if len(declared) > limits.files:
        raise Refused(413, f"{len(declared):,} files are too many: at most {limits.files:,} at a time.")
    plan, tree = Plan(), _Tree()
    for number, (path, size) in enumerate(declared):
        try:
            levels = _levels(path)
            _check(levels, size, limits, ignored)
            plan.files[number] = Planned(tree.place(levels), size)
        except Refused as why:
            plan.left_out[number] = str(why)
    if plan.size > limits.whole_bytes:
        raise Refused(
            413, f"{words.size(plan.size)} are too much: at most {words.size(limits.whole_bytes)} at a time."
        )
    return plan


def _levels(path: str) -> list[str]:
    levels = path.split("/")
    if {"", ".", ".."} & set(levels):
        raise Refused(400, "Its path leads out of the folder.")
    if len(levels) > LEVELS:
        raise Refused(400, f"It lies more than {LEVELS} folders deep.")
    return levels


def _check(levels: Sequence[str], size: int, limits: Limits, ignored: Ignored) -> None:
    if not 0 <= size <= limits.file_bytes:
        raise Refused(413, f"It has {words.size(size)}; at most {words.size(limits.file_bytes)} are read.")
    plain = [plain_name(level) for level in levels]
    # Below a folder: at its top `results.csv` is the agent's own.
    if ignored.path("/".join(["folder", *plain]).encode()):
        raise Refused(415, "Files called like that are never images; the agent passes them over.")
    if sum(len(safe_name(level).encode()) + 1 for level in levels) > PATH_BYTES:
        raise Refused(400, f"Its path is longer than {PATH_BYTES:,} bytes.")


def folder_name(wanted: str, ignored: Ignored) -> str:
    """Return a safe name for the whole folder. Raises Refused."""
    if not wanted.strip():
        raise Refused(400, "The folder needs a name.")
    name = safe_name(wanted)
    if ignored.name(name.encode()):
        raise Refused(400, f"The agent passes over folders that are called like {name}: choose another name.")
    return name


def plain_name(level: str) -> str:
    """Return a name without what ends a line, moves a cursor, or parts a path."""
    return _UNSAFE.sub("_", level).strip()


def safe_name(level: str) -> str:
    """Return a name that any file system takes, that is not hidden, and leads nowhere else."""
    name = plain_name(level).lstrip(".").strip() or "unnamed"
    return cut(f"_{name}" if _DEVICE.match(name) else name)


def cut(name: str, more: str = "") -> str:
    """Return a name with something more before its suffix, short enough to be one."""
    stem, dot, last = name.rpartition(".")
    suffix = dot + last if stem and len(last) < SUFFIX_CHARS else ""
    stem = name.removesuffix(suffix)
    room = LEVEL_BYTES - len((more + suffix).encode())
    return stem.encode()[:room].decode(errors="ignore") + more + suffix


class _Tree:
    """The names that are given away, folder by folder; letters' case aside, as some disks see it."""

    def __init__(self) -> None:
        self._folders: dict[tuple[str, str], str] = {}
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}

    def place(self, levels: Sequence[str]) -> str:
        """Return a path for a file that no other has."""
        parent = ""
        for level in levels[:-1]:
            key = (parent, level)
            if key not in self._folders:
                self._folders[key] = self._free(parent, safe_name(level))
            parent = self._folders[key]
        return self._free(parent, safe_name(levels[-1]))

    def _free(self, parent: str, name: str) -> str:
        path, wanted = _joined(parent, name), _folded(_joined(parent, name))
        while (folded := _folded(path)) in self._taken:
            self._numbers[wanted] = number = self._numbers.get(wanted, 1) + 1
            path = _joined(parent, cut(name, f"-{number}"))
        self._taken.add(folded)
        return path


def _joined(parent: str, name: str) -> str:
    return f"{parent}/{name}" if parent else name


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()
