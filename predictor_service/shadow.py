"""A model on trial: it sees every batch beside the line, answers under a topic of its own, and nobody waits.

The broker must never keep anything for it. So a batch is acknowledged as it comes; what the model cannot keep
up with is passed over, oldest first; and whatever goes wrong costs the batch and one line in the event log.
"""

from collections import deque

from broker.errors import MessageError, Unreachable
from broker.line import Line
from broker.messages import PixelBatch, PredictionBatch, ShadowBatch, decode
from broker.topics import is_canary
from predictor_service.answers import Model
from predictor_service.service import GROUP_BATCHES, GROUP_IMAGES, predicted

TAKE = 1000
BACKLOG_BYTES = 16_777_216
"""Pixels that may wait for the model: some seconds' worth, and little beside the model itself."""
BEHIND = "shadow-behind"
FAILED = "shadow-failed"


class Shadow:
    """A predictor beside the line. Nothing that it does, or fails to do, is seen by the line."""

    def __init__(self, line: Line, model: Model, backlog_bytes: int = BACKLOG_BYTES) -> None:
        self.model = model
        self._line = line
        self._limit_bytes = backlog_bytes
        self._backlog: deque[PixelBatch] = deque()
        self._waiting_bytes = 0

    def step(self, timeout_s: float = 1.0) -> None:
        """Take what came, and answer one group of what waits."""
        for delivery in self._line.receive(limit=TAKE, timeout_s=0.0 if self._backlog else timeout_s):
            self._line.acknowledge(delivery)
            try:
                batch = decode(PixelBatch, delivery.payload, delivery.content_type)
            except MessageError:
                continue  # the line's own predictors put it aside
            if self._takes(batch, delivery.topic):
                self._backlog.append(batch)
                self._waiting_bytes += len(batch.pixels)
        self._pass_over()
        if group := self._group():
            self._answer(group)
        elif not self._backlog:
            self._line.end(BEHIND, f"{self.model.version} keeps up again")

    def _takes(self, batch: PixelBatch, topic: str) -> bool:
        source = batch.source
        fits = batch.shape[1:] == (self.model.input.height, self.model.input.width)
        return fits and source == self._line.topics.last(topic) and not is_canary(source)

    def _pass_over(self) -> None:
        while self._waiting_bytes > self._limit_bytes and len(self._backlog) > 1:
            self._waiting_bytes -= len(self._backlog.popleft().pixels)
            self._line.begin(BEHIND, f"{self.model.version} is slower than the line: batches are passed over")

    def _group(self) -> list[PixelBatch]:
        """Return what goes into one call of the model."""
        group: list[PixelBatch] = []
        room = GROUP_IMAGES
        while self._backlog and len(group) < GROUP_BATCHES:
            room -= len(self._backlog[0].images)
            if group and room < 0:
                break
            batch = self._backlog.popleft()
            self._waiting_bytes -= len(batch.pixels)
            group.append(batch)
        return group

    def _answer(self, group: list[PixelBatch]) -> None:
        try:
            for answer in predicted(group, self.model, self._line.instance):
                self._line.publish(self._line.topics.shadows(answer.source), shadow_of(answer))
        except Unreachable:
            return  # the line goes on without it, and so does this
        except Exception as error:  # noqa: BLE001 - whatever an engine raises, the next batch is another
            self._line.begin(FAILED, f"{self.model.version}: {type(error).__name__}: {error}")
        else:
            self._line.end(FAILED, f"{self.model.version} answers again")


def shadow_of(answer: PredictionBatch) -> ShadowBatch:
    """Return an answer as that of a model on trial."""
    return ShadowBatch(**{name: getattr(answer, name) for name in answer.__struct_fields__})
