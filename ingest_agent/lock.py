"""One agent a ledger: two of one name would both believe that they are the only memory."""

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self


class AlreadyRunning(RuntimeError):  # noqa: N818 - a state of the world
    """Another agent uses this ledger: give this one another `[ingest_agent] source` or `[paths] state`."""


class Lock:
    """A file that the running agent holds locked; the kernel lets go of it however the agent ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Take the lock, unless it is taken here already. Raises AlreadyRunning and OSError."""
        if self._descriptor is None:
            self._descriptor = self._take()
        return self

    def _take(self) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as closing:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            closing.callback(os.close, descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:  # EWOULDBLOCK and EAGAIN, nothing else
                raise AlreadyRunning(f"another agent uses {self._path.with_suffix('.db')}") from error
            closing.pop_all()
        return descriptor

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
