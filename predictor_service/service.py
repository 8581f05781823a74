"""The loop: take what waits, predict it in one call, publish, acknowledge."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from broker.connection import Delivery
from broker.errors import MessageError, Unreachable
from broker.line import Line
from broker.messages import PixelBatch, PredictionBatch, decode
from broker.topics import is_canary
from predictor_service.answers import Model, answer, part_of, pixels_of
from predictor_service.figures import PredictorFigures
from predictor_service.poison import PoisonNotes

GROUP_BATCHES = 32
GROUP_IMAGES = 1024
"""More images in one call gain no speed, and hold up the first of them."""


@dataclass(frozen=True)
class Work:
    """One delivery and the valid batch in it."""

    delivery: Delivery
    batch: PixelBatch


class Predictor:
    """One predictor on the line. `model` may be replaced between two steps."""

    def __init__(self, line: Line, model: Model, notes: PoisonNotes, *, keep_pixels: bool = False) -> None:
        self.model = model
        self.figures = PredictorFigures(line)
        self.keep_pixels = keep_pixels
        """Whether batches' pixels are published as well, for the store to keep."""
        self.on_request: Callable[[Delivery], None] = line.acknowledge
        """What takes a delivery that is no pixels, but somebody's wish for another model."""
        self._line = line
        self._notes = notes

    def step(self, timeout_s: float = 1.0) -> int:
        """Do what waits, at most one group of it; return how many deliveries there were."""
        deliveries = self._line.receive(limit=GROUP_BATCHES, timeout_s=timeout_s)
        self._line.health.waiting_since = min((one.arrived for one in deliveries), default=None)
        pixels = [one for one in deliveries if not self._is_request(one)]
        works = [work for delivery in pixels if (work := self._open(delivery)) is not None]
        for group in groups(works, alone=self._notes.suspicious):
            self._do(group)
            self._tell_trouble()
            self._line.turned()
        self._line.health.waiting_since = None
        return len(deliveries)

    def _is_request(self, delivery: Delivery) -> bool:
        """Hand on what is no pixels, and tell whether it was."""
        if self._line.topics.kind(delivery.topic) != "model-requests":
            return False
        self.on_request(delivery)
        return True

    def _tell_trouble(self) -> None:
        if self._notes.trouble:
            self._line.begin("notes-not-written", f"{self._notes.trouble}: predicting goes on without")
        else:
            self._line.end("notes-not-written", "notes of failures are written again")

    def _open(self, delivery: Delivery) -> Work | None:
        """Return the batch of a delivery, or reject it and return None."""
        try:
            batch = decode(PixelBatch, delivery.payload, delivery.content_type)
            self._check(batch, delivery)
        except MessageError as error:
            self._reject(delivery, "invalid", str(error))
            return None
        if self._notes.poisonous(batch.batch_id):
            self._put_aside(Work(delivery, batch), "it failed too often while it was predicted")
            return None
        return Work(delivery, batch)

    def _check(self, batch: PixelBatch, delivery: Delivery) -> None:
        taken = (self.model.input.height, self.model.input.width)
        if batch.shape[1:] != taken:
            raise MessageError(f"PixelBatch: the model takes {taken} pixels, not {batch.shape[1:]}")
        if batch.source != self._line.topics.last(delivery.topic):
            raise MessageError(f"PixelBatch: source {batch.source!r} stands on another's topic")

    def _reject(self, delivery: Delivery, reason: str, detail: str) -> None:
        try:
            self._line.reject(delivery, reason, detail)
        except Unreachable:
            return  # the broker still has the message, and gives it again

    def _put_aside(self, work: Work, detail: str) -> None:
        batch = work.batch
        try:
            self._line.reject(
                work.delivery,
                "poison",
                detail,
                batch_id=batch.batch_id,
                job_id=batch.job_id,
                source=batch.source,
                images=batch.images,
            )
        except Unreachable:
            return
        self._notes.forgive(batch.batch_id)

    def _do(self, group: Sequence[Work]) -> None:
        self._notes.begin([work.batch.batch_id for work in group])
        began = time.monotonic()
        try:
            answers = self.predict([work.batch for work in group])
        except Exception as error:  # noqa: BLE001 - whatever an engine raises is counted against the batch
            self._failed(group, error)
        else:
            self.figures.infer.observe(time.monotonic() - began)
            for work, predictions in zip(group, answers, strict=True):
                self._publish(work, predictions, began - work.delivery.arrived)
        self._notes.done()

    def predict(self, batches: Sequence[PixelBatch]) -> list[PredictionBatch]:
        """Predict several batches in one call of the model."""
        return predicted(batches, self.model, self._line.instance)

    def _failed(self, group: Sequence[Work], error: Exception) -> None:
        detail = f"{type(error).__name__}: {error}"
        self.figures.failures.inc()
        self._line.event("error", "prediction-failed", detail, batch_id=group[0].batch.batch_id)
        for work in group:
            self._notes.failed(work.batch.batch_id)
        self._line.turned()
        for work in group:  # each alone: one bad batch must not take the others along
            if self._notes.poisonous(work.batch.batch_id):
                self._put_aside(work, detail)
            else:
                self._do([work])

    def _publish(self, work: Work, predictions: PredictionBatch, queue_s: float) -> None:
        topics, delivery = self._line.topics, work.delivery
        try:
            if self.keep_pixels and not is_canary(predictions.source):
                self._line.publish(topics.inputs(predictions.source), work.batch)
            self._line.publish(topics.predictions(predictions.source), predictions)
        except Unreachable:
            return  # without an acknowledgement the agent sends the batch again
        except MessageError as error:
            self._put_aside(work, str(error))
            return
        self._answer(delivery, predictions)
        if self._notes.suspicious(predictions.batch_id):
            self._notes.forgive(predictions.batch_id)
        self._line.acknowledge(delivery)
        self.figures.answered(predictions, queue_s)

    def _answer(self, delivery: Delivery, predictions: PredictionBatch) -> None:
        """Answer a request at its response topic too; what goes wrong there is the asker's own matter."""
        if not delivery.response_topic:
            return
        own = self._line.topics.answers(predictions.source)
        if delivery.response_topic != own and not delivery.response_topic.startswith(f"{own}/"):
            # A predictor may publish what its client may not, such as what others wait for.
            detail = (
                f"{delivery.response_topic}: answers to {predictions.source} go to {own} or below it only"
            )
            self._line.event("warning", "no-answer", detail)
            return
        try:
            self._line.publish(
                delivery.response_topic, predictions, correlation_data=delivery.correlation_data
            )
        except (Unreachable, MessageError, ValueError) as error:
            self._line.event("warning", "no-answer", f"{delivery.response_topic}: {error}")


def predicted(batches: Sequence[PixelBatch], model: Model, predictor: str) -> list[PredictionBatch]:
    """Predict several batches in one call of the model."""
    pixels = [pixels_of(batch) for batch in batches]
    began = time.monotonic()
    whole = model.classify(pixels[0] if len(pixels) == 1 else np.concatenate(pixels))
    predict_s = time.monotonic() - began
    answers, first = [], 0
    for batch in batches:
        count = len(batch.images)
        part = part_of(whole, first, count)
        answers.append(answer(batch, part, model, predictor, predict_s * count / len(whole.labels)))
        first += count
    return answers


def groups(works: Sequence[Work], *, alone: Callable[[str], bool]) -> list[list[Work]]:
    """Put batches together up to GROUP_IMAGES images; a suspicious one stays alone. The order is kept."""
    found: list[list[Work]] = []
    room = 0
    for work in works:
        count = len(work.batch.images)
        single = alone(work.batch.batch_id)
        if not found or single or count > room:
            found.append([])
            room = GROUP_IMAGES
        found[-1].append(work)
        room = 0 if single else room - count
    return found
