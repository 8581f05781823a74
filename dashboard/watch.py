"""What is going on now: a thread that hears of the services and, while somebody looks, asks the database."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from broker.connection import Capabilities
from broker.errors import SettingsError
from broker.messages import ModelAnnouncement, Status
from broker.reader import Reader
from broker.settings import Settings
from broker.topics import Topics
from dashboard.standstill import standstill
from store import browsing, dropped, job_list, queries
from store.browsing import Backlog, Seen
from store.queries import AlertRow, CanaryRow

HEAR_S = 0.25
LOOK_S = 1.0
"""How often the database is asked, while somebody looks."""
LOOKING_S = 10.0
"""How long after the last question nobody looks any more."""
SHOWN = 12
ALERTS = 20
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@dataclass(frozen=True)
class Stored:
    """What the database says of the present."""

    canaries: list[CanaryRow]
    alerts: list[AlertRow]
    """The newest of those that are open."""
    open_alerts: int
    backlog: Backlog
    last_hour: int
    last_minute: int
    jobs: int
    latest: list[Seen]
    pictures: Mapping[tuple[str, str], bytes]
    folders: Mapping[str, str]
    """The folder of each job that the latest images belong to."""


@dataclass(frozen=True)
class Present:
    """One moment. `stored` is None where the database cannot be read, and `why` says why."""

    at: datetime
    connected: bool
    services: tuple[Status, ...] = ()
    heard: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    """When the page heard what each service's status says now: the service said it then, or before."""
    model: str = ""
    stored: Stored | None = None
    why: str = ""
    troubles: list[str] = field(default_factory=list)


class Watch:
    """The thread, while the `with` block lasts. `failed` is called when it ends by a defect of its own."""

    def __init__(self, settings: Settings, failed: Callable[[], None] = lambda: None) -> None:
        self._settings = settings
        self._failed = failed
        topics = Topics(settings.broker.root)
        self._reader = Reader(settings, [topics.status(), topics.model()], name="dashboard")
        self._services: dict[tuple[str, str], Status] = {}
        self._heard: dict[tuple[str, str], datetime] = {}
        self._model = ""
        self._present = Present(datetime.now(UTC), connected=False)
        self._looked_at = float("-inf")
        self._stopping = threading.Event()
        self._fresh = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Listen no more."""
        self._stopping.set()
        self._thread.join(5.0)

    def present(self) -> Present:
        """Return the newest moment; who comes after a pause waits for one, a second at most."""
        idle = time.monotonic() - self._looked_at > LOOKING_S
        self._looked_at = time.monotonic()
        if idle:
            self._fresh.clear()
            self._fresh.wait(1.0)
        return self._present

    @property
    def capabilities(self) -> Capabilities:
        """What the broker said of itself at the latest connect."""
        return self._reader.connection.capabilities

    def _run(self) -> None:
        try:
            with self._reader:
                self._listen()
        finally:
            if not self._stopping.is_set():
                self._failed()

    def _listen(self) -> None:
        next_look = 0.0
        while not self._stopping.is_set():
            self._hear()
            now = time.monotonic()
            if now - self._looked_at <= LOOKING_S and (now >= next_look or not self._fresh.is_set()):
                next_look = now + LOOK_S
                self._present = self._moment()
                self._fresh.set()

    def _hear(self) -> None:
        for _, message in self._reader.hear(HEAR_S):
            if isinstance(message, Status):
                key = message.service, message.instance
                if self._services.get(key) != message:
                    self._services[key], self._heard[key] = message, datetime.now(UTC)
            elif isinstance(message, ModelAnnouncement):
                self._model = message.version

    def _moment(self) -> Present:
        at, connected = datetime.now(UTC), self._reader.connected
        services = tuple(self._services[key] for key in sorted(self._services)) if connected else ()
        try:
            stored, why = self._ask(at), ""
        except SettingsError as problem:
            stored, why = None, str(problem)
        troubles = self._troubles(at, services, stored) if connected else []
        return Present(at, connected, services, dict(self._heard), self._model, stored, why, troubles)

    def _troubles(self, at: datetime, services: tuple[Status, ...], stored: Stored | None) -> list[str]:
        told = [_as_dict(one) for one in services]
        canaries = None if stored is None else [asdict(one) for one in stored.canaries]
        every_s = self._settings.ingest_agent.canary_s
        return standstill(told, canaries, every_s, at)

    def _ask(self, at: datetime) -> Stored:
        with queries.reading(self._settings.store) as connection:
            latest = browsing.latest(connection, limit=SHOWN)
            hour, minute = browsing.images_since(connection, [at - HOUR, at - MINUTE])
            return Stored(
                canaries=queries.canaries(connection),
                alerts=queries.alerts(connection, state="open", limit=ALERTS),
                open_alerts=queries.count_open_alerts(connection),
                backlog=browsing.backlog(connection),
                last_hour=hour,
                last_minute=minute,
                jobs=job_list.count_jobs(connection),
                latest=latest,
                pictures=browsing.pictures(connection, latest),
                folders=dropped.folders(connection, {one.job_id for one in latest}),
            )


def _as_dict(status: Status) -> dict[str, Any]:
    names = ("service", "instance", "state", "since", "detail")
    return {name: getattr(status, name) for name in names}
