"""Tests of `train` and `evaluate`; what they call is tested in tests/model."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import PICTURES, RunCli

pytestmark = pytest.mark.slow


def test_evaluate_prints_the_figures_others_read(cli: RunCli) -> None:
    """On a folder of images per class, as JSON."""
    found = json.loads(cli("evaluate", "--data", str(PICTURES), "--json").stdout)
    assert {"images", "accuracy", "balanced_accuracy", "ece", "per_class", "confusion"} <= found.keys()
    assert 50 == found["images"] == sum(map(sum, found["confusion"]))


def test_evaluate_for_people_has_both_tables(cli: RunCli) -> None:
    """Per class, and what was taken for what."""
    said = cli("evaluate", "--data", str(PICTURES)).stdout
    for words in ("balanced accuracy", "precision", "recall", "confusion:"):
        assert words in said


def test_evaluate_without_data_is_one_line(cli: RunCli, tmp_path: Path) -> None:
    """Exit code 3, and what was looked for."""
    done = cli("evaluate", "--data", str(tmp_path))
    assert (3, 1) == (done.returncode, done.stderr.count("\n"))


def test_train_with_too_few_images_is_one_line(cli: RunCli, tmp_path: Path) -> None:
    """Nothing is written."""
    done = cli("train", "--data", str(PICTURES), "--out", str(tmp_path))
    assert 3 == done.returncode
    assert "training needs at least" in done.stderr.splitlines()[-1]
    assert [] == list(tmp_path.iterdir())
