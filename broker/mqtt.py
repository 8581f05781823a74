"""The connection to a real broker: MQTT 5, no kept session, reconnecting for ever."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from broker import mqtt_words as words
from broker.backoff import Backoff
from broker.bell import Bell
from broker.connection import Capabilities, Delivery, Notice
from broker.errors import Unreachable
from broker.inbox import Inbox
from broker.mqtt_client import Client
from broker.mqtt_session import Session
from broker.notices import TopicTroubles

# A connection that the broker ended this soon did not go well, even though it had been accepted.
SHORT_LIFE_S = 3.0
SHORT_LIVES = 5
SHORT_LIFE_WAIT_S = 4.0
"""Long enough that two clients of one id do not fight fast, short enough that a broker which dies again and
again is used as soon as it lives: in the chaos run, waits up to 60 s had made recoveries of 28 s."""
FIGHT = "the broker ended every connection seconds after accepting it: another client may have the same id"

log = logging.getLogger("mqtt")


class MqttConnection:
    """A `broker.connection.Connection`; all socket work is done by one thread, which `start` begins."""

    def __init__(self, who: Client, *, inbox: Inbox | None = None, backoff: Backoff | None = None) -> None:
        self._who = who
        self._inbox = inbox or Inbox()
        self._backoff = backoff or Backoff()
        self._troubles = TopicTroubles()
        self._session: Session | None = None
        self._capabilities = Capabilities()
        self._learned_bytes: int | None = None
        self._stop_at: float | None = None
        self._told: set[Notice] = set()
        self._away = False
        self._short_lives = 0
        self._bell: Bell | None = None
        self._thread: threading.Thread | None = None

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the client and its subscriptions."""
        session = self._session
        return session is not None and session.accepted

    @property
    def capabilities(self) -> Capabilities:
        """What the broker said at the latest connect."""
        session = self._session
        return session.capabilities if session is not None and session.accepted else self._capabilities

    def start(self) -> None:
        """Begin to connect. Returns at once, broker or none."""
        self._bell = Bell()
        self._inbox.on_space = self._bell.ring
        name = f"mqtt-{self._who.client_id}"
        self._thread = threading.Thread(target=self._run, args=(self._bell,), name=name, daemon=True)
        self._thread.start()

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        content_type: str | None = None,
        response_topic: str | None = None,
        correlation_data: bytes | None = None,
        on_acknowledged: Callable[[], None] | None = None,
    ) -> None:
        """Hand a message over with QoS 1, as the interface says; may be called by several threads."""
        session = self._session
        if session is None or not session.accepted:
            raise Unreachable("not connected to the broker")
        extra = words.message_properties(content_type, response_topic, correlation_data)
        session.publish(topic, payload, extra, retain=retain, on_acknowledged=on_acknowledged)

    def receive(self, limit: int, timeout_s: float) -> Sequence[Delivery | Notice]:
        """Return up to `limit` things that came in, waiting at most `timeout_s` for the first; [] if none."""
        return self._inbox.take(limit, timeout_s)

    def wake(self) -> None:
        """Make a waiting `receive` return at once; safe in any thread and in a signal handler."""
        self._inbox.wake()

    def acknowledge(self, delivery: Delivery) -> None:
        """Tell the broker that the work is done; a delivery of an earlier connection is passed over."""
        match delivery.token:
            case (Session() as session, int() as mid):
                session.acknowledge(mid)

    def stop(self, deadline_s: float) -> None:
        """Send what is under way, disconnect cleanly, and return within `deadline_s` whatever happens."""
        if self._bell is None or self._thread is None:
            return
        self._stop_at = time.monotonic() + deadline_s
        session = self._session
        if session is not None:
            session.leave(self._stop_at - min(0.5, deadline_s / 4))
        self._bell.ring()
        self._thread.join(deadline_s)

    def _run(self, bell: Bell) -> None:
        while self._stop_at is None:
            session = Session(self._who, self._inbox, self._troubles, bell, self._learned_bytes)
            self._session = session
            if self._stop_at is None:  # `stop` looks the other way round, so one of the two sees the other
                why = self._serve(session)
                self._take_note(session, why)
                self._wait(bell)
        bell.close()

    def _serve(self, session: Session) -> str:
        """Run one connection to its end; the outermost loop, so nothing that goes wrong may leave it."""
        try:
            return session.run()
        except Exception as error:
            log.exception("the connection failed")
            return f"the connection failed: {error}"

    def _take_note(self, session: Session, why: str) -> None:
        """Tell what ended a connection, once while it goes on, and choose how soon to try again."""
        began = session.accepted_at
        lived_s = 0.0 if began is None else time.monotonic() - began
        kicked = session.kicked or self._suspicion(began, lived_s)
        if began is not None:
            self._capabilities = session.capabilities
        if session.too_large_bytes is not None:
            self._learned_bytes = min(session.too_large_bytes, self._learned_bytes or session.too_large_bytes)
        if lived_s > SHORT_LIFE_S:
            self._told.clear()
        if kicked is not None and kicked not in self._told:
            self._told.add(kicked)
            self._inbox.put(kicked)
        if began is not None or (kicked is None and not self._away):
            self._away = True
            self._inbox.put(Notice("disconnected", why))
        self._choose_wait(session)

    def _choose_wait(self, session: Session) -> None:
        """Begin with short waits again when it went well, or badly for the first time."""
        if session.kicked is not None and session.kicked.kind == "taken-over":
            self._backoff.slow_down()
        elif session.kicked is None and session.accepted_at is not None:
            if self._short_lives < 2:
                self._backoff.reset()
            self._backoff.at_most(SHORT_LIFE_WAIT_S)

    def _suspicion(self, began: float | None, lived_s: float) -> Notice | None:
        """Guess that two clients fight for one id: Mosquitto 2.0.11 does not say why it cuts one off.

        It is only told: the waits, which repeated short lives do not reset, grow apart by themselves.
        """
        self._short_lives = self._short_lives + 1 if began is not None and lived_s <= SHORT_LIFE_S else 0
        return Notice("taken-over", FIGHT) if self._short_lives >= SHORT_LIVES else None

    def _wait(self, bell: Bell) -> None:
        until = time.monotonic() + self._backoff.next_s()
        while self._stop_at is None:
            left_s = until - time.monotonic()
            if left_s <= 0 and not self._inbox.full:
                return
            bell.wait(left_s if left_s > 0 else 1.0)
