"""A bundle is written whole, and a changed byte is noticed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from model.bundle import Golden, new_bundle, read_golden, seal, verify, write_golden
from model.manifest import BundleError
from tests.model.test_manifest import MANIFEST


def sealed(folder: Path) -> Path:
    """A bundle with a golden file and one other."""
    with new_bundle(folder, MANIFEST.version) as scratch:
        write_golden(scratch, Golden(np.zeros((2, 28, 28), np.uint8), np.ones((2, 10), np.float32)))
        (scratch / "graph.onnx").write_bytes(b"graph")
        seal(scratch, MANIFEST)
    return folder / MANIFEST.version


def test_a_sealed_bundle_is_whole(tmp_path: Path) -> None:
    """Every file but the manifest is in the manifest, with the SHA-256 that it has."""
    manifest = verify(sealed(tmp_path))

    assert set(manifest.files) == {"golden.npz", "graph.onnx"}


@pytest.mark.parametrize("name", ["golden.npz", "graph.onnx"])
def test_a_changed_byte_is_noticed(tmp_path: Path, name: str) -> None:
    """The line names the file."""
    file = sealed(tmp_path) / name
    file.write_bytes(file.read_bytes()[:-1] + b"!")

    with pytest.raises(BundleError, match=f"{name}: damaged"):
        verify(file.parent)


def test_a_missing_file_is_noticed(tmp_path: Path) -> None:
    """The line names the file."""
    bundle = sealed(tmp_path)
    (bundle / "graph.onnx").unlink()

    with pytest.raises(BundleError, match=r"graph\.onnx: No such file"):
        verify(bundle)


def test_golden_values_survive_their_file(tmp_path: Path) -> None:
    """What was written is what is read."""
    golden = Golden(np.arange(784, dtype=np.uint8).reshape(1, 28, 28), np.array([[1.5, -2.5]], np.float32))
    write_golden(tmp_path, golden)

    read = read_golden(tmp_path)

    np.testing.assert_array_equal(golden.pixels, read.pixels)
    np.testing.assert_array_equal(golden.logits, read.logits)


def test_a_golden_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """Neither a missing nor a damaged file is golden."""
    with pytest.raises(BundleError, match=r"golden\.npz"):
        read_golden(tmp_path)
    (tmp_path / "golden.npz").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(BundleError, match=r"golden\.npz"):
        read_golden(tmp_path)


def test_a_bundle_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Nobody sees half a bundle."""

    def fill() -> None:
        with new_bundle(tmp_path, "v1") as scratch:
            (scratch / "graph.onnx").write_bytes(b"half")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk"):
        fill()

    assert list(tmp_path.iterdir()) == []


def test_a_version_is_never_overwritten(tmp_path: Path) -> None:
    """The same version twice is refused."""
    sealed(tmp_path)

    with pytest.raises(BundleError, match="exists"):
        sealed(tmp_path)


def test_the_committed_bundle_is_whole_and_small(bundle: Path) -> None:
    """Every file has its SHA-256, and the whole is below 4 MiB."""
    verify(bundle)

    assert sum(file.stat().st_size for file in bundle.rglob("*") if file.is_file()) < 4 * 1024 * 1024


def test_a_moved_bundle_is_still_whole(bundle: Path, tmp_path: Path) -> None:
    """Nothing in a bundle names the place where it was made."""
    verify(Path(shutil.copytree(bundle, tmp_path / "elsewhere")))
