"""The bundles in their folder: what each says of itself, which serves, and the pictures of its card."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from broker.settings import Model
from model.manifest import (
    VERSION_NAME,
    BundleError,
    Manifest,
    bundle_folders,
    bundles_folder,
    current_version,
    history,
    load_manifest,
)

TRAINING = "training.png"
PICTURES = {
    TRAINING: "Validation accuracy after each epoch of training",
    "confusion.png": "Confusion on the validation images: rows the truth, columns the answer",
    "reliability.png": "Accuracy by confidence on the validation images: on the line it means what it says",
}
"""The only files of a bundle that can be read through the page."""
LARGEST_PICTURE_BYTES = 4_000_000


@dataclass(frozen=True)
class Bundle:
    """A bundle: its manifest, how much room it takes, and which of the pictures it has."""

    manifest: Manifest
    size_bytes: int
    pictures: tuple[str, ...]

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
    size = sum(_sizes(folder))
    return Bundle(manifest, size, tuple(name for name in PICTURES if (folder / name).is_file()))


def _sizes(folder: Path) -> Iterator[int]:
    return (file.lstat().st_size for file in folder.rglob("*") if file.is_file())


def serving(settings: Model) -> str:
    """Return the version that serves now; one small file."""
    folder = bundles_folder(settings.bundle)
    try:
        return settings.bundle.name if folder != settings.bundle else current_version(folder) or ""
    except OSError:
        return ""


def picture_of(settings: Model, version: str, name: str) -> bytes | None:
    """Return one of the pictures of a bundle that is there; None for everything else."""
    if name not in PICTURES or not VERSION_NAME.fullmatch(version):
        return None
    file = bundles_folder(settings.bundle) / version / name
    try:
        if file.parent not in bundle_folders(bundles_folder(settings.bundle)) or file.is_symlink():
            return None
        content = file.read_bytes() if file.stat().st_size <= LARGEST_PICTURE_BYTES else b""
    except OSError:
        return None
    return content if content.startswith(b"\x89PNG\r\n") else None
