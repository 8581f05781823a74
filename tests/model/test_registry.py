"""Bundles are listed, compared, promoted through a gate, and rolled back."""

from __future__ import annotations

import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.bundle import new_bundle, seal
from model.evaluation import Evaluation, judge
from model.manifest import BundleError, current_version, history, list_bundles
from model.registry import (
    GateError,
    Trial,
    compare,
    objections,
    promote,
    rollback,
)
from tests.model.test_manifest import MANIFEST


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """Three bundles, v1 the current one."""
    for day, version in enumerate(("v1", "v2", "v3"), start=1):
        with new_bundle(tmp_path, version) as scratch:
            (scratch / "graph.onnx").write_bytes(version.encode())
            seal(scratch, replace(MANIFEST, version=version, created_at=f"2026-11-0{day}T00:00:00.000Z"))
    promote(tmp_path, "v1")
    return tmp_path


def figures(right: int, *, second: int = 90) -> Evaluation:
    """The evaluation of 200 images of two classes; `right` and `second` of each 100 are right."""
    labels = np.repeat([0, 1], 100)
    answers = np.concatenate([np.arange(100) >= right, np.arange(100) < second]).astype(int)
    return judge(np.eye(2, dtype=np.float32)[answers], labels, ("a", "b"))


def test_bundles_are_listed_oldest_first(bundles: Path) -> None:
    """Each by its manifest; files beside them are no bundles."""
    (bundles / "notes.txt").write_text("no bundle")

    assert [manifest.version for manifest in list_bundles(bundles)] == ["v1", "v2", "v3"]


def test_promotion_changes_current_and_remembers(bundles: Path) -> None:
    """The version before is the one to go back to."""
    promote(bundles, "v2")
    promote(bundles, "v3")

    assert (current_version(bundles), history(bundles)) == ("v3", ["v1", "v2"])


def test_promoting_the_current_version_changes_nothing(bundles: Path) -> None:
    """A second promotion leaves no second entry."""
    promote(bundles, "v2")
    promote(bundles, "v2")

    assert (current_version(bundles), history(bundles)) == ("v2", ["v1"])


def test_rollback_goes_back_step_by_step(bundles: Path) -> None:
    """Until there is nothing before."""
    promote(bundles, "v2")
    promote(bundles, "v3")

    assert [rollback(bundles), rollback(bundles)] == ["v2", "v1"]
    assert current_version(bundles) == "v1"
    with pytest.raises(BundleError, match="no version to go back to"):
        rollback(bundles)


def test_another_version_than_was_seen_changes_nothing(bundles: Path) -> None:
    """Who compared with v1, or saw that a rollback leads there, is told when that is no longer so."""
    promote(bundles, "v2", replaces="v1")

    with pytest.raises(BundleError, match="v2 serves by now, not v1: look again"):
        promote(bundles, "v3", replaces="v1")
    with pytest.raises(BundleError, match="v2 serves by now, not v3: look again"):
        rollback(bundles, replaces="v3")
    with pytest.raises(BundleError, match="a rollback leads to v1, not to v3: look again"):
        rollback(bundles, replaces="v2", to="v3")

    assert (current_version(bundles), history(bundles)) == ("v2", ["v1"])
    assert rollback(bundles, replaces="v2", to="v1") == "v1"


def test_two_at_once_wait_for_each_other(bundles: Path) -> None:
    """What the other one does meanwhile is not lost from the history."""
    other = os.open(bundles, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(promote, bundles, "v3")
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.3)
        (bundles / "history").write_text("v1\n")
        (bundles / "current").write_text("v2\n")
        os.close(other)
        waiting.result(timeout=30)

    assert (current_version(bundles), history(bundles)) == ("v3", ["v1", "v2"])


@pytest.mark.parametrize("version", ["v9", "../v1", ""])
def test_an_unknown_version_is_refused(bundles: Path, version: str) -> None:
    """And the current one stays."""
    with pytest.raises(BundleError, match="no bundle is called"):
        promote(bundles, version)

    assert current_version(bundles) == "v1"


def test_a_damaged_bundle_is_never_promoted(bundles: Path) -> None:
    """Its files are checked first, and force does not help."""
    (bundles / "v2" / "graph.onnx").write_bytes(b"other")

    with pytest.raises(BundleError, match="damaged"):
        promote(bundles, "v2", force=True)

    assert current_version(bundles) == "v1"


def test_the_gate_lets_equals_and_better_ones_pass() -> None:
    """Nothing speaks against a bundle that is as good and as fast."""
    assert objections(compare(Trial(figures(90), 1000), Trial(figures(90), 600))) == []
    assert objections(compare(Trial(figures(90), 1000), Trial(figures(95), 1000))) == []


def test_the_gate_names_every_objection() -> None:
    """Accuracy, the recall of a class, calibration and speed, each with both figures."""
    found = objections(compare(Trial(figures(90), 1000), Trial(figures(80), 400)))

    assert found == [
        "accuracy falls from 90.00% to 85.00%",
        "calibration error grows from 10.00% to 15.00%",
        "recall of a falls from 90.0% to 80.0%",
        "speed falls from 1,000 to 400 images/s",
    ]


def test_a_class_may_not_pay_for_the_others() -> None:
    """The same accuracy with one class much worse is refused."""
    found = objections(compare(Trial(figures(90, second=90), 1000), Trial(figures(99, second=81), 1000)))

    assert found == ["recall of b falls from 90.0% to 81.0%"]


def test_the_gate_can_be_forced_and_says_so(bundles: Path) -> None:
    """Without force nothing changes; with it the objections are returned."""
    differences = compare(Trial(figures(90), 1000), Trial(figures(90), 100))

    with pytest.raises(GateError, match="v2 is not promoted: speed falls"):
        promote(bundles, "v2", differences)
    assert current_version(bundles) == "v1"

    assert promote(bundles, "v2", differences, force=True) == ["speed falls from 1,000 to 100 images/s"]
    assert current_version(bundles) == "v2"
