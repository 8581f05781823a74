"""Changing the model while it serves."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from broker.settings import Model, Settings
from broker.settings_reader import PROJECT
from model.classifier import Classifier
from model.manifest import BundleError, resolve_bundle
from predictor_service.__main__ import load
from predictor_service.serving import Failed, Serving


@dataclass
class Loader:
    """Opens a bundle's folder as a classifier that knows no more than its version, unless it is `broken`."""

    opened: list[str]

    def __call__(self, folder: Path) -> Classifier:
        """Open, or raise what a damaged bundle raises."""
        self.opened.append(folder.name)
        if folder.name == "broken":
            raise BundleError("weights: the SHA-256 differs")
        made = object.__new__(Classifier)
        made.version = folder.name
        return made


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """Three bundles' folders, `one` the current one."""
    for name in ("one", "two", "broken"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text("{}")
    (tmp_path / "current").write_text("one\n")
    return tmp_path


def settle(serving: Serving) -> Classifier | Failed | None:
    """Look, wait until the loading has ended, and change."""
    serving.look()
    if serving._thread is not None:
        serving._thread.join()
    return serving.change()


def test_serving_starts_with_the_current_bundle(bundles: Path) -> None:
    """What the configuration names is loaded once."""
    load = Loader([])
    assert "one" == Serving(bundles, load).model.version
    assert ["one"] == load.opened


def test_serving_changes_after_a_promotion(bundles: Path) -> None:
    """The promoted bundle takes over, and is loaded once."""
    load = Loader([])
    serving = Serving(bundles, load)
    (bundles / "current").write_text("two\n")
    changed = settle(serving)
    assert "two" == cast("Classifier", changed).version == serving.model.version
    assert settle(serving) is None
    assert ["one", "two"] == load.opened


def test_serving_keeps_the_old_one_when_the_next_fails(bundles: Path) -> None:
    """A damaged bundle is told once, never tried again, and does not take over."""
    load = Loader([])
    serving = Serving(bundles, load)
    (bundles / "current").write_text("broken\n")
    failed = settle(serving)
    assert isinstance(failed, Failed)
    assert "SHA-256" in failed.reason
    assert settle(serving) is None
    assert ("one", ["one", "broken"]) == (serving.model.version, load.opened)


def test_bundle_whose_expectations_cannot_be_announced_is_refused(tmp_path: Path) -> None:
    """In one line, before it serves."""
    folder = tmp_path / "bundle"
    shutil.copytree(resolve_bundle(PROJECT / "model" / "bundles"), folder)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "expectations": {"accuracy": "high"}}))

    with pytest.raises(BundleError, match="the bundle's expectations: Expected `float`"):
        load(Settings(model=Model(bundle=folder)))


def test_serving_goes_on_when_the_pointer_leads_nowhere(bundles: Path) -> None:
    """A pointer to a bundle that is not there changes nothing."""
    serving = Serving(bundles, Loader([]))
    (bundles / "current").write_text("missing\n")
    assert settle(serving) is None
    assert "one" == serving.model.version
