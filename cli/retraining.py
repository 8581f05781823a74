"""Training beside the line when the monitor asks for it, and promotion if the gate lets it through."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from broker.errors import SettingsError
from broker.messages import Alert, Message
from broker.settings import Settings
from broker.settings_reader import PROJECT
from cli.errors import OK, CannotRun
from cli.given import CONFIG, Given

RULE = "retrain"
_NICE = ("nice", "-n", "10")
STOP_S = 5.0
LOG = "retrain.log"


class Retraining:
    """At most one training, and then one promotion, at a time; both are ordinary commands of this program.

    Raises CannotRun where `[monitor] retrain` is `auto` and `[model] training_data` says nothing.
    """

    def __init__(self, given: Given, settings: Settings, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._say = say
        self._front = [] if given.config is None else [CONFIG, str(given.config.absolute())]
        self._environment = {**os.environ, **given.overrides, "PYTHONPATH": str(PROJECT)}
        self._process: subprocess.Popen[str] | None = None
        self._log: IO[str] | None = None
        self._doing = ""
        if settings.monitor.retrain == "auto" and not settings.model.training_data:
            raise CannotRun('[monitor] retrain = "auto" needs [model] training_data: what else to train on')

    def __enter__(self) -> Self:
        """Begin with what is open already: nobody says an alert twice."""
        if self._settings.monitor.retrain == "auto" and self._is_open():
            self.begin()
        return self

    def _is_open(self) -> bool:
        from store import queries

        try:
            with queries.reading(self._settings.store) as connection:
                return any(one.rule == RULE for one in queries.alerts(connection, state="open"))
        except SettingsError as problem:
            self._say(f"whether a candidate is due: {problem}")
            return False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what runs: training goes on after its last whole epoch when it is started again."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._forget()

    def hear(self, message: Message) -> None:
        """Begin when the monitor says that there are reviews enough."""
        if isinstance(message, Alert) and message.rule == RULE and message.state == "open":
            self.begin()

    def begin(self) -> None:
        """Train, unless that is under way or not wanted."""
        if self._settings.monitor.retrain == "auto" and self._process is None:
            self._say("training a candidate with people's answers, beside the line")
            data = self._settings.model.training_data
            self._start("training", ["train", "--with-reviews", "--data", data])

    def step(self) -> None:
        """Look whether training or promotion has ended."""
        if self._process is None or self._process.poll() is None:
            return
        done, doing = self._process.returncode == OK, self._doing
        said = self._said()
        self._forget()
        if doing == "training" and done and (version := _bundle(said)):
            self._start(
                "promotion", ["models", "promote", version, "--data", self._settings.model.training_data]
            )
        else:
            self._say(f"{doing} {'is done' if done else 'ended in vain'}: {said[-1] if said else 'no word'}")

    def _start(self, doing: str, command: Sequence[str]) -> None:
        self._log = (self._settings.paths.state / "log" / LOG).open("w+", encoding="utf-8")
        self._doing = doing
        self._process = subprocess.Popen(  # noqa: S603  this program's own command
            [*_NICE, sys.executable, "-m", "cli", *self._front, *command],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            env=self._environment,
            cwd=Path.cwd(),
            start_new_session=True,  # a closed terminal does not end it
        )

    def _said(self) -> list[str]:
        if self._log is None:
            return []
        self._log.seek(0)
        return self._log.read().split("\n")[:-1]

    def _forget(self) -> None:
        self._process = None
        if self._log is not None:
            self._log.close()
            self._log = None


def _bundle(said: Sequence[str]) -> str:
    """Return the version that a training says it made, "" where it made none."""
    lines = [line for line in said if line.startswith("bundle  ")]
    return Path(lines[-1].removeprefix("bundle  ")).name if lines else ""
