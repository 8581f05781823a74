"""Asks the machine's predictors for another model, with the account `dashboard`; one wish at a time.

Everybody who looks sees the wish that is under way, and what became of the last one.
"""

import contextlib
import os
import secrets
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from broker.clients import client
from broker.connection import Connection, Delivery, Notice
from broker.errors import MessageError, SettingsError, Unreachable
from broker.messages import ModelAnswer, ModelRequest, decode, encode, now
from broker.settings import Settings
from broker.topics import Topics

Action = Literal["try", "promote", "rollback"]
CONNECT_S = 10.0
"""How long the broker may take to let the page in."""
TAKEN_S = 20.0
"""How long a predictor may take to say that it has begun; it begins nothing older than 15 s."""
DECIDED_S = 270.0
"""How long measuring may take: a little longer than the predictor gives it."""
TURN_S = 0.25
NEWS_S = 120.0
"""How long everybody is told what became of a promotion: the list of bundles says which one serves."""


class BusyError(Exception):
    """A wish is under way already; the text says whose."""


@dataclass(frozen=True)
class Asked:
    """A wish, how far it is, and what was answered; `said` is why nothing was. `at` is monotonic."""

    request: ModelRequest
    at: float
    phase: Literal["asking", "taken", "answered", "silent"] = "asking"
    answer: ModelAnswer | None = None
    said: str = ""
    over_at: float = 0.0

    @property
    def is_past(self) -> bool:
        """Whether what became of it is no news any more; what the gate says stands until the next wish."""
        return self.over and self.request.action != "try" and time.monotonic() - self.over_at > NEWS_S

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.phase in {"answered", "silent"}

    def is_try_of(self, version: str, current: str) -> bool:
        """Tell whether this says what the gate thinks of a version beside the one that serves."""
        asked = self.request
        return (asked.version, asked.current) == (version, current) and asked.action != "rollback"


class Desk:
    """The page's wishes; safe in any thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topics = Topics(settings.broker.root)
        self._lock = threading.Lock()
        self._asked: Asked | None = None

    @property
    def asked(self) -> Asked | None:
        """The latest wish, None before the first."""
        return self._asked

    def ask(
        self,
        action: Action,
        version: str,
        *,
        current: str,
        bundles: str,
        by: str,
        overrides: Sequence[str] = (),
    ) -> None:
        """Begin to ask. Raises BusyError while another wish is under way."""
        request = ModelRequest(
            request_id=secrets.token_hex(12),
            action=action,
            version=version,
            current=current,
            host=socket.gethostname(),
            bundles=bundles,
            by=by,
            requested_at=now(),
            overrides=tuple(overrides),
        )
        with self._lock:
            under_way = self._asked
            if under_way is not None and not under_way.over:
                whose = under_way.request.by or "somebody"
                raise BusyError(f"{whose} has asked about {under_way.request.version}, which is under way")
            self._asked = Asked(request, time.monotonic())
        threading.Thread(target=self._run, args=(request,), name="desk", daemon=True).start()

    def _run(self, request: ModelRequest) -> None:
        said = "a defect of the page ended it; whether anything was changed, the list of bundles tells"
        try:
            said = self._exchange(request)
        except (SettingsError, Unreachable, MessageError) as problem:
            said = f"{problem}; nothing was asked"
        finally:
            if said:
                self._now(phase="silent", said=said)

    def _now(self, **changed: object) -> None:
        if self._asked is not None:
            self._asked = replace(self._asked, over_at=time.monotonic(), **changed)  # type: ignore[arg-type]

    def _exchange(self, request: ModelRequest) -> str:
        """Publish, and wait for the last answer; return why there is none, "" when there is."""
        name = f"dashboard-{os.getpid()}-{secrets.token_hex(4)}"
        connection = client(self._settings, "dashboard", name, [self._topics.model_answers()])
        connection.start()
        try:
            if refused := _wait_connected(connection):
                return refused
            request = _stamped(request)
            connection.publish(
                self._topics.model_requests(), encode(request), content_type="application/json"
            )
            return self._heard(connection, request)
        finally:
            connection.stop(1.0)

    def _heard(self, connection: Connection, request: ModelRequest) -> str:
        deadline, taken = time.monotonic() + TAKEN_S, False
        while time.monotonic() < deadline:
            for item in connection.receive(100, TURN_S):
                if isinstance(item, Notice):
                    if item.kind == "not-authorised":
                        return "the broker lets the page ask for nothing: start it again, for its new account"
                    continue
                connection.acknowledge(item)
                answer = _decoded(item)
                if answer is None or answer.request_id != request.request_id:
                    continue
                if answer.state != "taken":
                    self._now(phase="answered", answer=answer)
                    return ""
                self._now(phase="taken", answer=answer)
                deadline, taken = time.monotonic() + DECIDED_S, True
        return _silence(request, taken=taken)


def _wait_connected(connection: Connection) -> str:
    """Wait until the broker has accepted the page; return why it has not, "" when it has."""
    deadline = time.monotonic() + CONNECT_S
    while not connection.connected:
        for item in connection.receive(10, 0.05):
            if isinstance(item, Notice) and item.kind == "refused":
                return f"the broker refuses the page: {item.detail}; nothing was asked"
        if time.monotonic() > deadline:
            return "the broker does not answer; nothing was asked"
    return ""


def _stamped(request: ModelRequest) -> ModelRequest:
    """Return the wish as it leaves: its age is counted from then."""
    fields = {name: getattr(request, name) for name in request.__struct_fields__}
    return ModelRequest(**{**fields, "requested_at": now()})


def _decoded(delivery: Delivery) -> ModelAnswer | None:
    with contextlib.suppress(MessageError):
        return decode(ModelAnswer, delivery.payload, delivery.content_type)
    return None


def _silence(request: ModelRequest, *, taken: bool) -> str:
    if taken:
        return (
            f"a predictor has begun and said nothing more for {DECIDED_S:.0f} s;"
            " whether anything was changed, the list of bundles tells"
        )
    return (
        f"no predictor of this machine has answered within {TAKEN_S:.0f} s, so nothing was changed as far as"
        f" is known; does one run here, with the bundles in {request.bundles}?"
    )
