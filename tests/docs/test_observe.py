"""The page on how a service is names every figure and every state."""

import re
import typing
from pathlib import Path

import pytest

from broker.health import State
from broker.line import Line
from broker.memory import MemoryBroker
from broker.topics import Topics
from ingest_agent.figures import AgentFigures
from predictor_service.figures import PredictorFigures
from store.figures import StoreFigures

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "observe.md").read_text("utf-8")


def figures() -> list[str]:
    """Return the name of every figure that a service tells, as Prometheus stores it."""
    line = Line(MemoryBroker().connect("x", []), Topics(), service="store", instance="main")
    line.metrics.add_service(line)
    AgentFigures(line.metrics)
    PredictorFigures(line)
    StoreFigures(line, None)
    found = re.findall(r"^# TYPE (tailorbird_[a-z_]+)", line.metrics.text()[0].decode(), re.MULTILINE)
    assert len(found) > 25
    return found


@pytest.mark.parametrize("name", figures())
def test_figure_stands_on_the_page(name: str) -> None:
    """In full, or by its end behind a dot of omission where several differ in that alone."""
    end = name.removeprefix("tailorbird_agent_images")
    assert f"`{name}`" in PAGE or f"`…{end}`" in PAGE


@pytest.mark.parametrize("name", figures())
def test_figure_has_a_base_unit(name: str) -> None:
    """Seconds and bytes, never milliseconds or megabytes; a total says so."""
    assert not re.search(r"_(ms|mb|kb|minutes|percent)(_|$)", name)


@pytest.mark.parametrize("state", typing.get_args(State))
def test_state_stands_on_the_page(state: str) -> None:
    """With what it means."""
    assert f"| `{state}` | " in PAGE
