"""What a bundle recorded becomes plots; a manifest is somebody's file, and what is odd in it is left out."""

from dataclasses import replace
from typing import Any

import pytest

from dashboard import model_plots
from dashboard.plotted import Plot, csv_lines
from tests.model.test_manifest import MANIFEST


def rows_of(plot: Plot) -> list[str]:
    """Return a plot's CSV, line by line."""
    return "".join(csv_lines(plot)).split("\r\n")[:-1]


SQUARE = [[0] * 10 for _ in range(10)]


def test_curves_of_two_networks_are_two() -> None:
    """Each over its own training, as far as it was recorded."""
    points = [
        {"network": "first", "done": 0.5, "loss": 1.25, "validation_accuracy": 0.9},
        {"network": "second", "done": "soon", "validation_accuracy": 0.8},
        {"network": "second", "validation_accuracy": 0.85},
        {"network": "second", "validation_accuracy": 7},
        "soon",
    ]
    found = model_plots.training(replace(MANIFEST, code={"history": points}))
    assert found is not None
    assert ["The first network", "The second network"] == [one.title for one in found.panels]
    lines = ["first,50%,90.0", "second,1,80.0", "second,2,85.0"]
    assert ['network,trained,"validation accuracy, %"', *lines] == rows_of(found)


@pytest.mark.parametrize("name", ["\ud800", "x\x00", "n" * 10_000, None, ["a"]])
def test_network_of_any_name_is_shown(name: Any) -> None:
    """It can be sent, and it is not endless."""
    points = [{"network": name, "loss": 10**400, "validation_accuracy": 1.0}]
    found = model_plots.training(replace(MANIFEST, code={"history": points}))
    assert found is not None
    assert len(found.panels[0].picture.encode()) < 10_000
    assert rows_of(found)[1].endswith(",100.0")


def test_more_than_a_page_can_show_is_cut() -> None:
    """Points, networks and bins are as many as somebody could have recorded."""
    points = [{"network": str(number), "validation_accuracy": 0.5} for number in range(2_000)]
    found = model_plots.training(replace(MANIFEST, code={"history": points}))
    assert found is not None
    assert model_plots.NETWORKS == len(found.panels)
    endless = {"reliability": [[1, 0.5, 0.5]] * 100_000}
    assert model_plots.reliability(replace(MANIFEST, validation=endless)) is None


def test_confusion_is_a_table_with_shares_of_its_rows() -> None:
    """The darker the more of the row, the diagonal apart."""
    rows = [row.copy() for row in SQUARE]
    rows[0][0], rows[0][6] = 3, 1
    found = model_plots.confusion(replace(MANIFEST, validation={"confusion": rows}))
    assert found is not None
    assert '<td class="right" style="--depth: 60%">3</td>' in found.picture
    assert '<td class="wrong" style="--depth: 20%">1</td>' in found.picture
    assert "T-shirt/top,3,0,0,0,0,0,1,0,0,0" == rows_of(found)[1]


def test_reliability_leaves_empty_bins_out() -> None:
    """A bin without images says nothing."""
    bins = [[0, 0.0, 0.0], [4, 0.75, 0.5]]
    found = model_plots.reliability(replace(MANIFEST, validation={"reliability": bins}))
    assert found is not None
    assert ["50.0% to 100.0%,4,75.0,50.0"] == rows_of(found)[1:]


@pytest.mark.parametrize(
    "told", [None, "soon", [], SQUARE[:9], [*SQUARE[:9], [0] * 9], [*SQUARE[:9], ["1"] * 10]]
)
def test_confusion_of_another_shape_is_none(told: Any) -> None:
    """It is said that none was recorded."""
    assert model_plots.confusion(replace(MANIFEST, validation={"confusion": told})) is None


@pytest.mark.parametrize(
    "told",
    [
        None,
        "soon",
        [],
        [[1, 0.5]],
        [[1, 0.5, 2]],
        [[True, 0.5, 0.5]],
        [[-1, 0.5, 0.5]],
        [[10**400, 0.5, 0.5]],
        [[1, float("nan"), 0.5]],
    ],
)
def test_reliability_of_another_shape_is_none(told: Any) -> None:
    """It is said that none was recorded."""
    assert model_plots.reliability(replace(MANIFEST, validation={"reliability": told})) is None


@pytest.mark.parametrize("told", [None, "soon", [], [{"loss": 1.0}], [{"validation_accuracy": "high"}]])
def test_training_without_figures_is_none(told: Any) -> None:
    """It is said that none was recorded."""
    assert model_plots.training(replace(MANIFEST, code={"history": told})) is None
