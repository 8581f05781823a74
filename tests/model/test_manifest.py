"""A manifest says what a bundle is, and a wrong one is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model.manifest import CLASSES, BundleError, Manifest, load_manifest, resolve_bundle
from model.preprocessing import InputSpec

MANIFEST = Manifest(
    version="2026-11-22-abcdef0",
    created_at="2026-11-22T12:00:00.000Z",
    classes=CLASSES,
    input=InputSpec(),
    temperature=1.25,
    weights=1000,
    accuracy={"validation": {"accuracy": 0.93}},
    files={"golden.npz": "00"},
)


def written(folder: Path, **changes: Any) -> Path:
    """A bundle's directory with a manifest in which some fields are changed; `None` takes one away."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {name: value for name, value in {**MANIFEST.to_dict(), **changes}.items() if value is not None}
    (folder / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_a_manifest_survives_its_file(tmp_path: Path) -> None:
    """What was written is what is read."""
    assert load_manifest(written(tmp_path)) == MANIFEST


def test_a_precision_may_have_a_temperature_of_its_own(tmp_path: Path) -> None:
    """The others take the reference's."""
    manifest = load_manifest(written(tmp_path, temperatures={"int8": 1.5}))

    assert (1.5, 1.25) == (manifest.temperature_of("int8"), manifest.temperature_of("bf16"))


def test_unknown_fields_are_ignored(tmp_path: Path) -> None:
    """A later version may add fields."""
    assert load_manifest(written(tmp_path, future=1)) == MANIFEST


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"version": None}, "version"),
        ({"version": "../x"}, "no version name"),
        ({"classes": None}, "lacks 'classes'"),
        ({"classes": ["Bag", "Bag"]}, "classes"),
        ({"temperature": 0}, "temperature"),
        ({"temperature": "hot"}, "hot"),
        ({"temperatures": {"int8": 0}}, "temperature"),
        ({"temperatures": {"int8": "hot"}}, "hot"),
        ({"temperatures": [1.0]}, "temperatures"),
        ({"spread": -0.1}, "spread"),
        ({"input": {"height": "x"}}, "height"),
        ({"files": ["golden.npz"]}, "files"),
    ],
)
def test_a_wrong_manifest_is_refused_in_one_line(
    tmp_path: Path, changes: dict[str, Any], complaint: str
) -> None:
    """The line names the file and what is wrong in it."""
    with pytest.raises(BundleError, match=complaint) as caught:
        load_manifest(written(tmp_path, **changes))

    assert str(caught.value).startswith(f"{tmp_path / 'manifest.json'}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", "{", "\udcff"])
def test_a_file_that_is_no_manifest_is_refused(tmp_path: Path, content: str) -> None:
    """Bytes that are no JSON object are named as such."""
    (tmp_path / "manifest.json").write_bytes(content.encode("utf-8", "surrogateescape"))

    with pytest.raises(BundleError, match="JSON"):
        load_manifest(tmp_path)


def test_a_missing_manifest_is_refused(tmp_path: Path) -> None:
    """The line says which file is missing."""
    with pytest.raises(BundleError, match=r"manifest\.json: No such file"):
        load_manifest(tmp_path / "manifest.json")


def test_current_names_the_bundle(tmp_path: Path) -> None:
    """A directory of bundles stands for the one that `current` names; a bundle stands for itself."""
    bundle = written(tmp_path / MANIFEST.version)
    (tmp_path / "current").write_text(f"{MANIFEST.version}\n", encoding="utf-8")

    assert (bundle, bundle) == (resolve_bundle(tmp_path), resolve_bundle(bundle))


@pytest.mark.parametrize("current", [None, "", "missing", "../outside", "."])
def test_current_that_names_no_bundle_is_refused(tmp_path: Path, current: str | None) -> None:
    """A pointer to nothing, or to somewhere else, is one line."""
    written(tmp_path / "outside")
    bundles = tmp_path / "bundles"
    bundles.mkdir()
    if current is not None:
        (bundles / "current").write_text(current, encoding="utf-8")

    with pytest.raises(BundleError, match=str(bundles)):
        resolve_bundle(bundles)
