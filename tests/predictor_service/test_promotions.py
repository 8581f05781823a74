"""Wishes for another model, on an in-memory line and small bundles."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from broker.connection import Delivery
from broker.line import Line
from broker.memory import MemoryBroker
from broker.messages import UNMEASURED, Event, ModelAnswer, ModelRequest, decode, encode, now
from broker.settings import Model
from broker.topics import Topics
from model.bundle import new_bundle, seal
from model.manifest import current_version
from model.measuring import GateTroubleError
from model.registry import Difference, promote
from predictor_service.promotions import Promotions, place_of
from tests.model.test_manifest import MANIFEST
from tests.waiting import until

TOPICS = Topics("t")
WORSE = [Difference("accuracy", 0.95, 0.9)]
LOST = "accuracy falls from 95.00% to 90.00%"


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """Three bundles; v2 serves, and v1 did before."""
    for day, version in enumerate(("v1", "v2", "v3"), start=1):
        figures = {"validation": {"images": 100, "accuracy": 0.9 + day / 100, "ece": 0.01}}
        made = replace(
            MANIFEST,
            version=version,
            created_at=f"2026-11-0{day}T00:00:00.000Z",
            accuracy=figures,
            data={"training": {"images": "a"}},
        )
        with new_bundle(tmp_path, version) as scratch:
            (scratch / "graph.onnx").write_bytes(version.encode())
            seal(scratch, made)
    promote(tmp_path, "v1")
    promote(tmp_path, "v2")
    return tmp_path


class Bench:
    """A predictor's promotions between a page and an event log."""

    def __init__(self, bundles: Path, **more: Any) -> None:
        self.settings = Model(bundle=bundles, gate_images=more.pop("images", ""))
        self.bundles = bundles
        broker = MemoryBroker()
        self.page = broker.connect("page", [TOPICS.model_answers(), TOPICS.events()])
        self.page.start()
        inside = broker.connect("predictor", [TOPICS.shared(TOPICS.model_requests())])
        self.line = Line(inside, TOPICS, service="predictor_service", instance="1")
        self.promotions = Promotions(self.line, self.settings, **more)
        self.events: list[str] = []

    def ask(self, action: str, version: str, **more: Any) -> ModelRequest:
        """Publish a wish and let it be taken."""
        place = place_of(self.settings)
        request = ModelRequest(
            request_id=f"{action}-{version}-{len(more)}",
            action=action,  # type: ignore[arg-type]
            version=version,
            current="v2",
            host=place.host,
            bundles=place.bundles,
            by="anna",
            requested_at=now(),
        )
        request = msgspec.structs.replace(request, **more)
        self.page.publish(TOPICS.model_requests(), encode(request))
        self.turn()
        return request

    def turn(self) -> None:
        """Take what came in."""
        for delivery in self.line.receive(limit=10, timeout_s=0.0):
            self.promotions.take(delivery)

    def answers(self) -> list[ModelAnswer]:
        """Return what has been answered by now."""
        self.promotions.step()
        found = []
        for item in self.page.receive(100, 0.0):
            if isinstance(item, Delivery):
                self.page.acknowledge(item)
                if TOPICS.kind(item.topic) == "model-answers":
                    found.append(decode(ModelAnswer, item.payload))
                else:
                    event = decode(Event, item.payload)
                    self.events.append(f"{event.event}: {event.detail}")
        return found

    def end(self) -> ModelAnswer:
        """Wait for the last answer."""
        found: list[ModelAnswer] = []

        def is_there() -> bool:
            found.extend(self.answers())
            return bool(found) and found[-1].state != "taken"

        until(is_there)
        return found[-1]


@pytest.fixture
def bench(bundles: Path) -> Iterator[Callable[..., Bench]]:
    """`bench(images="folder", measure=...)`: promotions on a line that is online."""
    made: list[Bench] = []

    def begin(**more: Any) -> Bench:
        made.append(Bench(bundles, **more))
        made[-1].line.__enter__()
        made[-1].turn()
        return made[-1]

    yield begin
    for one in made:
        one.promotions.__exit__(None, None, None)
        one.line.__exit__(None, None, None)


def test_try_without_images_tells_what_both_recorded(bench: Callable[..., Bench]) -> None:
    """And that nothing was measured, which is an objection; nothing is changed."""
    made = bench()
    made.ask("try", "v3")
    answer = made.end()
    assert ("done", False) == (answer.state, answer.measured)
    assert [("accuracy", 0.92, 0.93), ("calibration error", 0.01, 0.01)] == [
        (one.figure, one.before, one.after) for one in answer.differences
    ]
    assert ("nothing was measured: [model] gate_images names no labelled images",) == answer.objections
    assert "v2" == current_version(made.bundles)


def test_promotion_that_is_objected_to_overrides_what_was_seen(bench: Callable[..., Bench]) -> None:
    """Then the bundle serves, and the event log has who and what was overridden."""
    made = bench(images="images", measure=lambda *_: WORSE)
    made.ask("promote", "v3")
    refused = made.end()
    assert ("refused", (LOST,)) == (refused.state, refused.objections)
    assert "v2" == current_version(made.bundles)
    made.ask("promote", "v3", overrides=(LOST,))
    done = made.end()
    assert ("done", "v3", "v2", True) == (done.state, done.current, done.previous, done.measured)
    assert "v3" == current_version(made.bundles)
    assert [
        f"model-not-promoted: v3, asked for by anna: the gate does not let it pass; {LOST}",
        f"model-promoted: v3 in the place of v2, by anna; overridden: {LOST}",
    ] == made.events


def test_objections_that_nobody_has_seen_are_not_overridden(bench: Callable[..., Bench]) -> None:
    """Another predictor may measure something else than what was shown; its word is shown next."""
    made = bench(images="images", measure=lambda *_: [*WORSE, Difference("images/s", 1000, 100)])
    made.ask("promote", "v3", overrides=(LOST,))
    refused = made.end()
    assert "the gate says more by now than was shown: look again" == refused.detail
    assert (LOST, "speed falls from 1,000 to 100 images/s") == refused.objections
    assert "v2" == current_version(made.bundles)
    made.ask("promote", "v3", overrides=refused.objections, request_id="again")
    assert ("done", "v3") == ((last := made.end()).state, last.current)


def test_rollback_leads_to_the_version_that_was_seen(bench: Callable[..., Bench]) -> None:
    """To another one it is refused."""
    made = bench()
    made.ask("rollback", "v3")
    assert "a rollback leads to v1, not to v3" == made.end().detail
    made.ask("rollback", "v1")
    assert ("done", "v1", "") == ((last := made.end()).state, last.current, last.previous)
    assert "v1" == current_version(made.bundles)
    assert "model-rolled-back: from v2 to v1, by anna" in made.events


def test_promotion_after_a_try_is_judged_by_what_was_shown(bench: Callable[..., Bench]) -> None:
    """Nothing is measured twice, and nothing speaks against a better bundle."""
    calls: list[str] = []

    def measured(before: Path, after: Path, data: Path) -> list[Difference]:
        calls.append(f"{before.name} {after.name} {data}")
        return [Difference("accuracy", 0.95, 0.95)]

    made = bench(images="images", measure=measured)
    made.ask("try", "v3")
    assert () == made.end().objections
    made.ask("promote", "v3")
    assert "done" == made.end().state
    assert ["v2 v3 images"] == calls


@pytest.mark.parametrize(
    ("version", "more", "expected"),
    [
        ("v3", {"requested_at": "2026-11-01T00:00:00.000Z"}, "s ago; ask again"),
        ("v3", {"current": "v1"}, "v2 serves by now, not v1: look again"),
        ("v2", {}, "v2 serves already"),
        ("v9", {}, "no bundle is called 'v9'"),
    ],
)
def test_wish_that_cannot_be_met_is_refused(
    bench: Callable[..., Bench], version: str, more: dict[str, str], expected: str
) -> None:
    """With the reason, and nothing is changed."""
    made = bench()
    made.ask("promote", version, overrides=(UNMEASURED,), **more)
    answer = made.end()
    assert "refused" == answer.state
    assert expected in answer.detail
    assert "v2" == current_version(made.bundles)


def test_wish_of_another_machine_or_for_the_second_time_is_passed_over(bench: Callable[..., Bench]) -> None:
    """Nobody answers for bundles that are not his, and nothing is done twice."""
    made = bench()
    made.ask("promote", "v3", overrides=(UNMEASURED,), host="elsewhere")
    assert [] == made.answers()
    request = made.ask("rollback", "v1")
    assert "done" == made.end().state
    made.page.publish(TOPICS.model_requests(), encode(request))
    made.turn()
    assert [] == made.answers()
    assert "v1" == current_version(made.bundles)


def test_second_wish_waits_for_nobody(bench: Callable[..., Bench]) -> None:
    """While one is measured another is refused at once; what cannot be measured is said."""
    go = threading.Event()

    def slow(*_: Path) -> list[Difference]:
        go.wait(60.0)
        raise GateTroubleError("images: no such folder")

    made = bench(images="images", measure=slow)
    made.ask("try", "v3")
    assert ["taken"] == [one.state for one in made.answers()]
    made.ask("try", "v1")
    (busy,) = made.answers()
    assert "another wish is being looked at; ask again when it is answered" == busy.detail
    go.set()
    assert ("refused", "images: no such folder") == ((last := made.end()).state, last.detail)


def test_configuration_of_one_bundle_leaves_no_choice(bundles: Path) -> None:
    """`current` would be changed and nobody would look at it."""
    made = Bench(bundles)
    made.settings = Model(bundle=bundles / "v2")
    made.promotions = Promotions(made.line, made.settings)
    with made.line:
        made.turn()
        made.ask("promote", "v3", overrides=(UNMEASURED,))
        assert "names one bundle for good" in made.end().detail
