"""What a bundle recorded becomes plots; a manifest is somebody's file, and what is odd in it is left out."""

from dataclasses import replace
from typing import Any

import pytest

from dashboard import model_plots
from dashboard.plotted import csv_lines
from tests.model.test_manifest import MANIFEST

SQUARE = [[0] * 10 for _ in range(10)]


def test_curves_of_two_networks_are_two() -> None:
    """Each over its own training, as far as it was recorded."""
    points = [
        {"network": "first", "done": 0.5, "loss": 1.25, "validation_accuracy": 0.9},
        {"network": "second", "loss": "=1+1", "validation_accuracy": 0.8},
        {"network": "second", "validation_accuracy": 0.85},
        {"network": "second", "validation_accuracy": 7},
        "soon",
    ]
    found = model_plots.training(replace(MANIFEST, code={"history": points}))
    assert found is not None
    assert ["The first network", "The second network"] == [one.title for one in found.panels]
    lines = ["first,50%,1.25,90.0", "second,1,,80.0", "second,2,,85.0"]
    assert ['network,trained,loss,"validation accuracy, %"', *lines] == "".join(csv_lines(found)).split(
        "\r\n"
    )[:-1]


def test_confusion_is_a_table_with_shares_of_its_rows() -> None:
    """The darker the more of the row, the diagonal apart."""
    rows = [row.copy() for row in SQUARE]
    rows[0][0], rows[0][6] = 3, 1
    found = model_plots.confusion(replace(MANIFEST, validation={"confusion": rows}))
    assert found is not None
    assert '<td class="right" style="--depth: 60%">3</td>' in found.picture
    assert '<td class="wrong" style="--depth: 20%">1</td>' in found.picture
    assert "T-shirt/top,3,0,0,0,0,0,1,0,0,0" == "".join(csv_lines(found)).split("\r\n")[1]


def test_reliability_leaves_empty_bins_out() -> None:
    """A bin without images says nothing."""
    bins = [[0, 0.0, 0.0], [4, 0.75, 0.5]]
    found = model_plots.reliability(replace(MANIFEST, validation={"reliability": bins}))
    assert found is not None
    assert ["50.0% to 100.0%,4,75.0,50.0"] == "".join(csv_lines(found)).split("\r\n")[1:-1]


@pytest.mark.parametrize(
    "told", [None, "soon", [], SQUARE[:9], [*SQUARE[:9], [0] * 9], [*SQUARE[:9], ["1"] * 10]]
)
def test_confusion_of_another_shape_is_none(told: Any) -> None:
    """It is said that none was recorded."""
    assert model_plots.confusion(replace(MANIFEST, validation={"confusion": told})) is None


@pytest.mark.parametrize(
    "told", [None, "soon", [], [[1, 0.5]], [[1, 0.5, 2]], [[True, 0.5, 0.5]], [[-1, 0.5, 0.5]]]
)
def test_reliability_of_another_shape_is_none(told: Any) -> None:
    """It is said that none was recorded."""
    assert model_plots.reliability(replace(MANIFEST, validation={"reliability": told})) is None


@pytest.mark.parametrize("told", [None, "soon", [], [{"loss": 1.0}], [{"validation_accuracy": "high"}]])
def test_training_without_figures_is_none(told: Any) -> None:
    """It is said that none was recorded."""
    assert model_plots.training(replace(MANIFEST, code={"history": told})) is None
