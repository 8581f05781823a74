"""The disk under the database: room left, and whether the file is still the one that was opened."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

MEGABYTE = 1_000_000
ROOMY_SHARE = 0.05
"""Below it a disk is told of before it is full."""
OPEN_S = 120.0
OPEN_S_PER_GIGABYTE = 300.0
"""Three times through a gigabyte, to write and to read, at ten megabytes a second."""


@dataclass(frozen=True)
class Room:
    """The room of the file system that holds a folder; `bound_bytes`: below it the store takes nothing."""

    place: Path
    device: int
    free_bytes: int
    whole_bytes: int
    bound_bytes: int

    @property
    def state(self) -> Literal["ok", "warn", "bad"]:
        """Return whether there is room, soon none, or none."""
        if self.free_bytes < self.bound_bytes:
            return "bad"
        return "warn" if self.free_bytes < max(ROOMY_SHARE * self.whole_bytes, 5 * self.bound_bytes) else "ok"


def room_at(path: Path, min_free_mb: int) -> Room:
    """Return the room where a folder is, or will be made. Raises OSError."""
    place = next(one for one in (path, *path.parents) if one.exists())
    found = os.statvfs(place)
    free, whole = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    return Room(place, place.stat().st_dev, free, whole, min_free_mb * MEGABYTE)


class Disk:
    """The file system that holds an SQLite file. `path` None: another machine's matter, always well."""

    def __init__(self, path: Path | None, min_free_mb: int) -> None:
        self._path = path
        self.min_free_mb = min_free_mb
        self._file: tuple[int, int] | None = None

    def remember(self) -> None:
        """Note which file is open now."""
        self._file = self._identity()

    def complaint(self) -> str:
        """Return one sentence when there is too little room, "" when all is well. Raises OSError."""
        free_mb = self.free_mb() if self.min_free_mb else None
        if self._path is None or free_mb is None or free_mb >= self.min_free_mb:
            return ""
        return f"{free_mb:.0f} MB free at {self._path.parent}, below [store] min_free_mb = {self.min_free_mb}"

    def free_mb(self) -> float | None:
        """Return the room left, None where the database lies elsewhere. Raises OSError."""
        if self._path is None:
            return None
        found = os.statvfs(self._path.parent)
        return found.f_bavail * found.f_frsize / MEGABYTE

    def seconds_to_read(self) -> float:
        """Return how long it may take, on a slow disk, to copy, migrate and check the database."""
        try:
            size = 0 if self._path is None else self._path.stat().st_size
        except OSError:  # there is none yet, or the opening itself will say what is wrong
            size = 0
        return OPEN_S + OPEN_S_PER_GIGABYTE * size / 1e9

    def replaced(self) -> bool:
        """Tell whether another file stands where the opened one stood: what is written would be lost.

        Raises FileNotFoundError when none does. It is then waited for: a mount that went away must not be
        answered by a new, empty database in its place.
        """
        if self._path is None or self._file is None:
            return False
        found = self._identity()
        if found is None:
            raise FileNotFoundError(
                f"{self._path} is gone; a restart of the store would begin a new database"
            )
        return found != self._file

    def _identity(self) -> tuple[int, int] | None:
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino
