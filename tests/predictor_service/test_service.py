"""The predictor on an in-memory line."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from broker.connection import Capabilities, Delivery
from broker.line import Line
from broker.memory import MemoryBroker, MemoryConnection
from broker.messages import MSGPACK_TYPE, Event, PixelBatch, PredictionBatch, Reject, decode, encode
from broker.topics import Topics
from model.classifier import Classified
from model.preprocessing import InputSpec
from predictor_service.poison import PoisonNotes
from predictor_service.service import GROUP_IMAGES, Predictor, Work, groups

TOPICS = Topics("t")
CLASSES = ("Trouser", "Bag")


class Brightness:
    """A model that says Bag to bright pictures; it fails on one whose first pixel is 13."""

    version = "bright-1"
    classes: tuple[str, ...] = CLASSES
    input = InputSpec()

    def __init__(self) -> None:
        """Remember the size of each call."""
        self.calls: list[int] = []

    def classify(self, pixels: NDArray[np.uint8]) -> Classified:
        """Answer by mean brightness."""
        self.calls.append(len(pixels))
        if (pixels[:, 0, 0] == 13).any():
            raise RuntimeError("thirteen")
        bright = pixels.mean(axis=(1, 2)).astype(np.float32) / 255
        probabilities = np.stack([1 - bright, bright], axis=1)
        n = len(pixels)
        return Classified(probabilities, probabilities.argmax(axis=1), ["ok"] * n, [()] * n)


def batch(batch_id: str, values: Sequence[int], source: str = "shop", **more: Any) -> PixelBatch:
    """Return a batch with one evenly gray image a value."""
    pixels = b"".join(bytes([value]) * 784 for value in values)
    names = tuple(f"{batch_id}-{i}.png" for i in range(len(values)))
    return PixelBatch(
        batch_id=batch_id, source=source, images=names, shape=(len(values), 28, 28), pixels=pixels, **more
    )


class Bench:
    """A predictor between a publisher and a subscriber."""

    def __init__(self, folder: Path) -> None:
        self.broker = MemoryBroker()
        self.model = Brightness()
        self.outside = self._client("outside", ["t/v1/predictions/+", "t/v1/rejects/+", "t/v1/answers/+"])
        self.inside = self._client("predictor", [TOPICS.shared(TOPICS.pixels())])
        self.line = Line(self.inside, TOPICS, service="predictor_service", instance="1")
        self.notes = PoisonNotes(folder, "1")
        self.predictor = Predictor(self.line, self.model, self.notes)

    def _client(self, name: str, subscriptions: list[str]) -> MemoryConnection:
        return self.broker.connect(name, subscriptions)

    def publish(self, message: PixelBatch, **properties: str | bytes) -> None:
        """Publish a pixel batch from outside."""
        topic = TOPICS.pixels(message.source)
        self.outside.publish(topic, encode(message), content_type=MSGPACK_TYPE, **properties)  # type: ignore[arg-type]

    def answers(self) -> list[Delivery]:
        """Return what came out, acknowledged."""
        found = [item for item in self.outside.receive(1000, 0.0) if isinstance(item, Delivery)]
        for delivery in found:
            self.outside.acknowledge(delivery)
        return found

    def run(self, steps: int = 5) -> list[Delivery]:
        """Let the predictor work and return what came out."""
        for _ in range(steps):
            self.predictor.step(0.0)
        return self.answers()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A predictor that has just come online."""
    made = Bench(tmp_path)
    made.outside.start()
    with made.line, made.notes:
        made.predictor.step(0.0)
        yield made


def test_pixels_are_handed_on_to_be_kept(tmp_path: Path) -> None:
    """The batch as it came goes to the store before its predictions; a canary's goes nowhere."""
    made = Bench(tmp_path)
    keeper = made.broker.connect("keeper", [TOPICS.inputs(), TOPICS.predictions()])
    keeper.start()
    made.outside.start()
    made.predictor = Predictor(made.line, made.model, made.notes, keep_pixels=True)
    with made.line, made.notes:
        made.predictor.step(0.0)
        sent = batch("b1", [0, 255], job_id="j1")
        made.publish(sent)
        made.publish(batch("b2", [0], job_id="canary", source="canary-shop"))
        made.run()

    found = [item for item in keeper.receive(100, 0.0) if isinstance(item, Delivery)]
    assert [TOPICS.inputs("shop"), TOPICS.predictions("shop"), TOPICS.predictions("canary-shop")] == [
        item.topic for item in found
    ]
    assert sent == decode(PixelBatch, found[0].payload, found[0].content_type)


def test_step_answers_every_image(bench: Bench) -> None:
    """Label, confidence and every class's probability come out, in the batch's order, with the timings."""
    bench.publish(batch("b1", [0, 255], job_id="j1", timings={"read": 0.5}))
    (answer,) = bench.run()
    found = decode(PredictionBatch, answer.payload)
    assert ("b1", "j1", "shop", "bright-1", "1") == (
        found.batch_id,
        found.job_id,
        found.source,
        found.model_version,
        found.predictor,
    )
    assert [("b1-0.png", "Trouser", 1.0), ("b1-1.png", "Bag", 1.0)] == [
        (p.image, p.label, p.confidence) for p in found.predictions
    ]
    assert {"Trouser": 0.0, "Bag": 1.0} == found.predictions[1].probabilities
    assert {"read", "predict"} == set(found.timings)


def test_step_acknowledges_after_publishing(bench: Bench) -> None:
    """Nothing stays unacknowledged once the predictions are out."""
    bench.publish(batch("b1", [1]))
    bench.run()
    assert {} == bench.inside.unacknowledged


def test_step_predicts_what_waits_in_one_call(bench: Bench) -> None:
    """Small batches that wait together cost one call of the model."""
    for i in range(5):
        bench.publish(batch(f"b{i}", [i, i]))
    found = [decode(PredictionBatch, answer.payload) for answer in bench.run()]
    assert ["b0", "b1", "b2", "b3", "b4"] == [one.batch_id for one in found]
    assert [10] == bench.model.calls


def test_step_answers_at_the_response_topic_too(bench: Bench) -> None:
    """A publisher that asks for an answer gets it there, with its own mark."""
    bench.publish(batch("b1", [9]), response_topic="t/v1/answers/shop", correlation_data=b"mark")
    found = {answer.topic: answer for answer in bench.run()}
    assert {"t/v1/predictions/shop", "t/v1/answers/shop"} == set(found)
    assert b"mark" == found["t/v1/answers/shop"].correlation_data


@pytest.mark.parametrize(
    "topic",
    ["t/v1/predictions/other", "t/v1/answers/other", "t/v1/answers/shop2", "t/v1/answersx", "elsewhere"],
)
def test_step_answers_at_no_other_topic(bench: Bench, topic: str) -> None:
    """An answer is for the asker's own topic; whoever names another's gets none, and an event tells."""
    watcher = bench.broker.connect("watcher", ["#"])
    watcher.start()
    bench.publish(batch("b1", [9]), response_topic=topic)
    assert [TOPICS.predictions("shop")] == [answer.topic for answer in bench.run()]
    heard = [item for item in watcher.receive(1000, 0.0) if isinstance(item, Delivery)]
    told = [decode(Event, one.payload).event for one in heard if TOPICS.kind(one.topic) == "events"]
    assert (["no-answer"], False) == (told, topic in {one.topic for one in heard})


def test_step_takes_json_with_numbers(bench: Bench) -> None:
    """A client without MessagePack publishes JSON, pixels as numbers."""
    fields = {
        "batch_id": "j",
        "source": "shop",
        "images": ["a"],
        "shape": [1, 28, 28],
        "pixels": [[[255] * 28] * 28],
    }
    bench.outside.publish(TOPICS.pixels("shop"), json.dumps(fields).encode(), content_type="application/json")
    (answer,) = bench.run()
    assert "Bag" == decode(PredictionBatch, answer.payload).predictions[0].label


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (batch("b", [1], source="other"), "stands on another's topic"),
        (
            PixelBatch(batch_id="b", source="shop", images=("a",), shape=(1, 2, 2), pixels=b"1234"),
            "the model takes",
        ),
    ],
)
def test_step_rejects_what_does_not_fit(bench: Bench, message: PixelBatch, words: str) -> None:
    """A batch under another's name or of another shape is put aside at once, and the line goes on."""
    bench.outside.publish(TOPICS.pixels("shop"), encode(message))
    bench.publish(batch("good", [1]))
    found = {TOPICS.kind(answer.topic): answer for answer in bench.run()}
    assert words in decode(Reject, found["rejects"].payload).detail
    assert "good" == decode(PredictionBatch, found["predictions"].payload).batch_id


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payload=st.binary(max_size=300))
def test_step_rejects_any_other_bytes(bench: Bench, payload: bytes) -> None:
    """Whatever comes on the topic, one reject comes out and nothing stays behind."""
    bench.outside.publish(TOPICS.pixels("shop"), payload)
    assert [TOPICS.rejects("predictor_service")] == [answer.topic for answer in bench.run(1)]
    assert {} == bench.inside.unacknowledged


def test_step_puts_poison_aside_and_keeps_the_others(bench: Bench) -> None:
    """A batch on which the model fails is named in a reject with its images; its neighbours are predicted."""
    bench.publish(batch("good", [1]))
    bench.publish(batch("bad", [13]))
    bench.publish(batch("fine", [2]))
    found = bench.run()
    done = {decode(PredictionBatch, one.payload).batch_id for one in found if "predictions" in one.topic}
    (reject,) = [decode(Reject, one.payload) for one in found if "rejects" in one.topic]
    assert {"good", "fine"} == done
    assert ("poison", "bad", ("bad-0.png",)) == (reject.reason, reject.batch_id, reject.images)
    assert not bench.notes.suspicious("good")


def test_step_puts_poison_aside_whose_names_are_too_large(bench: Bench) -> None:
    """A reject that is larger than the broker takes comes in several; the batch leaves the line."""
    names = tuple(f"{n:04d}" + '"' * 900 for n in range(840))
    pixels = bytes([13]) * (784 * len(names))
    bad = PixelBatch(batch_id="bad", source="shop", images=names, shape=(840, 28, 28), pixels=pixels)
    bench.publish(bad)
    bench.broker.capabilities = Capabilities(maximum_packet_size=100_000)
    rejects = [decode(Reject, one.payload) for one in bench.run() if "rejects" in one.topic]
    assert names == tuple(image for reject in rejects for image in reject.images)
    assert {("bad", "bad", "shop")} == {(one.batch_id, one.job_id, one.source) for one in rejects}
    assert ({}, False) == (bench.inside.unacknowledged, bench.notes.suspicious("bad"))


def test_step_broker_away_leaves_the_batch_to_the_agent(bench: Bench) -> None:
    """When the broker goes while a batch is predicted, nothing fails and nothing is put aside."""
    bench.publish(batch("b1", [1]))
    classify = bench.model.classify

    def and_lose(pixels: NDArray[np.uint8]) -> Classified:
        bench.broker.go_away()
        return classify(pixels)

    bench.model.classify = and_lose  # type: ignore[method-assign]
    bench.run()
    bench.broker.come_back()
    bench.model.classify = classify  # type: ignore[method-assign]
    bench.run(1)
    bench.publish(batch("b1", [1]))
    assert [TOPICS.predictions("shop")] == [one.topic for one in bench.run()]


def test_groups_bound_the_images_of_a_call() -> None:
    """No group holds more than GROUP_IMAGES images unless one batch alone does."""
    works = [Work(Delivery("t", b""), batch(f"b{i}", [0] * 400)) for i in range(6)]
    sizes = [sum(len(w.batch.images) for w in group) for group in groups(works, alone=lambda _id: False)]
    assert [800, 800, 800] == sizes
    assert max(sizes) <= GROUP_IMAGES


def test_groups_leave_a_suspicious_batch_alone() -> None:
    """A batch that has failed before shares its call with no other."""
    works = [Work(Delivery("t", b""), batch(f"b{i}", [0])) for i in range(4)]
    found = groups(works, alone=lambda batch_id: batch_id == "b1")
    assert [["b0"], ["b1"], ["b2", "b3"]] == [[w.batch.batch_id for w in group] for group in found]
