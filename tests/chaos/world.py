"""The world under test: `./tailorbird up` with a configuration of its own, seen from outside."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
PATH = "CASE j.folder WHEN '' THEN r.image ELSE j.folder || '/' || r.image END"
"""SQL: where an image lay below the inbox."""
CONFIGURATION = """\
[paths]
state = "{state}"

[broker]
port = {port}

[ingest_agent]
inbox = "{inbox}"
rescan_s = 3.0
settle_s = 0.3
give_up_s = 3.0
quiet_s = 0.5
batch_images = 64
resend_max_s = 8.0
canary_s = 5.0

[store]
min_free_mb = 4

[dashboard]
port = 0

[metrics]
agent_port = 0
store_port = 0
predictor_port = 0
"""


def free_port() -> int:
    """Return a port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class World:
    """One running line below `folder`; a context manager that leaves no process behind."""

    def __init__(
        self, folder: Path, *, predictors: int = 2, settings: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.inbox = folder / "inbox"
        self.port = free_port()
        self.configuration = folder / "config.toml"
        self._predictors = predictors
        self._settings = settings or {}
        self._up: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start `up` and wait until every service is there."""
        self.state.mkdir(parents=True, exist_ok=True)
        self.inbox.mkdir(exist_ok=True)
        text = CONFIGURATION.format(state=self.state, inbox=self.inbox, port=self.port)
        text += f"\n[predictor_service]\ninstances = {self._predictors}\n"
        self.configuration.write_text(text)
        command = [sys.executable, "-m", "cli", "up", "--config", str(self.configuration)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **self._settings}
        with (self.folder / "up.log").open("wb") as log:
            self._up = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        self.wait(lambda: len(self.pids()) >= self._predictors + 3, 60, "the services to start")
        return self

    def __exit__(self, *_: object) -> None:
        """Stop `up` as Ctrl-C does; kill what is left after 30 s."""
        if self._up is None:
            return
        self._up.send_signal(signal.SIGINT)
        try:
            self._up.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self._up.pid, signal.SIGKILL)
            self._up.wait()

    @property
    def alive(self) -> bool:
        """Whether `up` itself runs."""
        return self._up is not None and self._up.poll() is None

    def pids(self) -> dict[str, int]:
        """Return the process of each service by its name (`broker`, `store`, `predictor_service-1`, …)."""
        try:
            known = json.loads((self.state / "up.json").read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return {
            f"{one['service']}-{one['instance']}": int(one["pid"]) for one in known["children"] if one["pid"]
        }

    def query(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """Ask the database, read-only; [] while it is not there."""
        path = self.state / "tailorbird.db"
        try:
            with contextlib.closing(
                sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
            ) as database:
                return database.execute(sql, values).fetchall()
        except sqlite3.OperationalError:
            return []

    def has_row(self, path: str) -> bool:
        """Whether a path below the inbox has its row."""
        folder, _, image = path.partition("/") if "/" in path else ("", "", path)
        found = self.query(
            "SELECT 1 FROM jobs j WHERE j.folder = ? AND (EXISTS (SELECT 1 FROM predictions p WHERE"
            " p.job_id = j.job_id AND p.image = ?) OR EXISTS (SELECT 1 FROM failures f WHERE"
            " f.job_id = j.job_id AND f.image = ?))",
            folder,
            image,
            image,
        )
        return bool(found)

    def rows(self) -> dict[str, int]:
        """Return how many rows each path below the inbox has, predictions and failures together."""
        found = self.query(
            f"SELECT {PATH}, COUNT(*) FROM"
            " (SELECT job_id, image FROM predictions UNION ALL SELECT job_id, image FROM failures) r"
            " JOIN jobs j USING (job_id) GROUP BY 1"
        )
        return {str(path): int(str(count)) for path, count in found}

    def answers(self) -> dict[str, set[str]]:
        """Return each path's labels, "" for a failure; several when the file was rewritten."""
        found: dict[str, set[str]] = {}
        for path, label in self.query(
            f"SELECT {PATH}, r.label FROM"
            " (SELECT job_id, image, label FROM predictions"
            " UNION ALL SELECT job_id, image, '' FROM failures) r"
            " JOIN jobs j USING (job_id)"
        ):
            found.setdefault(str(path), set()).add(str(label))
        return found

    @staticmethod
    def wait(condition: Callable[[], bool], seconds: float, what: str, every_s: float = 0.05) -> float:
        """Wait for a condition and return how long that took; TimeoutError names what did not come.

        To ask costs the machine time that the line could use, so what is dear is asked rarely.
        """
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > seconds:
                raise TimeoutError(f"waited {seconds:.0f} s for {what}")
            time.sleep(every_s)
        return time.monotonic() - began
