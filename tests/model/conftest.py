"""What the tests of the model share."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.manifest import resolve_bundle

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The bundle that the repository holds as its current one."""
    return resolve_bundle(ROOT / "model" / "bundles")
