"""A real Mosquitto for tests: the shipped configuration, plus one account that may do everything."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from broker.credentials import Credentials, read_credentials
from broker.listeners import own_listener
from broker.mosquitto import prepare_broker
from broker.mosquitto_program import find_mosquitto
from broker.mqtt import MqttConnection
from broker.mqtt_client import Client
from broker.settings import Settings
from tests.waiting import listens, until

TESTER = Credentials("tester", "a password for tests only")


class RunningMosquitto:
    """The process and how to reach it; `kill` and `start` again at will."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.log = settings.paths.state / "broker" / "stderr"
        self._start = prepare_broker(settings)
        self._add_tester(settings.paths.state / "broker")
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def _add_tester(folder: Path) -> None:
        """Add an account with all rights, so that a contract can be tried on any topic."""
        program = find_mosquitto("mosquitto_passwd")
        hashed = [str(program), "-b", str(folder / "passwords"), TESTER.user, TESTER.password]
        subprocess.run(hashed, check=True, capture_output=True)
        with (folder / "rights").open("a", encoding="utf-8") as rights:
            rights.write(f"\nuser {TESTER.user}\ntopic readwrite #\n")

    def start(self) -> None:
        """Start the process and wait until it listens."""
        with self.log.open("ab") as log:
            environment = {**os.environ, **self._start.environment}
            self._process = subprocess.Popen(self._start.arguments, env=environment, stderr=log)
        until(self._ready)

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        at = own_listener(self.settings.broker)
        return listens(at.host, at.port)

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """End the process as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def account(self, name: str) -> Credentials | None:
        """Return a generated account's credentials, or the tester's."""
        if name == TESTER.user:
            return TESTER
        return read_credentials(self.settings.broker.credentials, name)

    def client(
        self, client_id: str, subscriptions: Sequence[str] = (), account: str = "tester", **more: Any
    ) -> Client:
        """Return who connects to this broker."""
        at = own_listener(self.settings.broker)
        given = {"host": at.host, "port": at.port, "credentials": self.account(account), **more}
        return Client(client_id=client_id, subscriptions=tuple(subscriptions), **given)

    def connection(self, client_id: str, subscriptions: Sequence[str] = (), **more: Any) -> MqttConnection:
        """Return a connection to this broker that is not started."""
        return MqttConnection(self.client(client_id, subscriptions, **more))
