"""`up`, which has no timer beside it, runs `upkeep` once a day: a process of its own, beside the line."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from broker import upkeep_record
from broker.settings import Settings
from broker.settings_reader import PROJECT
from cli.errors import OK
from cli.given import CONFIG, Given

DAY_S = 86_400.0
FIRST_S = 600.0
"""A line that was started just now has other things to do; one that runs for minutes only needs no backup."""
LOOK_S = 600.0
STOP_S = 5.0
LOG = "upkeep.log"


class Daily:
    """At most one `upkeep` at a time, when the latest backup or check is a day old."""

    def __init__(
        self,
        given: Given,
        settings: Settings,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state = settings.paths.state
        self._say = say
        self._clock = clock
        self._front = [] if given.config is None else [CONFIG, str(given.config.absolute())]
        self._environment = {**os.environ, **given.overrides, "PYTHONPATH": str(PROJECT)}
        self._next = clock() + FIRST_S
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Nothing is started yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what runs; a backup that is not complete leaves nothing behind."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # what is incomplete is then cleared away
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def step(self) -> None:
        """Start what is due, or say how it ended."""
        if self._process is not None:
            self._see()
        elif self._clock() >= self._next:
            self._next = self._clock() + LOOK_S
            if self._is_due():
                self._next = self._clock() + DAY_S  # also after a failure: it is told once a day
                self._process = self._start()

    def _is_due(self) -> bool:
        latest = upkeep_record.moment(upkeep_record.read(self._state), "check_at")
        return latest is None or (datetime.now(UTC) - latest).total_seconds() >= DAY_S

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - this program's own command
                ["nice", "-n", "10", sys.executable, "-m", "cli", *self._front, "upkeep"],  # noqa: S607
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=self._environment,
                cwd=Path.cwd(),
                start_new_session=True,  # a closed terminal does not end it, and Ctrl-C comes from us
            )

    @property
    def _log(self) -> Path:
        return self._state / "log" / LOG

    def _see(self) -> None:
        status = None if self._process is None else self._process.poll()
        if status is None:
            return
        self._process = None
        if status != OK:
            said = [line for line in self._log.read_text("utf-8", "replace").splitlines() if line]
            self._say(f"upkeep ended with exit status {status}: {said[-1] if said else 'no word'}")
