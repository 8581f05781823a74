"""One child process of `up`: started in a session of its own, its output in a log, gone when we are gone."""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from broker.messages import now

LOG_BYTES = 2_000_000
"""A log larger than this is put aside, as `.1`, when its child is first started."""
RUNNING_LOG_BYTES = 10_000_000
"""The same while its child runs: a month at full speed must not fill the disk."""
LAST_LINE_BYTES = 4096
LOOK_S = 0.01
PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Program:
    """What to run. `stop_s` is how long it may take to end by itself once it was asked to."""

    service: str
    instance: str
    arguments: Sequence[str]
    log: Path
    stop_s: float
    environment: Mapping[str, str] = field(default_factory=dict)
    needed: bool = True
    """Whether the line is none without it. One that is not, and cannot run, is left out."""

    @property
    def name(self) -> str:
        """How the terminal and the log's file name call it."""
        return f"{self.service}-{self.instance}"


class Child:
    """A program that was started."""

    def __init__(self, program: Program, process: subprocess.Popen[bytes]) -> None:
        self.program = program
        self.pid = process.pid
        self.started = time.monotonic()
        self.started_at = now()
        self._process = process

    @classmethod
    def start(cls, program: Program) -> "Child":
        """Start it. The main thread must call this: a child's life is bound to the thread that started it."""
        with program.log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own programs, no shell
                program.arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **program.environment},
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops them in order
                preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - one call into libc, no lock is taken
            )
        return cls(program, process)

    def ended(self) -> int | None:
        """Return the exit status (minus the signal's number when one killed it), or None while it runs."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the child and to whatever it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def tell(self, number: signal.Signals) -> None:
        """Send a signal to the child alone: what it started might not know it, and end."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            self._process.send_signal(number)

    def wait(self, timeout_s: float, is_urgent: Callable[[], bool] = lambda: False) -> bool:
        """Wait for its end, but no longer than that, and not once it is urgent; True when it has ended."""
        deadline = time.monotonic() + timeout_s
        while self.ended() is None and time.monotonic() < deadline and not is_urgent():
            time.sleep(LOOK_S)
        return self.ended() is not None

    def last_words(self) -> str:
        """Return the last line of its log, or "" where there is none."""
        with contextlib.suppress(OSError), self.program.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - LAST_LINE_BYTES))
            lines = log.read().decode("utf-8", "replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "")
        return ""


def _die_with(parent: int) -> "_DieWith | None":
    return None if _LIBC is None else _DieWith(parent)


class _DieWith:
    """Called in the child before it becomes the program: when the parent dies, however, it dies too."""

    def __init__(self, parent: int) -> None:
        self._parent = parent

    def __call__(self) -> None:
        # Until it listens to SIGHUP, that must not end it: it reads the configuration at its start anyway.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if _LIBC is not None:
            _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self._parent:  # it died in between
            os._exit(1)


def rotate(log: Path) -> None:
    """Put a large log of an earlier start aside."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))


def shorten(log: Path, limit_bytes: int = RUNNING_LOG_BYTES) -> None:
    """Copy a large log aside and empty it, under the child that appends to it.

    A line written between the two steps is lost: the event log has what matters.
    """
    with contextlib.suppress(OSError):  # a full disk keeps what is there
        if log.stat().st_size > limit_bytes:
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            os.truncate(log, 0)
