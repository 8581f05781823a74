"""What happens at the page, for its log and the event log: who signed in or dropped what, and what failed.

    with Told(connection, topics):
        tell("info", "folder-dropped", folder="spring", files=3, by="anna")

A thread sends events, so nobody who tells one waits for the broker.
"""

import contextlib
import logging
import os
import secrets
import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from broker.clients import client
from broker.connection import Connection, Notice
from broker.errors import MessageError, Unreachable
from broker.logs import Level, as_text, for_the_wire, log_line
from broker.messages import Event, encode, now
from broker.mqtt import MqttConnection
from broker.settings import Settings
from broker.topics import Topics

SERVICE, INSTANCE = "dashboard", "main"
MOST = 200
"""Events that wait while the broker is away, the latest."""
TURN_S = 1.0
WORTH_TELLING = {"refused", "not-authorised", "too-large"}
log = logging.getLogger(SERVICE)
_telling: list["Told"] = []


def tell(level: Level, event: str, **fields: Any) -> None:
    """Write one line to the log, and to the event log while there is one; safe in any thread."""
    log_line(log, level, event, **fields)
    for one in _telling:
        one.take(level, event, as_text(fields))


def connection_of(settings: Settings) -> MqttConnection:
    """Return a connection for events, which is not started. Raises SettingsError for the account's file."""
    return client(settings, SERVICE, f"{SERVICE}-{os.getpid()}-{secrets.token_hex(4)}", [])


class Told:
    """The thread, and its connection, which nobody else has started, while the `with` block lasts.

    `failed` is called when it ends by a defect of its own.
    """

    def __init__(
        self, connection: Connection, topics: Topics, failed: Callable[[], None] = lambda: None
    ) -> None:
        self._connection = connection
        self._topic = topics.events(SERVICE)
        self._failed = failed
        self._waiting: deque[Event] = deque(maxlen=MOST)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="told", daemon=True)

    def __enter__(self) -> Self:
        """Begin to connect, and to take what is told."""
        self._connection.start()
        self._thread.start()
        _telling.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send what can be sent, and leave."""
        _telling.remove(self)
        self._stopping.set()
        self._connection.wake()
        self._thread.join(5.0)
        self._connection.stop(1.0)

    def take(self, level: Level, event: str, detail: str) -> None:
        """Take an event along; it goes out when the broker is there."""
        self._waiting.append(
            Event(
                service=SERVICE,
                instance=INSTANCE,
                at=now(),
                level=level,
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
