"""Alerts open once and close once, as rows, messages and events."""

import json
import math
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from broker.messages import (
    Alert,
    Event,
    Expectations,
    Message,
    ModelAnnouncement,
    Prediction,
    Reference,
    decode,
)
from broker.settings import Monitor, Store
from store.disk import Disk
from store.monitor import LOOK_S, UNJUDGED, UNJUDGED_S, Monitoring, Watch
from store.schema import CLASSES
from store.writer import Writer
from tests.store.workbench import Bench, Make, Rows

AT = datetime(2026, 11, 22, 14, tzinfo=UTC)
EXPECTED = Expectations(accuracy=0.95, calibration_error=0.01)


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the seconds that have passed."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands."""
    return Clock()


@pytest.fixture
def watch(engine: sa.Engine, clock: Clock) -> Watch:
    """A watch over the test's database."""
    return Watch(engine, Disk(None, 0), Monitoring(Monitor(), 30.0), clock)


def announcement(make: Make, version: str = "m1") -> ModelAnnouncement:
    """Return what a predictor says of its model."""
    return ModelAnnouncement(
        version=version, classes=CLASSES, input={}, engine="e", announced_at=make.at, expectations=EXPECTED
    )


def job(make: Make, name: str, confidence: float, closed: str) -> list[Message]:
    """Return the messages of a closed job of 60 images, six of each class."""
    images = [
        Prediction(
            image=f"{number}.png",
            label=CLASSES[number % 10],
            confidence=confidence,
            probabilities={CLASSES[number % 10]: confidence},
        )
        for number in range(60)
    ]
    closing = make.progress("closed", 60, job_id=name, closed_at=closed)
    return [make.batch(*images, batch=f"b-{name}", job_id=name), closing]


def told(alerts: list[Alert]) -> list[tuple[str, str, str]]:
    """Return what the alerts are about."""
    return [(alert.rule, alert.subject, alert.state) for alert in alerts]


def test_alert_opens_once_and_closes_once(
    watch: Watch, clock: Clock, writer: Writer, make: Make, rows: Rows
) -> None:
    """It names rule, value and bound, survives in its row, and needs its cause gone for the cool-down."""
    writer.write([announcement(make), *job(make, "j1", 0.6, "2026-11-22T13:20:00.000Z")])
    opened = watch.look(AT)
    assert [("expected-accuracy", "", "open")] == told(opened)
    assert opened == watch.look(AT)  # until somebody was told
    watch.told(opened[0])
    assert [] == watch.look(AT)

    bounds = Monitor(window_images=60)
    watch = Watch(watch._engine, Disk(None, 0), Monitoring(bounds, 30.0), clock)  # as after a restart
    writer.write(job(make, "j2", 0.97, "2026-11-22T13:30:00.000Z"))
    assert [] == watch.look(AT)
    clock.now += bounds.cooldown_s - 1
    assert [] == watch.look(AT)
    clock.now += 1
    (closed,) = watch.look(AT + timedelta(minutes=2))

    assert (opened[0].alert_id, "closed", "2026-11-22T14:02:00.000Z") == (
        closed.alert_id,
        closed.state,
        closed.closed_at,
    )
    watch.told(closed)
    assert [] == watch.look(AT)
    times = ("2026-11-22T14:00:00.000Z", "2026-11-22T14:02:00.000Z")
    assert [("expected-accuracy", "closed", pytest.approx(0.6), pytest.approx(0.9), *times)] == rows(
        "alerts", "rule, state, value, bound, opened_at, closed_at"
    )


def test_cause_that_comes_back_starts_the_cool_down_anew(
    watch: Watch, clock: Clock, writer: Writer, make: Make
) -> None:
    """An alert does not close between two bad jobs."""
    watch.given = Monitoring(Monitor(window_images=60), 30.0)
    writer.write([announcement(make), *job(make, "j1", 0.6, "2026-11-22T13:20:00.000Z")])
    watch.told(watch.look(AT)[0])
    writer.write(job(make, "j2", 0.97, "2026-11-22T13:30:00.000Z"))
    watch.look(AT)
    clock.now += 50
    writer.write(job(make, "j3", 0.6, "2026-11-22T13:40:00.000Z"))
    watch.look(AT)
    clock.now += 50
    writer.write(job(make, "j4", 0.97, "2026-11-22T13:50:00.000Z"))

    assert [] == watch.look(AT)


def test_jobs_of_another_model_are_not_the_serving_ones(watch: Watch, writer: Writer, make: Make) -> None:
    """After a promotion the figures begin anew."""
    writer.write([announcement(make), *job(make, "j1", 0.6, "2026-11-22T13:20:00.000Z")])
    writer.write([replace(announcement(make, "m2"), announced_at="2026-11-22T13:30:00.000Z")])

    assert [] == watch.look(AT)


def test_alert_is_a_row_a_message_and_an_event(store_settings: Store, bench: Bench, make: Make) -> None:
    """The store publishes what its watch found."""
    listener = bench.broker.connect("listener", [bench.topics.alerts()])
    listener.start()
    bench.service.watch._next_look = math.inf
    bench.send(announcement(make), *job(make, "j1", 0.6, "2026-11-22T13:20:00.000Z"))
    bench.work(2)
    bench.heard("events")
    bench.service.watch._next_look = 0.0

    bench.work()

    alerts = [decode(Alert, item.payload) for item in listener.receive(100, 0.0) if hasattr(item, "payload")]
    assert [("expected-accuracy", "", "open")] == told(alerts)
    events = [decode(Event, payload) for payload in bench.heard("events")]
    assert [("alert", f"expected-accuracy: {alerts[0].detail}")] == [(e.event, e.detail) for e in events]
    assert [("open",)] == bench.read("SELECT state FROM alerts")
    assert LOOK_S > 0


def test_statistics_are_summed_over_the_models_own_batches(
    watch: Watch, writer: Writer, make: Make, rows: Rows
) -> None:
    """Bins of another bundle are other bins; drift is judged where there are enough images."""
    reference = Reference(edges=(5.0,), classes=dict.fromkeys(CLASSES, (1.0, 0.0)))
    expected = Expectations(accuracy=0.95, statistics={"brightness": reference})
    said = replace(announcement(make), expectations=expected)
    batch, closing = job(make, "j1", 0.97, "2026-11-22T13:20:00.000Z")
    writer.write([said, replace(batch, statistics={"brightness": (1, 59)}), closing])

    assert [("input-drift", "brightness", "open")] == told(watch.look(AT))
    assert [(json.dumps({"brightness": [1, 59]}),)] == rows("batches", "statistics")


def test_alert_that_nobody_can_judge_any_more_is_closed(
    watch: Watch, clock: Clock, writer: Writer, make: Make, rows: Rows
) -> None:
    """Its rule was turned off, or another model serves that does not say what it should reach."""
    writer.write([announcement(make), *job(make, "j1", 0.6, "2026-11-22T13:20:00.000Z")])
    watch.look(AT)
    writer.write(
        [replace(announcement(make, "m2"), expectations=None, announced_at="2026-11-22T13:30:00.000Z")]
    )

    watch.look(AT)
    clock.now += UNJUDGED_S
    watch.look(AT)

    ((state, detail),) = rows("alerts", "state, detail")
    assert "closed" == state
    assert detail.startswith("expected accuracy 60.0%")
    assert detail.endswith(f"; {UNJUDGED}")


def test_absence_counts_from_the_stores_own_start(
    engine: sa.Engine, clock: Clock, writer: Writer, make: Make
) -> None:
    """Nobody was there to see a canary while the line stood still."""
    canary = make.batch("canary@2026-11-22T13:16:01.123Z", source="canary-shop", job_id="canary")
    writer.write([canary])
    watch = Watch(engine, Disk(None, 0), Monitoring(Monitor(latency_s=0.0), 30.0), clock)
    began = watch._began_at = datetime.now(UTC) + timedelta(hours=1)

    assert [] == watch.look(began + timedelta(seconds=179))
    late = watch.look(began + timedelta(seconds=181))

    assert [("canary-late", "shop", "open")] == told(late)


def test_statistics_of_a_stranger_stop_nobody(watch: Watch, writer: Writer, make: Make) -> None:
    """A batch with other bins than the reference's is passed over."""
    reference = Reference(edges=(5.0,), classes=dict.fromkeys(CLASSES, (1.0, 0.0)))
    said = replace(
        announcement(make), expectations=Expectations(accuracy=0.5, statistics={"brightness": reference})
    )
    batch, closing = job(make, "j1", 0.97, "2026-11-22T13:20:00.000Z")
    writer.write([said, replace(batch, statistics={"brightness": (1, 2, 3)}), closing])

    assert [] == watch.look(AT)


def test_monitor_that_fails_costs_an_event_and_no_message(bench: Bench, make: Make) -> None:
    """Whatever it is that it cannot read: the line goes on, and the next look comes later and later."""
    waits = []

    def failing(*_: object) -> list[Alert]:
        bench.service.watch._next_look = 0.0
        waits.append(1)
        raise ZeroDivisionError("odd")

    bench.service.watch.look = failing  # type: ignore[assignment, method-assign]
    bench.service.watch._next_look = 0.0
    bench.send(*job(make, "j1", 0.97, "2026-11-22T13:20:00.000Z"))
    bench.work(3)

    assert waits
    assert [("j1",)] == bench.read("SELECT job_id FROM jobs")
    assert ["monitor-failed"] == [word for word in bench.words() if word.startswith("monitor")]


def test_bound_of_a_class_that_the_model_lacks_is_told_once(bench: Bench, make: Make) -> None:
    """Only the model knows its classes; each predictor announces it, and the next model is looked at anew."""
    bounds = Monitor(class_accuracy=(f"{CLASSES[0]}=0.5", "Shrit=0.7"))
    bench.service.watch.given = Monitoring(bounds, 30)
    said: list[Event] = []
    for version in ("m1", "m1", "m2"):
        bench.send(announcement(make, version))
        bench.work(2)
        said += [decode(Event, payload) for payload in bench.heard("events")]
    told = [one.detail for one in said if one.event == "class-accuracy-unknown"]
    assert [f"[monitor] class_accuracy: {version} has no class Shrit" for version in ("m1", "m2")] == [
        detail.partition(";")[0] for detail in told
    ]
