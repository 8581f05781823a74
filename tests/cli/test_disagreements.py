"""`models disagree`, on a database that the store's own writer made; and a shadow on a line that runs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from broker.messages import JobProgress, Prediction, PredictionBatch, ShadowBatch, Status
from broker.settings import Settings
from broker.settings_reader import read_settings
from broker.topics import Topics
from cli.reader import Reader
from store import database
from store.disagreements import disagreement
from store.queries import reading
from store.upgrading import upgrade
from store.writer import Writer
from tests.cli.conftest import PICTURES, RunCli, Started
from tests.cli.test_models import add_bundle
from tests.waiting import until

AT = "2026-11-22T13:16:01.123Z"
OF: dict[str, Any] = {"job_id": "j1", "source": "shop", "predicted_at": AT}


def predictions(**labels: str) -> tuple[Prediction, ...]:
    """Return a prediction for each image."""
    return tuple(
        Prediction(image=f"{name}.png", label=label, confidence=0.75, probabilities={label: 0.75})
        for name, label in labels.items()
    )


@pytest.fixture
def settings(config: Path) -> Settings:
    """A database in which m1 has served and m2 was on trial."""
    found = read_settings(config, {}).settings
    found.paths.state.mkdir()
    engine = database.writing_engine(found.store)
    upgrade(engine, database.file_of(found.store.url))
    batch = {**OF, "batch_id": "b1", "predictor": "1"}
    Writer(engine).write(
        [
            JobProgress(
                batch_id="j",
                job_id="j1",
                source="shop",
                state="open",
                folder="autumn",
                opened_at=AT,
                seen=3,
                sent=3,
                stored=0,
                failed=0,
            ),
            PredictionBatch(**batch, model_version="m1", predictions=predictions(a="Bag", b="Coat", c="Bag")),
            ShadowBatch(**batch, model_version="m2", predictions=predictions(a="Bag", b="Dress", c="Coat")),
        ]
    )
    engine.dispose()
    return found


@pytest.mark.usefixtures("settings")
def test_disagree_names_rate_pairs_and_images(cli: RunCli, config: Path) -> None:
    """In JSON, with the folder of each image."""
    done = cli("models", "disagree", "m1", "m2", "--limit", "1", "--json", config=config)
    found = json.loads(done.stdout)

    assert (0, 3, 2) == (done.returncode, found["images"], found["differing"])
    assert ["Bag -> Coat: 1", "Coat -> Dress: 1"] == [
        f"{pair['first']} -> {pair['second']}: {pair['images']}" for pair in found["pairs"]
    ]
    assert [("autumn", "b.png", "Coat", 0.75, "Dress", 0.75)] == [
        tuple(one.values())[1:] for one in found["disputed"]
    ]


@pytest.mark.usefixtures("settings")
def test_disagree_as_text_begins_with_the_rate(cli: RunCli, config: Path) -> None:
    """Then a line for each pair and each image."""
    done = cli("models", "disagree", "m1", "m2", config=config)

    assert "2 of 3 images have two labels: 66.67%" == done.stdout.splitlines()[0]
    assert "c.png  Bag 75.0%   Coat 75.0%" in done.stdout


@pytest.mark.usefixtures("settings")
def test_disagree_about_nothing_is_one_line(cli: RunCli, config: Path) -> None:
    """A version that has answered none of the other's images."""
    done = cli("models", "disagree", "m1", "m9", config=config)

    assert (1, "tailorbird: no image was answered by both m1 and m9\n") == (done.returncode, done.stderr)


@pytest.mark.usefixtures("mosquitto_program")
def test_shadow_runs_beside_the_line(config: Path, tmp_path: Path, start: Callable[..., Started]) -> None:
    """Its answers stand in the database, the line's rows are the serving model's alone."""
    add_bundle(tmp_path / "bundles", "old", AT)
    add_bundle(tmp_path / "bundles", "new", AT)
    (tmp_path / "bundles" / "current").write_text("old\n")
    text = f'{config.read_text()}\n[model]\nbundle = "bundles"\n[predictor_service]\nshadow = "new"\n'
    config.write_text(text)
    settings = read_settings(config, {}).settings
    up = start("up", "--config", str(config))
    up.wait_for("Ctrl-C stops it.")
    with Reader(settings, [Topics().status("predictor_service", "shadow")]) as reader:
        until(lambda: any(isinstance(m, Status) and m.state == "online" for _, m in reader.hear(0.1)))
    log = settings.paths.state / "log" / "predictor_service-shadow.log"
    shutil.copytree(PICTURES / "Bag", settings.ingest_agent.inbox / "bags")
    wanted = len(list((PICTURES / "Bag").iterdir()))

    def compared() -> bool:
        with reading(settings.store) as connection:
            return disagreement(connection, "old", "new").images == wanted

    until(compared)
    assert 0 == up.stop(), log.read_text()


@pytest.mark.usefixtures("mosquitto_program")
def test_shadow_that_cannot_run_does_not_hold_up_the_line(
    config: Path, start: Callable[..., Started]
) -> None:
    """One line says so, and everything else starts."""
    config.write_text(f'{config.read_text()}\n[predictor_service]\nshadow = "nobody"\n')
    up = start("up", "--config", str(config))
    up.wait_for("Ctrl-C stops it.")
    up.wait_for("predictor_service-shadow cannot run")
    assert "no bundle is called 'nobody'" in up.said
    assert 0 == up.stop()
