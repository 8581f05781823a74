"""One writer a database file: the store holds it while it runs, `restore` while it exchanges the file."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self


class DatabaseInUse(OSError):  # noqa: N818 - a state of the world, which passes by itself
    """Another process writes this database, or exchanges it."""


class StoreLock:
    """A file beside the database that one process holds locked; the kernel lets go when that process ends.

    `path` None: another machine's database, which has locks of its own.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = None if path is None else path.with_name(f"{path.name}.lock")
        self._database = path
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Take the lock, unless it is taken here already. Raises DatabaseInUse and OSError."""
        if self._path is not None and self._descriptor is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = self._take(self._path)
        return self

    def _take(self, path: Path) -> int:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:  # EWOULDBLOCK and EAGAIN, nothing else
            os.close(descriptor)
            raise DatabaseInUse(f"another store, or a restore, uses {self._database}") from error
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        """Let go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
