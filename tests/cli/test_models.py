"""Bundles from the command line, on copies of the project's own; the gate measures on its samples."""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.settings_reader import PROJECT
from cli.application import main
from model import engines
from model.manifest import resolve_bundle

OWN = resolve_bundle(PROJECT / "model" / "bundles")
PICTURES = PROJECT / "samples" / "pictures"
Call = Callable[..., tuple[int, str, str]]


def add_bundle(bundles: Path, version: str, created_at: str) -> Path:
    """Copy the project's bundle under another name."""
    folder = bundles / version
    shutil.copytree(OWN, folder)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    text = json.dumps({**manifest, "version": version, "created_at": created_at})
    (folder / "manifest.json").write_text(text)
    return folder


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """Two bundles, `old` the current one."""
    folder = tmp_path / "bundles"
    add_bundle(folder, "old", "2026-11-01T00:00:00.000Z")
    add_bundle(folder, "new", "2026-11-02T00:00:00.000Z")
    (folder / "current").write_text("old\n")
    return folder


@pytest.fixture
def call(bundles: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """`call("models", "list")`: run a command on these bundles; exit code, stdout and stderr."""
    monkeypatch.setenv("TAILORBIRD__MODEL__BUNDLE", str(bundles))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_list_marks_the_one_that_serves(call: Call) -> None:
    """The newest stands last."""
    code, out, _ = call("models", "list", "--json")

    assert 0 == code
    assert [("old", True), ("new", False)] == [(one["version"], one["current"]) for one in json.loads(out)]


def test_list_as_a_table_has_a_line_for_each(call: Call) -> None:
    """And a star before the current one."""
    _, out, _ = call("models", "list")

    assert [["*", "old"], ["new", "2026-11-02T00:00:00.000Z"]] == [
        line.split()[:2] for line in out.splitlines()[1:]
    ]


def test_show_prints_the_card(call: Call, bundles: Path) -> None:
    """As it stands in the bundle."""
    code, out, _ = call("models", "show", "new")

    assert (0, (bundles / "new" / "card.md").read_text() + "\n") == (code, out)


@pytest.mark.parametrize("name", ["nobody", "../bundles", ".", ""])
def test_show_of_no_bundle_is_one_line(call: Call, name: str) -> None:
    """Names that lead elsewhere are no bundles."""
    code, _, err = call("models", "show", name)

    assert (1, 1) == (code, err.count("\n"))
    assert err.startswith(f"tailorbird: no bundle is called {name!r}")


def test_compare_has_both_figures_of_each(call: Call) -> None:
    """The same weights have the same accuracy; the speed is measured."""
    code, out, _ = call("models", "compare", "old", "new", "--data", str(PICTURES), "--json")
    found = json.loads(out)

    assert 0 == code
    assert found["accuracy"]["before"] == found["accuracy"]["after"] > 0.5
    assert found["recall of Bag"].keys() == {"before", "after"}
    assert found["images/s"]["after"] > 0


def test_promotion_and_rollback_change_current(call: Call, bundles: Path) -> None:
    """Without data only by force, which says so."""
    code, out, err = call("models", "promote", "new", "--force")

    assert (0, "overridden: nothing was measured\n") == (code, err)
    assert "new serves from now on; ./tailorbird models rollback goes back to old\n" == out
    assert "new\n" == (bundles / "current").read_text()
    assert (0, "old serves from now on\n", "") == call("models", "rollback")
    assert "old\n" == (bundles / "current").read_text()


def test_promotion_without_data_is_a_usage_error(call: Call, bundles: Path) -> None:
    """The gate needs something to measure on."""
    code, _, err = call("models", "promote", "new")

    assert (2, "old\n") == (code, (bundles / "current").read_text())
    assert "--data DIR" in err


def test_gate_keeps_a_worse_bundle_out(call: Call, bundles: Path) -> None:
    """A temperature of 30 makes every answer timid: the calibration error grows."""
    manifest = json.loads((bundles / "new" / "manifest.json").read_bytes())
    timid = {**manifest, "temperature": 30.0, "temperatures": {}, "second": {}}
    (bundles / "new" / "manifest.json").write_text(json.dumps(timid))

    code, out, err = call("models", "promote", "new", "--data", str(PICTURES))

    assert (1, "old\n") == (code, (bundles / "current").read_text())
    assert re.search(r"^calibration error +\S+ % +\S+ %$|^calibration error +\S+ +\S+$", out, re.MULTILINE)
    assert re.search(r"new is not promoted: .*calibration error grows from", err)


def test_promotion_of_a_damaged_bundle_cannot_run(call: Call, bundles: Path) -> None:
    """Each file is held to its SHA-256, force or not."""
    (bundles / "new" / "weights.bin").write_bytes(b"")

    code, _, err = call("models", "promote", "new", "--force")

    assert (3, "old\n") == (code, (bundles / "current").read_text())
    assert "damaged" in err


def test_rollback_without_a_past_is_one_line(call: Call) -> None:
    """There is nothing to go back to."""
    code, _, err = call("models", "rollback")

    assert (1, 1) == (code, err.count("\n"))


def test_configuration_of_one_bundle_leaves_no_choice(
    call: Call, bundles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`current` would be changed and nobody would look at it."""
    monkeypatch.setenv("TAILORBIRD__MODEL__BUNDLE", str(bundles / "old"))

    code, _, err = call("models", "promote", "new", "--force")

    assert (3, "old\n") == (code, (bundles / "current").read_text())
    assert f"let it name {bundles}" in err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write for somebody else")
def test_promotion_by_root_is_the_owners_of_the_state(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the bundles lie in the state, `current` and `history` belong to whom it belongs to."""
    nobody = 65534
    with tempfile.TemporaryDirectory() as made:  # not below pytest's folder, into which only root may look
        state, bundles = Path(made), Path(made) / "models"
        for name in ("old", "new"):
            add_bundle(bundles, name, "2026-11-01T00:00:00.000Z")
        (bundles / "current").write_text("old\n")
        for place in (state, bundles):
            os.chown(place, nobody, nobody)
        monkeypatch.setenv("TAILORBIRD__PATHS__STATE", str(state))
        monkeypatch.setenv("TAILORBIRD__MODEL__BUNDLE", str(bundles))
        assert 0 == call("models", "promote", "new", "--force")[0]
        assert {nobody} == {(bundles / name).stat().st_uid for name in ("current", "history")}


def test_bench_model_measures_the_engines_that_are_here(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with its images per second and its memory; of one that cannot serve the bundle it says why."""
    monkeypatch.setattr(engines, "ENGINES", ("onnxruntime/f32", "onnxruntime/int8"))  # two starts are enough
    code, out, said = call("bench", "model", "--seconds", "0.1", "--json")
    found = json.loads(out)

    assert 0 == code
    assert ["onnxruntime/f32"] == [one["engine"] for one in found]
    assert "onnxruntime/int8 cannot be measured: " in said
    assert all(one["images_per_s"] > 0 and one["memory_mib"] > 0 for one in found)
