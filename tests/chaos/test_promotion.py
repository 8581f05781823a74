"""Promoting and rolling back while the line is busy."""

import json
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from model.manifest import resolve_bundle
from model.registry import promote, rollback
from tests.chaos.pictures import picture
from tests.chaos.world import ROOT, World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

FOLDERS = 30
IMAGES = 100


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """The committed bundle twice, as versions `first` (the current one) and `second`."""
    folder = tmp_path / "bundles"
    for version in ("first", "second"):
        shutil.copytree(resolve_bundle(ROOT / "model" / "bundles"), folder / version)
        manifest = folder / version / "manifest.json"
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "version": version}))
    (folder / "current").write_text("first\n")
    return folder


def test_promotion_under_load_loses_nothing(tmp_path: Path, bundles: Path, mosquitto_program: Path) -> None:
    """Every image has one row, the version that made it stands there, and both versions served."""
    rng = random.Random(0)
    world = World(tmp_path / "world", predictors=1, settings={"TAILORBIRD__MODEL__BUNDLE": str(bundles)})
    (tmp_path / "world").mkdir()
    with world:
        dropped = 0

        def drop_until(versions: set[str]) -> None:
            nonlocal dropped
            for _ in range(FOLDERS):
                folder = tmp_path / f"hidden-{dropped}"
                folder.mkdir()
                for i in range(IMAGES):
                    (folder / f"{i}.png").write_bytes(picture(rng))
                folder.rename(world.inbox / f"folder-{dropped}")
                dropped += IMAGES
                if versions <= set(made(world)):
                    return

        drop_until({"first"})
        promote(bundles, "second")
        drop_until({"first", "second"})
        assert "first" == rollback(bundles)
        world.wait(lambda: len(changes(world)) >= 2, 60, "the rollback")
        drop_until({"never"})
        world.wait(lambda: sum(made(world).values()) >= dropped, 90, "every row", 0.25)
        assert dropped == sum(made(world).values())
        assert {"first", "second"} == set(made(world))
        assert 0 == len(world.query("SELECT 1 FROM failures UNION ALL SELECT 1 FROM rejects"))


def made(world: World) -> Counter[str]:
    """Return how many predictions each version made."""
    found = world.query("SELECT model_version, COUNT(*) FROM predictions GROUP BY 1")
    return Counter({str(version): int(str(count)) for version, count in found})


def changes(world: World) -> list[str]:
    """Return what the predictor said of its changes."""
    return [
        str(detail) for (detail,) in world.query("SELECT detail FROM events WHERE event = 'model-changed'")
    ]
