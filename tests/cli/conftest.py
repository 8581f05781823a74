"""A configuration of its own for each test, the command line as a process, and a line that runs for all."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import pytest

from broker.settings import Settings
from broker.settings_reader import PROJECT, read_settings
from tests.waiting import free_port, until

LINE = """\
[paths]
state = "state"

[broker]
port = {port}

[ingest_agent]
quiet_s = 0.3
settle_s = 0.2
give_up_s = 0.4
"""
"""A line of its own that is quick about a folder: what each configuration of a running `up` begins with."""
CONFIGURATION = (
    LINE
    + """
[dashboard]
port = 0
"""
)
RunCli = Callable[..., subprocess.CompletedProcess[str]]
PICTURES = PROJECT / "samples" / "pictures"


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a command: nobody else's overrides, a terminal of 80 columns."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("TAILORBIRD__")}
    return {**plain, "PYTHONPATH": str(PROJECT), "PYTHONSAFEPATH": "1", "COLUMNS": "80", **(more or {})}


def write_configuration(folder: Path) -> Path:
    """Write a configuration whose state lies below `folder`, on a free port."""
    file = folder / "own config.toml"
    file.write_text(CONFIGURATION.format(port=free_port()))
    return file


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration file of this test's own."""
    return write_configuration(tmp_path)


@pytest.fixture(scope="session")
def cli() -> RunCli:
    """`cli("status", "--json", config=file)`: run a command and return what it said."""

    def run(
        *arguments: str,
        config: Path | None = None,
        more: Mapping[str, str] | None = None,
        timeout_s: float = 100,
        typed: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        front = [] if config is None else ["--config", str(config)]
        command = [sys.executable, "-m", "cli", *front, *arguments]
        return subprocess.run(
            command,
            env=environment(more),
            capture_output=True,
            text=True,
            input=typed,
            timeout=timeout_s,
            check=False,
            cwd="/",
        )

    return run


class Started:
    """A command that runs until it is told to stop."""

    def __init__(self, arguments: Sequence[str], output: Path) -> None:
        self.output = output
        self._file: IO[bytes] = output.open("wb")
        command = [sys.executable, "-m", "cli", *arguments]
        self.process = subprocess.Popen(
            command, env=environment(), stdout=self._file, stderr=self._file, start_new_session=True, cwd="/"
        )

    @property
    def said(self) -> str:
        """What it has printed so far, on both streams."""
        return self.output.read_text()

    def wait_for(self, text: str, timeout_s: float = 100) -> None:
        """Wait until it has printed a text."""
        until(lambda: text in self.said or self.process.poll() is not None, timeout_s)
        assert text in self.said, self.said

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal to its process group, as a terminal does, and return the exit code."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise
        finally:
            self._file.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    """`start("up", "--config", ...)`: a command in the background, stopped after the test."""
    running: list[Started] = []

    def begin(*arguments: str) -> Started:
        running.append(Started(arguments, tmp_path / f"output-{len(running)}"))
        return running[-1]

    yield begin
    for one in running:
        one.stop(signal.SIGKILL if one.process.poll() is not None else signal.SIGTERM)


class RunningUp(Started):
    """An `up` that is ready, and its settings."""

    def __init__(self, folder: Path) -> None:
        self.config = write_configuration(folder)
        self.settings: Settings = read_settings(self.config, {}).settings
        super().__init__(["up", "--config", str(self.config)], folder / "output")
        self.wait_for("Ctrl-C stops it.")


@pytest.fixture(scope="session")
def line(mosquitto_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningUp]:
    """A running line that every test shares; none may harm it."""
    running = RunningUp(tmp_path_factory.mktemp("line"))
    yield running
    assert running.stop() == 0


@pytest.fixture
def hangup_is_heard() -> Iterator[None]:
    """Not ignored, as it is under nohup for the tests and all that they start."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)
