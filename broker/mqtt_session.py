"""One connection to a broker, from its TCP socket to its loss, over paho.

The whole of it runs in one thread of ours, through the interface that paho has for foreign event loops. So
nothing that goes wrong in a callback can end that thread unseen, and reading can pause while the inbox is
full (pings go on; after a while the client leaves, so that the broker need not queue without end). Every
connection begins with a fresh paho client, which has nothing to resend: only an agent's ledger resends.
"""

import contextlib
import logging
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from broker import mqtt_words as words
from broker.bell import Bell
from broker.connection import Capabilities, Delivery, Notice
from broker.encryption import has_decrypted, unreachable
from broker.errors import MessageError, Unreachable
from broker.inbox import Inbox
from broker.mqtt_client import Client, paho_client
from broker.notices import TopicTroubles
from broker.topics import check_topic

TICK_S = 0.5
ACCEPT_S = 10.0
FULL_PATIENCE_S = 30.0

log = logging.getLogger("mqtt")


@dataclass(frozen=True)
class _Sent:
    """A message that the broker has not answered yet."""

    topic: str
    size_bytes: int
    on_acknowledged: Callable[[], None] | None


class Session:
    """One connection. `run` blocks until it is over; everything else may be called by other threads."""

    def __init__(
        self,
        who: Client,
        inbox: Inbox,
        troubles: TopicTroubles,
        bell: Bell,
        learned_bytes: int | None = None,
    ) -> None:
        self.accepted = False
        self.accepted_at: float | None = None
        """When the broker accepted the client (monotonic); None when it never did."""
        self.capabilities = Capabilities()
        self.kicked: Notice | None = None
        """Why the broker refused or ended the connection, where it said so."""
        self.too_large_bytes: int | None = None
        """The size of the largest message under way when the broker found one too large."""
        self._who = who
        self._inbox = inbox
        self._troubles = troubles
        self._bell = bell
        self._learned_bytes = learned_bytes
        self._sent: dict[int, _Sent] = {}
        self._early: dict[int, ReasonCode] = {}
        self._handing: list[int] = []
        self._lock = threading.Lock()
        self._answered: deque[Callable[[], None]] = deque()
        self._leave_at: float | None = None
        self._full_since: float | None = None
        self._lost = ""
        self._client = paho_client(who)
        self._client.on_socket_open = self._on_socket_open
        self._client.on_socket_register_write = self._on_register_write
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_publish = self._on_publish
        self._client.on_disconnect = self._on_disconnect

    def run(self) -> str:
        """Connect and serve the connection until it is over; return why it ended."""
        who = self._who
        try:
            self._client.reconnect()
            refused_at = time.monotonic() + ACCEPT_S
            while self._turn():
                if not self.accepted and time.monotonic() > refused_at:
                    return f"{who.address} does not answer"
                if self._leave_at is not None and not self._leave(self._leave_at):
                    return "left"
                if self._full_since is not None and time.monotonic() > self._full_since + FULL_PATIENCE_S:
                    self._leave(0.0)
                    return f"left until there is room: nothing was taken in for {FULL_PATIENCE_S:g} s"
        except OSError as error:
            why = unreachable(error, who.address, tls=who.tls is not None)
            if why.permanent:
                self.kicked = Notice("refused", why.sentence)
            return why.sentence
        finally:
            self.accepted = False
            self._close()
        return self._lost or words.ended(
            who.address, accepted=self.accepted_at is not None, tls=who.tls is not None
        )

    def _close(self) -> None:
        open_socket = self._client.socket()
        if open_socket is not None:
            open_socket.close()

    def _turn(self) -> bool:
        """Wait for the socket or the bell and serve both; False when the connection is over."""
        client = self._client
        open_socket = client.socket()
        if open_socket is None:
            return False
        reading = self._leave_at is not None or not self._inbox.full
        self._full_since = None if reading else self._full_since or time.monotonic()
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        wanted = (select.POLLIN if reading else 0) | (select.POLLOUT if client.want_write() else 0)
        poll.register(open_socket, wanted)
        decrypted = reading and has_decrypted(open_socket)
        events = dict(poll.poll(0 if decrypted else TICK_S * 1000))
        if self._bell.fileno() in events:
            self._bell.hear()
        mine = events.get(open_socket.fileno(), 0)
        if decrypted or mine & ~select.POLLOUT:
            if not reading:
                return False  # it broke off while nothing was being read
            client.loop_read()
        self._tell_acknowledged()
        if client.want_write():
            client.loop_write()
        self._keep_alive(reading=reading)
        return client.socket() is not None

    def _keep_alive(self, *, reading: bool) -> None:
        if not reading:
            # The broker's answer to a ping cannot be seen now: without this paho would take it for dead.
            self._client._ping_t = 0.0  # noqa: SLF001
        self._client.loop_misc()

    def _tell_acknowledged(self) -> None:
        """Call back outside paho's locks, or a callback that publishes could wait for itself."""
        while self._answered:
            try:
                self._answered.popleft()()
            except Exception:
                log.exception("a callback of an acknowledged message failed")

    def leave(self, deadline_at: float) -> None:
        """End the connection once everything sent is answered, or at `deadline_at` (monotonic)."""
        self._leave_at = deadline_at
        self._bell.ring()

    def _leave(self, leave_at: float) -> bool:
        """Return whether there is still something to wait for; say goodbye when there is not."""
        if self._sent and self.accepted and time.monotonic() < leave_at:
            return True
        self._client.disconnect()
        with contextlib.suppress(OSError):
            give_up_at = max(leave_at, time.monotonic()) + TICK_S
            while self._client.socket() is not None and time.monotonic() < give_up_at:
                self._client.loop_write()
        return False

    def publish(
        self,
        topic: str,
        payload: bytes,
        extra: words.MessageProperties,
        *,
        retain: bool,
        on_acknowledged: Callable[[], None] | None,
    ) -> None:
        """Send a message; raises Unreachable and MessageError as `Connection.publish` does."""
        check_topic(topic)
        size_bytes = words.packet_bytes(topic, payload, extra.size_bytes)
        limit = self.capabilities.maximum_packet_size
        if limit is not None and size_bytes > limit:
            raise MessageError(f"{topic}: a message of {size_bytes} bytes; the broker takes {limit}")
        with self._handing_over(size_bytes):
            info = self._client.publish(
                topic,
                payload,
                qos=min(1, self.capabilities.maximum_qos),
                retain=retain and self.capabilities.retain_available,
                properties=extra.properties,
            )
            if info.rc != paho.MQTT_ERR_SUCCESS:
                raise Unreachable(f"not connected to the broker: {paho.error_string(info.rc)}")
            self._remember(info.mid, _Sent(topic, size_bytes, on_acknowledged))
        self._bell.ring()

    @contextlib.contextmanager
    def _handing_over(self, size_bytes: int) -> Iterator[None]:
        """Note a size until the message is remembered: the broker may find it too large before that."""
        with self._lock:
            self._handing.append(size_bytes)
        try:
            yield
        finally:
            with self._lock:
                self._handing.remove(size_bytes)

    def _remember(self, mid: int, sent: _Sent) -> None:
        """Note what was sent, unless its answer came before this thread got here."""
        with self._lock:
            reason = self._early.pop(mid, None)
            if reason is None:
                self._sent[mid] = sent
                return
        self._settle(sent, reason)
        self._bell.ring()

    def acknowledge(self, mid: int) -> None:
        """Send a PUBACK, if this connection is still the one."""
        if self._client.socket() is not None:
            self._client.ack(mid, 1)
            self._bell.ring()

    # What paho calls, all of it in the thread of `run`.

    def _on_socket_open(self, _client: Any, _data: Any, opened: Any) -> None:
        if opened.family != socket.AF_UNIX:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _on_register_write(self, _client: Any, _data: Any, _socket: Any) -> None:
        self._bell.ring()

    def _on_connect(self, client: Any, _data: Any, _flags: Any, reason: ReasonCode, properties: Any) -> None:
        if reason.is_failure:
            self.kicked = Notice("refused", words.words_of(reason))
            return
        self.capabilities = words.capabilities_of(properties, self._learned_bytes)
        # paho has a setter for this, but not for after CONNACK, where the figure stands.
        client._max_inflight_messages = self.capabilities.receive_maximum  # noqa: SLF001
        filters = self._filters()
        if filters:
            client.subscribe([(one, SubscribeOptions(qos=1)) for one in filters])
        else:
            self._accept()

    def _filters(self) -> list[str]:
        if self.capabilities.shared_subscription_available:
            return list(self._who.subscriptions)
        return [one.split("/", 2)[2] if one.startswith("$share/") else one for one in self._who.subscriptions]

    def _on_subscribe(
        self, client: Any, _data: Any, _mid: Any, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        for wanted, reason in zip(self._filters(), reasons, strict=False):
            if reason.is_failure:
                self.kicked = Notice("refused", f"{words.words_of(reason)} to subscribe to {wanted}")
        if self.kicked is None:
            self._accept()
        else:
            client.disconnect()

    def _accept(self) -> None:
        self.accepted = True
        self.accepted_at = time.monotonic()
        self._inbox.put(Notice("connected", f"connected to {self._who.address}"))

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        properties = message.properties
        self._inbox.put(
            Delivery(
                topic=message.topic,
                payload=bytes(message.payload),
                content_type=getattr(properties, "ContentType", None),
                response_topic=getattr(properties, "ResponseTopic", None),
                correlation_data=getattr(properties, "CorrelationData", None),
                retained=bool(message.retain),
                duplicate=bool(message.dup),
                token=(self, message.mid) if message.qos else None,
            )
        )

    def _on_publish(self, _client: Any, _data: Any, mid: int, reason: ReasonCode, _properties: Any) -> None:
        with self._lock:
            sent = self._sent.pop(mid, None)
            if sent is None:
                self._early[mid] = reason
                return
        self._settle(sent, reason)

    def _settle(self, sent: _Sent, reason: ReasonCode) -> None:
        with self._lock:
            if reason.value == 0:
                notices = self._troubles.end(sent.topic)
            else:
                notices = self._troubles.begin(words.kind_of(reason), sent.topic, words.words_of(reason))
        for notice in notices:
            self._inbox.put(notice)
        if sent.on_acknowledged is not None and not reason.is_failure:
            self._answered.append(sent.on_acknowledged)

    def _on_disconnect(
        self, _client: Any, _data: Any, flags: paho.DisconnectFlags, reason: ReasonCode, _properties: Any
    ) -> None:
        if not flags.is_disconnect_packet_from_server:
            return
        self._lost = words.words_of(reason)
        if reason.is_failure:
            self.kicked = Notice(words.kind_of(reason), self._lost)
            if self.kicked.kind == "too-large":
                with self._lock:
                    sizes = [*(sent.size_bytes for sent in self._sent.values()), *self._handing]
                self.too_large_bytes = max(sizes, default=None)
