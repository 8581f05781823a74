"""Wishes for another model that the page publishes: one predictor of the machine takes each, once.

What takes long, the gate's measuring, runs in a process of its own, and a thread here waits for it: the
predictor goes on. Each wish is answered when it is taken and when it is decided.
"""

import contextlib
import hashlib
import socket
import threading
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal, Self

from broker.connection import Delivery
from broker.errors import MessageError, Unreachable
from broker.line import Line
from broker.logs import Level
from broker.messages import ModelAnswer, ModelRequest, decode, now
from broker.settings import Model
from model.manifest import bundles_folder
from model.measuring import Measuring
from predictor_service.verdicts import Measure, Verdicts

STALE_S = 15.0
"""How old a wish may be: less than the page waits for a word, so that none is done that was given up."""
MEASURE_S = 240.0
REMEMBERED = 200
NOBODY = "somebody at this machine"


@dataclass(frozen=True)
class Place:
    """A machine, and a folder of bundles on it."""

    host: str
    bundles: str

    @property
    def mark(self) -> str:
        """A name for it that may stand in a group's."""
        return hashlib.sha256(f"{self.host}\n{self.bundles}".encode()).hexdigest()[:12]


def place_of(settings: Model) -> Place:
    """Return where this machine's bundles lie."""
    return Place(socket.gethostname(), str(bundles_folder(settings.bundle)))


class Promotions:
    """What one predictor does for the page; a context manager, for the thread of the line's loop."""

    def __init__(self, line: Line, settings: Model, measure: Measure | None = None) -> None:
        self._line = line
        self._place = place_of(settings)
        self._measuring = Measuring(settings.engine, settings.threads, MEASURE_S)
        self._verdicts = Verdicts(settings, measure or self._measuring)
        self._seen: deque[str] = deque(maxlen=REMEMBERED)
        self._thread: threading.Thread | None = None
        self._request: ModelRequest | None = None
        self._answer: ModelAnswer | None = None
        self._unsent: deque[ModelAnswer] = deque(maxlen=REMEMBERED)

    def __enter__(self) -> Self:
        """Nothing is begun before somebody wishes."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what is being measured, so that nothing is promoted by it."""
        self._measuring.close()
        if self._thread is not None:
            self._thread.join(1.0)

    def take(self, delivery: Delivery) -> None:
        """Begin what is asked for, or say why not; acknowledged at once, so that nobody does it later."""
        try:
            request = decode(ModelRequest, delivery.payload, delivery.content_type)
        except MessageError as error:
            with contextlib.suppress(Unreachable):  # the broker still has the message, and gives it again
                self._line.reject(delivery, "invalid", str(error))
            return
        self._line.acknowledge(delivery)
        if Place(request.host, request.bundles) != self._place or request.request_id in self._seen:
            return
        self._seen.append(request.request_id)
        if why := self._refusal(request):
            self._end(request, _answer(request, "refused", why))
            return
        self._send(_answer(request, "taken"))
        self._request = request
        self._thread = threading.Thread(target=self._decide, args=(request,), daemon=True)
        self._thread.start()

    def _refusal(self, request: ModelRequest) -> str:
        age_s = (datetime.now(UTC) - datetime.fromisoformat(request.requested_at)).total_seconds()
        if abs(age_s) > STALE_S:
            return f"it was asked {age_s:.0f} s ago; ask again"
        if self._thread is not None:
            return "another wish is being looked at; ask again when it is answered"
        return ""

    def _decide(self, request: ModelRequest) -> None:
        try:
            self._answer = self._verdicts.on(request)
        finally:
            self._line.wake()

    def step(self) -> None:
        """Say what was decided, if anything was. Cheap; call it often."""
        if self._thread is not None and not self._thread.is_alive() and self._request is not None:
            answer = self._answer or _answer(self._request, "refused", "a defect of the predictor ended it")
            self._end(self._request, answer)
            self._thread = self._request = self._answer = None
        elif self._unsent:
            self._flush()

    def _end(self, request: ModelRequest, answer: ModelAnswer) -> None:
        self._tell(request, answer)
        self._send(answer)

    def _send(self, answer: ModelAnswer) -> None:
        self._unsent.append(answer)
        self._flush()

    def _flush(self) -> None:
        while self._unsent:
            try:
                self._line.publish(self._line.topics.model_answers(), self._unsent[0])
            except Unreachable:
                return
            self._unsent.popleft()

    def _tell(self, request: ModelRequest, answer: ModelAnswer) -> None:
        """Write into the event log what was done, by whom, and what that overrode."""
        level, event, detail = told(request, answer)
        if request.action == "try":
            self._line.log(level, event, detail=detail)
        else:
            self._line.event(level, event, detail)


def told(request: ModelRequest, answer: ModelAnswer) -> tuple[Level, str, str]:
    """Return the event of an answer: its level, its word and one sentence."""
    by = request.by or NOBODY
    against = "; ".join(answer.objections)
    if answer.state == "refused":
        why = "; ".join(filter(None, [answer.detail, against]))
        return "warning", "model-not-promoted", f"{request.version}, asked for by {by}: {why}"
    if request.action == "try":
        return "info", "model-tried", f"{request.version}, by {by}: {against or 'the gate lets it pass'}"
    if request.action == "rollback":
        return "info", "model-rolled-back", f"from {request.current} to {answer.current}, by {by}"
    said = f"{request.version} in the place of {request.current}, by {by}"
    if against:
        return "warning", "model-promoted", f"{said}; overridden: {against}"
    return "info", "model-promoted", said


def _answer(request: ModelRequest, state: Literal["taken", "refused"], detail: str = "") -> ModelAnswer:
    return ModelAnswer(
        request_id=request.request_id,
        action=request.action,
        version=request.version,
        state=state,
        answered_at=now(),
        detail=detail,
    )
