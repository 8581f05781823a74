"""Figures over time: how right it probably is, and how alike the images are."""

from collections.abc import Callable
from typing import Any

import pytest

from broker.messages import Expectations, ModelAnnouncement, Reference
from broker.settings import Monitor, Store
from store.estimates import drift
from store.queries import reading
from store.report_contents import quality
from store.report_figures import Scope, headline
from store.trends import mix_drifts, models, sources, trends
from store.writer import Writer
from tests.store.workbench import Make

DOUBTFUL: dict[str, Any] = {"verdict": "suspect", "reasons": ("blank",)}
SHARES: dict[str, tuple[float, ...]] = {"Bag": (0.5, 0.5), "Coat": (0.5, 0.5)}
Ask = Callable[..., Any]


@pytest.fixture
def ask(anywhere: Store, writer: Writer, make: Make) -> Ask:
    """`ask(trends, ...)`, of two jobs: one of the shop by m1 with a suspect, one of the till by m2."""
    for version in ("m1", "m2"):
        expectations = Expectations(
            accuracy=0.9375, statistics={"brightness": Reference(edges=(0.5,), classes=SHARES)}
        )
        announced: dict[str, Any] = {"engine": "numpy", "input": {}, "announced_at": make.at}
        writer.write(
            [ModelAnnouncement(version=version, classes=("Bag",), expectations=expectations, **announced)]
        )
    images = [make.prediction(f"{n}", "Bag") for n in range(9)]
    suspect = make.prediction("s", "Coat", **DOUBTFUL)
    first = make.batch(*images, suspect, statistics={"brightness": (5, 5)})
    at = "2026-11-23T08:00:00.000Z"
    other: dict[str, Any] = {"job_id": "second", "source": "till"}
    worked: dict[str, Any] = {"model_version": "m2", "predicted_at": at, **other}
    second = make.batch(*images, batch="b2", statistics={"brightness": (9, 0)}, **worked)
    writer.write([make.progress("open", 10), first, make.failure("f")])
    writer.write([make.progress("open", 9, opened_at=at, **other), second])

    def asked(function: Callable[..., Any], *arguments: Any) -> Any:
        with reading(anywhere) as connection:
            return function(connection, *arguments)

    return asked


def test_trends_are_the_figures_of_the_alerts_step_by_step(ask: Ask) -> None:
    """Expected accuracy against its bound, doubts, and the drift from the newest model's images."""
    monitor = Monitor(least_images=9, window_images=10)

    def gathered(connection: Any) -> Any:
        found = quality(connection, Scope(), monitor)
        return trends(connection, found, monitor)

    found = ask(gathered)
    first, second = found.counts

    assert "m2" == found.model
    assert 0.8875 == pytest.approx(found.bound)
    assert (0.1, 1 / 11) == (found.counts[first].suspect_share, found.counts[first].failed_share)
    assert [0.75, 0.75] == [one.value for one in found.expected.values()]
    assert {"brightness": [second]} == {name: list(steps) for name, steps in found.pixels.items()}
    assert drift((0.5, 0.5), (9, 0), least_images=9) == found.pixels["brightness"][second]
    assert [True, False] == list(found.trusted.values())
    assert None is found.mix[first]
    assert {"Bag", "Coat"} == set(found.mix[second])


def test_scope_may_be_a_source_or_a_model(ask: Ask) -> None:
    """The jobs of one, or those that the other worked on; both can be chosen from."""
    assert [10, 9, 9] == [
        ask(headline, scope).stored
        for scope in (Scope(source="shop"), Scope(source="till"), Scope(model="m2"))
    ]
    assert (["shop", "till"], ["m2", "m1"]) == (ask(sources), ask(models))


def test_drift_of_the_mix_is_the_sum_of_what_each_class_adds() -> None:
    """Against all steps before it, once there are enough; less what chance gives."""
    steps = {"a": {"Bag": 50, "Coat": 50}, "b": {"Bag": 40, "Coat": 40}, "c": {"Bag": 100}}
    found = mix_drifts(steps, least_before=100, least_images=30)

    assert (None, {"Bag": 0.0, "Coat": 0.0}) == (found["a"], found["b"])
    assert found["c"] is not None
    assert drift([90, 90], [100, 0], least_images=30) == pytest.approx(sum(found["c"].values()))
    assert 0 < found["c"]["Bag"] < found["c"]["Coat"]
