"""A model on trial, on an in-memory line beside a predictor that serves."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from broker.connection import Delivery
from broker.line import Line
from broker.memory import MemoryBroker
from broker.messages import MSGPACK_TYPE, Event, PixelBatch, ShadowBatch, decode, encode
from broker.topics import Topics
from model.classifier import Classified
from predictor_service.__main__ import main
from predictor_service.poison import PoisonNotes
from predictor_service.service import Predictor
from predictor_service.shadow import Shadow
from tests.predictor_service.test_service import Brightness, batch

TOPICS = Topics("t")


class Contrary(Brightness):
    """A model on trial that thinks the opposite."""

    version = "contrary-2"

    def classify(self, pixels: NDArray[np.uint8]) -> Classified:
        """Answer by mean darkness."""
        return super().classify(np.asarray(255 - pixels, dtype=np.uint8))


class Bench:
    """A predictor and a shadow between a publisher and a subscriber."""

    def __init__(self, folder: Path) -> None:
        self.broker = MemoryBroker()
        self.outside = self.broker.connect("outside", ["t/v1/#"])
        inside = self.broker.connect("predictor", [TOPICS.shared(TOPICS.pixels())])
        self.line = Line(inside, TOPICS, service="predictor_service", instance="1")
        self.notes = PoisonNotes(folder, "1")
        self.predictor = Predictor(self.line, Brightness(), self.notes)
        self.beside = self.broker.connect("shadow", [TOPICS.pixels()])
        self.shadow_line = Line(self.beside, TOPICS, service="predictor_service", instance="shadow")
        self.model = Contrary()
        self.shadow = Shadow(self.shadow_line, self.model, backlog_bytes=784 * 4)

    def publish(self, *messages: PixelBatch) -> None:
        """Publish pixel batches from outside."""
        for message in messages:
            self.outside.publish(TOPICS.pixels(message.source), encode(message), content_type=MSGPACK_TYPE)

    def run(self) -> dict[str, list[Delivery]]:
        """Let both work and return what came out, by kind."""
        for _ in range(5):
            self.predictor.step(0.0)
            self.shadow.step(0.0)
        found: dict[str, list[Delivery]] = {}
        for item in self.outside.receive(1000, 0.0):
            if isinstance(item, Delivery):
                self.outside.acknowledge(item)
                found.setdefault(TOPICS.kind(item.topic), []).append(item)
        return found

    def words(self, found: dict[str, list[Delivery]]) -> list[str]:
        """Return the words of the events among what came out."""
        return [decode(Event, one.payload).event for one in found.get("events", [])]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Both have just come online."""
    made = Bench(tmp_path)
    made.outside.start()
    with made.line, made.notes, made.shadow_line:
        made.run()
        yield made


def test_shadow_answers_the_same_batch_beside_the_line(bench: Bench) -> None:
    """Once each: the prediction on its topic, the trial's answer on its own."""
    bench.publish(batch("b1", [0, 255], job_id="j1"))
    found = bench.run()
    (answer,) = [decode(ShadowBatch, one.payload) for one in found["shadows"]]
    assert ["t/v1/shadows/shop"] == [one.topic for one in found["shadows"]]
    assert ("b1", "j1", "shop", "contrary-2", "shadow") == (
        answer.batch_id,
        answer.job_id,
        answer.source,
        answer.model_version,
        answer.predictor,
    )
    assert ["Bag", "Trouser"] == [p.label for p in answer.predictions]
    assert 1 == len(found["predictions"])
    assert "model" not in found


def test_shadow_never_answers_a_request(bench: Bench) -> None:
    """The response topic hears the model that serves, and nobody else."""
    bench.outside.publish(TOPICS.pixels("shop"), encode(batch("b1", [9])), response_topic="t/v1/answers/shop")
    assert 1 == len(bench.run()["answers"])


def test_shadow_passes_canaries_over(bench: Bench) -> None:
    """They ask whether the line flows, which a trial cannot say."""
    bench.publish(batch("b1", [1], source="canary-shop"))
    found = bench.run()
    assert {"pixels", "predictions"} == set(found)


def test_shadow_leaves_poison_to_the_line(bench: Bench) -> None:
    """A batch on which its model fails is one event; the line has answered it, and the next one goes on."""
    bench.publish(batch("bad", [255 - 13]))
    found = bench.run()
    assert ["shadow-failed"] == bench.words(found)
    assert {"pixels", "predictions", "events"} == set(found)
    bench.publish(batch("good", [1]))
    found = bench.run()
    assert (1, ["shadow-failed-over"]) == (len(found["shadows"]), bench.words(found))


def test_shadow_that_is_too_slow_passes_batches_over(bench: Bench) -> None:
    """The newest four images wait at most; nothing stays at the broker."""
    bench.publish(*[batch(f"b{i}", [i, i]) for i in range(5)])
    found = bench.run()
    assert ["b3", "b4"] == [decode(ShadowBatch, one.payload).batch_id for one in found["shadows"]]
    assert ["shadow-behind", "shadow-behind-over"] == bench.words(found)
    assert {} == bench.beside.unacknowledged
    assert 5 == len(found["predictions"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payload=st.binary(max_size=300))
def test_shadow_acknowledges_any_other_bytes(bench: Bench, payload: bytes) -> None:
    """The one reject comes from the predictor that serves."""
    bench.outside.publish(TOPICS.pixels("shop"), payload)
    found = bench.run()
    assert (1, 0) == (len(found["rejects"]), len(found.get("shadows", [])))
    assert {} == bench.beside.unacknowledged


def test_shadow_of_no_bundle_cannot_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line names the folder and the version."""
    monkeypatch.setenv("TAILORBIRD__MODEL__BUNDLE", str(tmp_path))
    assert 3 == main(["--shadow", "nobody"])
    assert f"predictor_service: {tmp_path}: no bundle is called 'nobody'\n" == capsys.readouterr().err


def test_shadow_without_a_version_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with every option that wants a value."""
    monkeypatch.setattr(sys, "argv", ["predictor_service"])
    with pytest.raises(SystemExit, match="2"):
        main(["--shadow"])
