"""What the tests of the model share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from model.manifest import resolve_bundle

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def fashion_mnist() -> Path:
    """The directory with Fashion-MNIST's IDX files; skips where it is absent."""
    folder = Path(os.environ.get("TAILORBIRD_TEST_DATA", ROOT.parent / "shared" / "data")) / "fashion-mnist"
    if not folder.is_dir():
        pytest.skip(f"no Fashion-MNIST at {folder}; TAILORBIRD_TEST_DATA names another folder")
    return folder


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The bundle that the repository holds as its current one."""
    return resolve_bundle(ROOT / "model" / "bundles")
