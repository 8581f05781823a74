"""What the page writes to its log stands in the event log, too: who signed in, who dropped what, what failed.

    with Told(connection, topics):
        log_line(logging.getLogger("dashboard"), "info", "folder-dropped", folder="spring")

A thread sends it, so nobody who writes a line waits for the broker.
"""

import contextlib
import logging
import os
import secrets
import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from broker.clients import client
from broker.connection import Connection, Notice
from broker.errors import MessageError, Unreachable
from broker.logs import Level, for_the_wire, log_line, told_in
from broker.messages import Event, encode, now
from broker.mqtt import MqttConnection
from broker.settings import Settings
from broker.topics import Topics

SERVICE, INSTANCE = "dashboard", "main"
MOST = 200
"""Events that wait while the broker is away, the latest."""
TURN_S = 1.0
FRAMEWORK = "nicegui"
"""Whose log tells what failed in a page."""
LEVELS: dict[int, Level] = {logging.INFO: "info", logging.WARNING: "warning"}
WORTH_TELLING = {"refused", "not-authorised", "too-large"}
log = logging.getLogger(SERVICE)


def connection_of(settings: Settings) -> MqttConnection:
    """Return a connection for events, which is not started. Raises SettingsError for the account's file."""
    return client(settings, SERVICE, f"{SERVICE}-{os.getpid()}-{secrets.token_hex(4)}", [])


class Told(logging.Handler):
    """The thread, and its connection, which nobody else has started, while the `with` block lasts.

    `failed` is called when it ends by a defect of its own.
    """

    def __init__(
        self, connection: Connection, topics: Topics, failed: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(logging.INFO)
        self._connection = connection
        self._topic = topics.events(SERVICE)
        self._failed = failed
        self._waiting: deque[Event] = deque(maxlen=MOST)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="told", daemon=True)

    def __enter__(self) -> Self:
        """Begin to connect, and to listen to the page's log."""
        self._connection.start()
        self._thread.start()
        for name in (SERVICE, FRAMEWORK):
            logging.getLogger(name).addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send what can be sent, and leave."""
        for name in (SERVICE, FRAMEWORK):
            logging.getLogger(name).removeHandler(self)
        self._stopping.set()
        self._connection.wake()
        self._thread.join(5.0)
        self._connection.stop(1.0)

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line along, of the framework's those that warn; safe in any thread."""
        if record.thread == self._thread.ident or (
            record.name != SERVICE and record.levelno < logging.WARNING
        ):
            return
        event, detail = told_in(record)
        self._waiting.append(
            Event(
                service=SERVICE,
                instance=INSTANCE,
                at=now(),
                level=LEVELS.get(record.levelno, "error"),
                event=event,
                detail=for_the_wire(detail),
            )
        )
        self._connection.wake()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._send()
                for item in self._connection.receive(MOST, TURN_S):
                    if isinstance(item, Notice) and item.kind in WORTH_TELLING and not item.over:
                        self._lost(item.detail)
            self._send()
        finally:
            if not self._stopping.is_set():
                self._failed()

    def _send(self) -> None:
        while self._waiting and self._connection.connected:
            event = self._waiting[0]
            try:
                self._connection.publish(self._topic, encode(event))
            except Unreachable:
                return
            except MessageError as error:
                self._lost(str(error))
            with contextlib.suppress(ValueError):  # so many came meanwhile that this one had to go
                self._waiting.remove(event)

    def _lost(self, why: str) -> None:
        log_line(log, "warning", "event-not-published", detail=why)
