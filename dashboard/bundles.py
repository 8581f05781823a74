"""The bundles in their folder: what each says of itself, and which serves."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from broker.settings import Model
from model.manifest import (
    BundleError,
    Manifest,
    bundle_folders,
    bundles_folder,
    current_version,
    history,
    load_manifest,
)


@dataclass(frozen=True)
class Bundle:
    """A bundle: its manifest, and how much room it takes."""

    manifest: Manifest
    size_bytes: int

    @property
    def version(self) -> str:
        """Its name."""
        return self.manifest.version


@dataclass(frozen=True)
class Shelf:
    """All bundles, the newest first, and which of them serves.

    `previous` is where a rollback leads, "" for nowhere. `for_good`: the configuration names one bundle.
    """

    folder: str
    bundles: tuple[Bundle, ...] = ()
    current: str = ""
    previous: str = ""
    for_good: bool = False
    troubles: tuple[str, ...] = field(default=())

    def named(self, version: str) -> Bundle | None:
        """Return the bundle of that version, None where there is none."""
        return next((one for one in self.bundles if one.version == version), None)


def look(settings: Model) -> Shelf:
    """Read the folder of bundles; what cannot be read of it is told in `troubles`."""
    folder = bundles_folder(settings.bundle)
    for_good = folder != settings.bundle
    found, troubles = list[Bundle](), list[str]()
    current, previous = "", ""
    try:
        for one in bundle_folders(folder):
            try:
                found.append(_bundle(one))
            except BundleError as problem:
                troubles.append(str(problem))
        current = settings.bundle.name if for_good else current_version(folder) or ""
        past = [] if for_good else history(folder)
        previous = past[-1] if past else ""
    except OSError as problem:
        troubles.append(f"{problem.filename or folder}: {problem.strerror}")
    newest = sorted(found, key=lambda one: (one.manifest.created_at, one.version), reverse=True)
    return Shelf(str(folder), tuple(newest), current, previous, for_good, tuple(troubles))


def _bundle(folder: Path) -> Bundle:
    manifest = load_manifest(folder)
    if manifest.version != folder.name:
        raise BundleError(f"{folder}: the manifest says it is {manifest.version}")
    return Bundle(manifest, sum(_sizes(folder)))


def _sizes(folder: Path) -> Iterator[int]:
    return (file.lstat().st_size for file in folder.rglob("*") if file.is_file())


def serving(settings: Model) -> str:
    """Return the version that serves now; one small file."""
    folder = bundles_folder(settings.bundle)
    try:
        return settings.bundle.name if folder != settings.bundle else current_version(folder) or ""
    except OSError:
        return ""
