"""A service's place on the line: one `with` block in which it is announced, and plain calls to take and give.

    with Line(connection, topics, service="store", instance="main") as line:
        while not line.stopping:
            for delivery in line.receive(limit=100, timeout_s=1.0):
                ...work...
                line.acknowledge(delivery)

The library's network thread only fills a bounded queue; everything else happens in the caller's loop.
"""

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from broker.auto_reset_event import AutoResetEvent
from broker.connection import Capabilities, Connection, Delivery, Notice
from broker.errors import MessageError, Unreachable
from broker.health import Health
from broker.live_settings import Live
from broker.logs import Level, for_the_wire, log_line
from broker.messages import Event, Message, Reject, content_type, encode, now
from broker.metrics import Metrics
from broker.parting import publish_reject
from broker.presence import State, status_of
from broker.topics import Topics

FIRST_BYTES = 64
EVENTS_KEPT = 200
# Topics on which somebody must listen for the line to flow, and who that is.
LISTENERS = {"pixels": "predictor", "predictions": "store", "failures": "store", "jobs": "store"}


class Line:
    """The line as one service sees it; a context manager. Not for use by several threads, but for `stop`."""

    def __init__(
        self,
        connection: Connection,
        topics: Topics,
        *,
        service: str,
        instance: str,
        stop_deadline_s: float = 5.0,
        health: Health | None = None,
    ) -> None:
        self.topics = topics
        self.service = service
        self.instance = instance
        self._connection = connection
        self._stopping = False
        self._stop_asked = AutoResetEvent()
        self._stop_deadline_s = stop_deadline_s
        self._since = now()
        self._detail: dict[str, Any] = {}
        self._events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self._log = logging.getLogger(service)
        self._online = False
        self._kept: dict[str, Message] = {}
        self.rejects = 0
        """How many messages were put aside."""
        self.connections = 0
        """How often the broker has accepted this client, as far as `receive` has told."""
        self.health = health or Health()
        self.metrics = Metrics()
        self.live = Live()
        """What of a changed configuration the service takes over without a restart."""
        self.on_turn: Callable[[], None] = lambda: None
        """Called in the loop's own thread, each time it waits for something."""

    def __enter__(self) -> Self:
        """Begin to connect; the service is announced as soon as the broker is there."""
        self._connection.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say `stopped`, or `offline` after a crash, and leave within the deadline.

        The last will cannot say it after a crash: leaving cleanly takes the will back.
        """
        self.health.stopping()
        with contextlib.suppress(Unreachable):
            self._publish_status("stopped" if kind is None else "offline")
        self._connection.stop(self._stop_deadline_s)

    def serves(self, words: str) -> None:
        """Say that all of the service's own is open and loaded: with the broker there, it has started."""
        self.log("info", "serving", status=words)
        self.health.serves(words)

    @property
    def stopping(self) -> bool:
        """Whether the service was asked to end."""
        return self._stopping

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""
        return self._connection.connected

    @property
    def capabilities(self) -> Capabilities:
        """What the broker said of itself."""
        return self._connection.capabilities

    def stop(self) -> None:
        """Ask the loop to end; safe in any thread and in a signal handler."""
        self._stopping = True
        self._stop_asked.set()
        self._connection.wake()

    def turned(self) -> None:
        """Say that the loop gets on; `receive` and `pause` do, so only a turn of many steps need."""
        self.health.turned()
        self.on_turn()

    def pause(self, seconds: float) -> None:
        """Wait without taking deliveries, but not beyond a `stop`: for troubles of the world."""
        self.turned()
        if not self._stopping:
            self._stop_asked.wait(seconds)

    def wake(self) -> None:
        """Make a waiting `receive` return at once; safe in any thread."""
        self._connection.wake()

    def receive(self, *, limit: int, timeout_s: float) -> list[Delivery]:
        """Return up to `limit` deliveries, waiting at most `timeout_s` for the first.

        Retained messages on topics that are not retained are acknowledged and passed over here; what happens
        to the connection becomes events, each at its beginning and at its end.
        """
        self.turned()
        found = self._connection.receive(limit, 0.0 if self.stopping else timeout_s)
        return list(self._sift(found))

    def _sift(self, found: Sequence[Delivery | Notice]) -> Iterator[Delivery]:
        for item in found:
            if isinstance(item, Notice):
                self._notice(item)
            elif item.retained and self.topics.kind(item.topic) not in {"model", "status"}:
                self.acknowledge(item)
            else:
                yield item

    def _notice(self, notice: Notice) -> None:
        if notice.kind == "connected":
            self.log("info", "connected", detail=notice.detail)
            self._online = self.health.connected = True
            self.connections += 1
            with contextlib.suppress(Unreachable):
                self._publish_status("online")
                for topic, message in self._kept.items():
                    self.publish(topic, message, retain=True)
            for trouble in ("broker-away", "refused", "taken-over"):
                self.end(trouble, "the broker is back")
            self._flush_events()
            self.health.turned(at_once=True)
        elif notice.kind == "disconnected":
            self._online = self.health.connected = False
            self.begin("broker-away", notice.detail)
        elif notice.kind == "no-subscriber":
            self._nobody_listens(notice)
        else:
            self._trouble(notice, notice.kind, f"{notice.detail} {notice.topic}".strip())

    def _nobody_listens(self, notice: Notice) -> None:
        listener = LISTENERS.get(self.topics.kind(notice.topic))
        if listener is not None:
            words = f"a {listener} is listening" if notice.over else f"no {listener} is listening"
            self._trouble(notice, f"no-{listener}", words)

    def _trouble(self, notice: Notice, trouble: str, detail: str) -> None:
        if notice.over:
            self.end(trouble, detail)
        else:
            self.begin(trouble, detail)

    def publish(self, topic: str, message: Message, **properties: Any) -> None:
        """Publish a message with QoS 1; properties as `Connection.publish` takes them. Raises Unreachable."""
        self._connection.publish(topic, encode(message), content_type=content_type(message), **properties)

    def publish_bytes(self, topic: str, payload: bytes, *, content_type: str, **properties: Any) -> None:
        """Publish bytes that are encoded already, such as a batch from the ledger. Raises Unreachable."""
        self._connection.publish(topic, payload, content_type=content_type, **properties)

    def keep(self, topic: str, message: Message) -> None:
        """Publish a retained message now, or as soon as the broker is there, and again on every connect.

        A broker that lost its disk has lost what it retained, too.
        """
        self._kept[topic] = message
        with contextlib.suppress(Unreachable):
            if self._online:
                self.publish(topic, message, retain=True)

    def acknowledge(self, delivery: Delivery) -> None:
        """Tell the broker that the work on this delivery is done."""
        self._connection.acknowledge(delivery)

    def reject(self, delivery: Delivery, reason: str, detail: str, **batch: Any) -> None:
        """Put a message aside: publish it to `rejects`, tell the event log, acknowledge it.

        `batch` may name `batch_id`, `job_id`, `source`, `images` where they could be read; images that one
        message cannot hold are named in several. Raises Unreachable (and does not acknowledge) when the
        broker is away, so that the message comes again.
        """
        reject = Reject(
            service=self.service,
            instance=self.instance,
            topic=delivery.topic,
            reason=reason,
            detail=for_the_wire(detail),
            first_bytes=delivery.payload[:FIRST_BYTES],
            size_bytes=len(delivery.payload),
            rejected_at=now(),
            **batch,
        )
        self.rejects += 1
        told = f"{delivery.topic}: {reason}: {detail}"
        topic = self.topics.rejects(self.service)
        try:
            unnamed = publish_reject(lambda part: self.publish(topic, part), reject)
        except MessageError as error:
            self.event("error", "reject-lost", f"{error}: {told}", batch_id=reject.batch_id)
        else:
            self.event("warning", "message-rejected", told, batch_id=reject.batch_id)
            if unnamed:
                self.event("error", "reject-without-images", f"{unnamed} names are too long: {told}")
        self.acknowledge(delivery)

    def event(
        self,
        level: Level,
        event: str,
        detail: str,
        *,
        job_id: str = "",
        batch_id: str = "",
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        """Write one line to the log and to the event log; while the broker is away the latest 200 wait.

        `fields` stand in the log in the detail's place.
        """
        self.log(level, event, batch_id=batch_id, job_id=job_id, **(fields or {"detail": detail}))
        said = Event(
            service=self.service,
            instance=self.instance,
            at=now(),
            level=level,
            event=event,
            detail=for_the_wire(detail),
            job_id=job_id,
            batch_id=batch_id,
        )
        self._events.append(said)
        self._flush_events()

    def log(self, level: Level, event: str, **fields: Any) -> None:
        """Write one line to the log alone: a unit of work, with its batch and its seconds."""
        log_line(self._log, level, event, **fields)

    def _flush_events(self) -> None:
        while self._events and self.connected:
            try:
                self.publish(self.topics.events(self.service), self._events[0])
            except Unreachable:
                return
            except MessageError as error:
                self.log("warning", "event-not-published", detail=str(error))
            self._events.popleft()

    def begin(self, trouble: str, detail: str) -> bool:
        """Say once that a trouble of the world has begun; True when it is new."""
        if not self.health.begin(trouble, detail):
            return False
        self.event("warning", trouble, detail)
        return True

    def end(self, trouble: str, detail: str) -> bool:
        """Say once that a trouble is over, and how long it took; True when there was one."""
        lasted_s = self.health.end(trouble)
        if lasted_s is None:
            return False
        self.event("info", f"{trouble}-over", f"{detail} after {lasted_s:.1f} s")
        return True

    def announce(self, **detail: Any) -> None:
        """Put facts into the retained status (`model`, `engine`, …); it goes out when the broker is there."""
        self._detail.update(detail)
        with contextlib.suppress(Unreachable):
            if self._online:
                self._publish_status("online")

    def _publish_status(self, state: State) -> None:
        status = status_of(self.service, self.instance, state, self._since, self._detail)
        self.publish(self.topics.status(self.service, self.instance), status, retain=True)
