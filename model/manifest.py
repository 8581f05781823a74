"""What a model bundle says about itself, without loading the model."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from model.preprocessing import InputSpec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MANIFEST = "manifest.json"
SECOND = "second"
CURRENT = "current"
HISTORY = "history"
VERSION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


class BundleError(ValueError):
    """A model bundle is missing, damaged or not what it says; one line that names the file."""


@dataclass(frozen=True)
class Manifest:
    """A bundle's description. `accuracy` holds shares 0..1, `files` the SHA-256 of each file by name.

    `temperature` is the reference's, `temperatures` has those of other precisions; `calibration` says what
    they and `spread` do. `second` is empty for a bundle with one network. Otherwise its `below` is the
    confidence below which the bundle in the folder `second/` answers instead, and its `share` the share of
    the validation images for which it does. `weights` counts those of both.

    `expectations` is what the model should reach and see, from validation, all of it shares 0..1: `accuracy`,
    `calibration_error`, `classes` (by name: `accuracy`, the share of the images called so that are, `share`
    of all images, and `calibration_error`), and `statistics` (by name: the `edges` of bins, and by class
    the shares in them).

    `validation` says what the reference answered for the validation images: `confusion` has for each of
    `classes` the images by answer; `reliability` has for each bin of confidence, all equally wide, the number
    of images, their mean confidence and their accuracy.
    """

    version: str
    created_at: str
    classes: tuple[str, ...]
    input: InputSpec
    temperature: float
    weights: int
    temperatures: Mapping[str, float] = field(default_factory=dict)
    spread: float = 0.0
    accuracy: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    code: Mapping[str, Any] = field(default_factory=dict)
    thresholds: Mapping[str, Any] = field(default_factory=dict)
    graphs: Mapping[str, str] = field(default_factory=dict)
    expectations: Mapping[str, Any] = field(default_factory=dict)
    validation: Mapping[str, Any] = field(default_factory=dict)
    second: Mapping[str, float] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def temperature_of(self, precision: str) -> float:
        """Return the temperature that makes a precision's confidence mean what it says."""
        return float(self.temperatures.get(precision, self.temperature))

    def to_dict(self) -> dict[str, Any]:
        """Every field by its name, ready for JSON."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**plain, "classes": list(self.classes), "input": self.input.to_dict()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Manifest:
        """Read what `to_dict` wrote; unknown names are ignored. Raises `BundleError`."""
        known = {name: content[name] for name in cls.__dataclass_fields__ if name in content}
        try:
            known["classes"] = tuple(str(name) for name in content["classes"])
            known["input"] = InputSpec.from_dict(content["input"])
            known["temperature"] = float(content["temperature"])
            known["spread"] = float(content.get("spread", 0.0))
            manifest = cls(**known)
        except KeyError as error:
            message = f"the manifest lacks {error.args[0]!r}"
            raise BundleError(message) from error
        except (TypeError, ValueError) as error:
            message = f"the manifest is wrong: {error}"
            raise BundleError(message) from error
        _check(manifest)
        return manifest


def _check(manifest: Manifest) -> None:
    mappings = (
        "temperatures",
        "accuracy",
        "data",
        "code",
        "thresholds",
        "graphs",
        "expectations",
        "validation",
        "second",
        "files",
    )
    wrong = [name for name in mappings if not isinstance(getattr(manifest, name), dict)]
    if wrong:
        message = f"the manifest is wrong: {wrong[0]} must be an object"
        raise BundleError(message)
    if not isinstance(manifest.version, str) or not VERSION_NAME.fullmatch(manifest.version):
        message = f"the manifest is wrong: {manifest.version!r} is no version name"
        raise BundleError(message)
    if len(manifest.classes) < 2 or len(set(manifest.classes)) != len(manifest.classes):
        message = "the manifest is wrong: classes must be at least two different names"
        raise BundleError(message)
    values = (manifest.temperature, *manifest.temperatures.values())
    cold = [value for value in values if not _positive(value)]
    if cold:
        message = f"the manifest is wrong: temperature must be above 0, not {cold[0]}"
        raise BundleError(message)
    if not manifest.spread >= 0:
        message = f"the manifest is wrong: spread must be 0 or more, not {manifest.spread}"
        raise BundleError(message)

    if manifest.second and not all(_positive(manifest.second.get(name)) for name in ("below", "share")):
        message = f"the manifest is wrong: second must have below and share above 0, not {manifest.second}"
        raise BundleError(message)


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and value > 0


def load_manifest(path: Path) -> Manifest:
    """Read the manifest of the bundle in directory `path`, or the manifest file itself.

    Raises `BundleError`, one line with the file's name.
    """
    file = path / MANIFEST if path.is_dir() else path
    try:
        content = json.loads(file.read_bytes())
    except OSError as error:
        message = f"{file}: {error.strerror}"
        raise BundleError(message) from error
    except ValueError as error:
        message = f"{file}: no JSON: {error}"
        raise BundleError(message) from error
    if not isinstance(content, dict):
        message = f"{file}: not a JSON object"
        raise BundleError(message)
    try:
        return Manifest.from_dict(content)
    except BundleError as error:
        message = f"{file}: {error}"
        raise BundleError(message) from error


def bundles_folder(path: Path) -> Path:
    """Find the directory of bundles: `path` itself, or the one that the bundle `path` lies in."""
    return path.parent if (path / MANIFEST).is_file() else path


def named_bundle(path: Path, version: str) -> Path:
    """Find the bundle of that version beside the configured one, or below it. Raises `BundleError`."""
    folder = bundles_folder(path) / version
    if not VERSION_NAME.fullmatch(version) or not (folder / MANIFEST).is_file():
        raise BundleError(f"{bundles_folder(path)}: no bundle is called {version!r}")
    return folder


def resolve_bundle(path: Path) -> Path:
    """Find the bundle's directory: `path` itself, or the one that the file `current` below it names.

    Raises `BundleError`.
    """
    if (path / MANIFEST).is_file():
        return path
    try:
        version = (path / CURRENT).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: neither a model bundle ({MANIFEST}) nor a directory of bundles ({CURRENT})"
        raise BundleError(message) from error
    bundle = path / version
    if not VERSION_NAME.fullmatch(version) or not (bundle / MANIFEST).is_file():
        message = f"{path / CURRENT}: names {version!r}, and there is no such bundle"
        raise BundleError(message)
    return bundle


def bundle_folders(bundles: Path) -> list[Path]:
    """Return the folders of all bundles below a directory, by name, without those that are still made."""
    found = (file.parent for file in bundles.glob(f"*/{MANIFEST}"))
    return sorted(folder for folder in found if VERSION_NAME.fullmatch(folder.name))


def list_bundles(bundles: Path) -> list[Manifest]:
    """Return the manifests of all bundles below a directory, oldest first. Raises `BundleError`."""
    return sorted(
        (load_manifest(folder) for folder in bundle_folders(bundles)),
        key=lambda manifest: manifest.created_at,
    )


def current_version(bundles: Path) -> str | None:
    """Return the version that `current` names, None where there is none."""
    try:
        return (bundles / CURRENT).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None


def history(bundles: Path) -> list[str]:
    """Return the versions that were current before, latest last."""
    try:
        return (bundles / HISTORY).read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return []
