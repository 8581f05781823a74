"""Model bundles on disk: write one whole, read its parts, and know when a byte has changed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from model.manifest import MANIFEST, BundleError, Manifest, load_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

GOLDEN = "golden.npz"
LAYERS = "layers.json"
WEIGHTS = "weights.bin"
CARD = "card.md"


@dataclass(frozen=True)
class Golden:
    """Inputs (n, 28, 28) uint8 and the reference's logits (n, classes) float32 for them."""

    pixels: NDArray[np.uint8]
    logits: NDArray[np.float32]


def sha256(file: Path) -> str:
    """Return the file's SHA-256 in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verify(bundle: Path) -> Manifest:
    """Check every file of a bundle against its manifest's SHA-256. Raises `BundleError`."""
    manifest = load_manifest(bundle)
    for name, wanted in manifest.files.items():
        file = bundle / name
        if Path(name).is_absolute() or ".." in Path(name).parts:
            message = f"{bundle / MANIFEST}: {name!r} lies outside the bundle"
            raise BundleError(message)
        try:
            found = sha256(file)
        except OSError as error:
            message = f"{file}: {error.strerror}"
            raise BundleError(message) from error
        if found != wanted:
            message = f"{file}: damaged, its SHA-256 is not the manifest's"
            raise BundleError(message)
    return manifest


def read_golden(bundle: Path) -> Golden:
    """Read the bundle's golden inputs and outputs. Raises `BundleError`."""
    file = bundle / GOLDEN
    try:
        # From memory: given a file that is no archive, NumPy forgets to close it.
        with np.load(BytesIO(file.read_bytes()), allow_pickle=False) as content:
            return Golden(content["pixels"], content["logits"])
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        message = f"{file}: no golden inputs and outputs: {error}"
        raise BundleError(message) from error


def graph_file(bundle: Path, precision: str) -> Path:
    """Find the graph for a precision: int8 has its own, the others share `f32`. Raises `BundleError`."""
    graphs = load_manifest(bundle).graphs
    name = graphs.get("int8" if precision == "int8" else "f32")
    if name is None:
        raise BundleError(f"{bundle / MANIFEST}: names no graph for {precision}")
    return bundle / name


def write_golden(bundle: Path, golden: Golden) -> None:
    """Write the golden inputs and outputs into a bundle's directory."""
    np.savez_compressed(bundle / GOLDEN, pixels=golden.pixels, logits=golden.logits)


def seal(bundle: Path, manifest: Manifest) -> Manifest:
    """Write the manifest, with the SHA-256 of every other file, into a bundle's directory."""
    names = sorted(str(file.relative_to(bundle)) for file in bundle.rglob("*") if file.is_file())
    sealed = replace(manifest, files={name: sha256(bundle / name) for name in names if name != MANIFEST})
    text = json.dumps(sealed.to_dict(), indent=2, ensure_ascii=False) + "\n"
    (bundle / MANIFEST).write_text(text, encoding="utf-8")
    return sealed


@contextmanager
def new_bundle(bundles: Path, version: str) -> Iterator[Path]:
    """Give a directory to fill, which becomes `bundles/version` when the block ends well.

    Nobody sees half a bundle. Raises `BundleError` when the version exists.
    """
    target = bundles / version
    if target.exists():
        message = f"{target}: this version exists"
        raise BundleError(message)
    bundles.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{version}.", dir=bundles))
    try:
        yield scratch
        scratch.chmod(0o755)
        os.rename(scratch, target)  # noqa: PTH104  Path.rename would say the same, less plainly
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
