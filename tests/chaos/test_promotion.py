"""Promoting and rolling back while the line is busy."""

import json
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from model.manifest import resolve_bundle
from model.registry import promote, rollback
from tests.chaos.pictures import picture
from tests.chaos.world import ROOT, World

pytestmark = pytest.mark.slow

IMAGES = 100
IN_FLIGHT = 1000
"""So many images are on their way all the time."""
LONGEST_S = 60.0


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

        def drop_until(condition: Callable[[], bool]) -> None:
            nonlocal dropped
            deadline = time.monotonic() + LONGEST_S
            while not condition() and time.monotonic() < deadline:
                folder = tmp_path / f"hidden-{dropped}"
                folder.mkdir()
                for i in range(IMAGES):
                    (folder / f"{i}.png").write_bytes(picture(rng))
                folder.rename(world.inbox / f"folder-{dropped}")
                dropped += IMAGES
                world.wait(partial(has, world, dropped - IN_FLIGHT), 60, "rows to follow")
            assert condition()

        drop_until(lambda: made(world)["first"] > 0)
        promote(bundles, "second")
        drop_until(lambda: made(world)["second"] > 0)
        first = made(world)["first"]
        assert "first" == rollback(bundles)
        drop_until(lambda: made(world)["first"] > first)
        world.wait(partial(has, world, dropped), 90, "every row", 0.25)
        assert dropped == sum(made(world).values())
        assert [] == world.query("SELECT 1 FROM failures UNION ALL SELECT 1 FROM rejects")
        world.wait(lambda: len(changes(world)) == 2, 60, "both changes in the event log")


def has(world: World, rows: int) -> bool:
    """Tell whether there are so many predictions."""
    return sum(made(world).values()) >= rows


def made(world: World) -> Counter[str]:
    """Return how many predictions each version made."""
    found = world.query("SELECT model_version, COUNT(*) FROM predictions GROUP BY 1")
    return Counter({str(version): int(str(count)) for version, count in found})


def changes(world: World) -> list[str]:
    """Return what the predictor said of its changes."""
    return [
        str(detail) for (detail,) in world.query("SELECT detail FROM events WHERE event = 'model-changed'")
    ]
