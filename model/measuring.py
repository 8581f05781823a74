"""What the gate judges by while predictors serve: figures measured beside them, or recorded ones."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from model.manifest import BundleError
from model.registry import Difference

if TYPE_CHECKING:
    from model.manifest import Manifest

FIGURES = (("accuracy", "accuracy"), ("balanced accuracy", "balanced_accuracy"), ("calibration error", "ece"))


class GateTroubleError(BundleError):
    """Nothing could be measured; the line says why."""


def recorded(before: Manifest, after: Manifest) -> list[Difference]:
    """Set side by side what two bundles recorded on the same validation images; [] where they differ."""
    if not before.data or before.data.get("training") != after.data.get("training"):
        return []
    found = []
    for name, old in before.accuracy.items():
        new = after.accuracy.get(name, {})
        if not name.startswith("validation") or old.get("images") != new.get("images"):
            continue
        precision = name.removeprefix("validation").strip()
        for said, key in FIGURES:
            if key in old and key in new:
                found.append(Difference(f"{said} ({precision})" if precision else said, old[key], new[key]))
    return found


class Measuring:
    """Measures in a process of its own; `close` may be called by another thread."""

    def __init__(self, engine: str, threads: int, limit_s: float) -> None:
        self._engine = engine
        self._threads = threads
        self._limit_s = limit_s
        self._process: subprocess.Popen[str] | None = None
        self._closed = False

    def __call__(self, before: Path, after: Path, data: Path) -> list[Difference]:
        """Return the differences. Raises `GateTroubleError`, also when it takes longer than the limit."""
        command = [str(before.resolve()), str(after.resolve()), str(data.resolve())]
        command = [sys.executable, "-m", "model.gate", *command, self._engine, str(self._threads)]
        root = Path(__file__).resolve().parents[1]
        with subprocess.Popen(  # noqa: S603  our own
            command,
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            self._process = process
            if self._closed:  # before there was anything to end
                self._stop()
            try:
                said, complaint = process.communicate(timeout=self._limit_s)
            except subprocess.TimeoutExpired as error:
                self._stop()
                message = f"measuring took longer than {self._limit_s:g} s"
                raise GateTroubleError(message) from error
            finally:
                self._process = None
        if self._closed:
            raise GateTroubleError("measuring was ended")
        return _read(process.returncode, said, complaint)

    def close(self) -> None:
        """End what is being measured, if anything is, and what somebody is about to have measured."""
        self._closed = True
        self._stop()

    def _stop(self) -> None:
        """End the process with those that it has begun."""
        process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _read(code: int, said: str, complaint: str) -> list[Difference]:
    if code:
        lines = complaint.strip().splitlines() or [f"exit status {code}"]
        raise GateTroubleError(lines[-1])
    return [Difference(**one) for one in json.loads(said.splitlines()[-1])]
