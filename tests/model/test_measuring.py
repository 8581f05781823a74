"""Two bundles are measured in a process beside the one that asks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from model.measuring import GateTroubleError, Measuring, recorded
from tests.model.conftest import ROOT
from tests.model.test_manifest import MANIFEST

PICTURES = ROOT / "samples" / "pictures"
FIGURES = {"images": 10, "accuracy": 0.9, "balanced_accuracy": 0.9, "ece": 0.01}


def test_bundle_is_measured_like_itself(bundle: Path) -> None:
    """Accuracy, calibration, recalls and speed come from a process of their own."""
    found = {one.figure: one for one in Measuring("auto", 1, 120.0)(bundle, bundle, PICTURES)}

    assert found["accuracy"].before == found["accuracy"].after > 0.5
    assert {"calibration error", "recall of Bag", "images/s"} <= found.keys()


def test_what_cannot_be_measured_is_one_line(bundle: Path, tmp_path: Path) -> None:
    """A folder without images, and a limit that nobody can keep."""
    with pytest.raises(GateTroubleError, match=str(tmp_path)):
        Measuring("auto", 1, 120.0)(bundle, bundle, tmp_path)
    with pytest.raises(GateTroubleError, match="took longer than"):
        Measuring("auto", 1, 0.01)(bundle, bundle, PICTURES)


def test_measuring_that_is_closed_before_it_begins_ends_at_once(bundle: Path) -> None:
    """Whoever ends the predictor in that moment leaves no process behind."""
    measuring = Measuring("auto", 1, 120.0)
    measuring.close()
    with pytest.raises(GateTroubleError, match="measuring was ended"):
        measuring(bundle, bundle, PICTURES)


def test_recorded_figures_are_compared_by_precision_on_the_same_images_only() -> None:
    """Other training data, or another number of images, says nothing."""
    old = replace(
        MANIFEST,
        accuracy={"validation": FIGURES, "validation int8": FIGURES, "given test": FIGURES},
        data={"training": {"a": "1"}},
    )
    assert ["accuracy", "balanced accuracy", "calibration error"] == [
        one.figure for one in recorded(old, old)[:3]
    ]
    assert "accuracy (int8)" in [one.figure for one in recorded(old, old)]
    assert [] == recorded(old, replace(old, data={"training": {"a": "2"}}))
    assert [] == recorded(old, replace(old, accuracy={"validation": {**FIGURES, "images": 9}}))
