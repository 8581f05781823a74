"""`review`, `relabel` and `labels`: what they refuse, and all of them on a line that runs."""

import json
import shutil
from pathlib import Path

import pytest

from broker.settings import Settings
from broker.settings_reader import read_settings
from store import database
from store.queries import reading
from store.selections import Selection, selected
from store.upgrading import upgrade
from store.writer import Writer
from tests.cli.conftest import PICTURES, RunCli, RunningUp
from tests.store.workbench import JOB, Make


@pytest.fixture
def settings(config: Path) -> Settings:
    """A database with two bags, and no line that runs."""
    found = read_settings(config, {}).settings
    found.paths.state.mkdir()
    engine = database.writing_engine(found.store)
    upgrade(engine, database.file_of(found.store.url))
    Writer(engine).write([Make().progress("open", 2), Make().batch("a.png", "b.png")])
    engine.dispose()
    return found


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["review", "--job", "j9"], 1, "no prediction is like that: try fewer or other options"),
        (["review"], 3, "no broker listens on 127.0.0.1:"),
        (["relabel", "--to", "Hat", "--from", "Bag"], 1, "no class is called 'Hat'; there are T-shirt/top, "),
        (["relabel", "--to", "Bag"], 2, "Invalid value: say which images: --from, --job, "),
        (["labels", "import", "/nowhere"], 3, "/nowhere: No such file or directory"),
        (["labels", "import", __file__], 1, f"{__file__}: no JSON: "),
    ],
)
def test_what_cannot_be_is_one_line(
    cli: RunCli, config: Path, arguments: list[str], code: int, line: str
) -> None:
    """With the exit code of its kind."""
    done = cli(*arguments, config=config)

    assert code == done.returncode
    assert done.stderr.startswith(f"tailorbird: {line}")
    assert 1 == done.stderr.count("\n")


@pytest.mark.usefixtures("settings")
def test_dry_run_shows_and_asks_nothing(cli: RunCli, config: Path) -> None:
    """No broker is needed for that."""
    done = cli("relabel", "--to", "Coat", "--image", "a*", "--dry-run", config=config)

    assert (0, "1 image to become Coat\n") == (done.returncode, done.stderr)
    assert "autumn  a.png  Bag         75.0%" in done.stdout


@pytest.mark.usefixtures("settings")
def test_relabel_without_a_yes_changes_nothing(cli: RunCli, config: Path) -> None:
    """It asks before it connects."""
    done = cli("relabel", "--to", "Coat", "--job", JOB, config=config, typed="n\n")

    assert 1 == done.returncode
    assert done.stderr.endswith("tailorbird: nothing was changed\n")


@pytest.mark.usefixtures("settings")
def test_export_leaves_out_what_nobody_could_see(cli: RunCli, config: Path, settings: Settings) -> None:
    """Without pixels it is the path of the photo, where that is there still."""
    photo = settings.ingest_agent.inbox / "autumn" / "a.png"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(b"x")

    done = cli("labels", "export", config=config)

    assert "1 tasks; 1 images have neither pixels nor photo\n" == done.stderr
    assert [str(photo)] == [task["data"]["image"] for task in json.loads(done.stdout)]


@pytest.mark.usefixtures("settings")
def test_import_names_each_task_it_does_not_take(cli: RunCli, config: Path, tmp_path: Path) -> None:
    """An unknown image, an unknown class, and something that is no task."""
    file = tmp_path / "labels.json"
    image = {"job_id": JOB, "name": "a.png"}
    file.write_text(json.dumps([{**image, "name": "x", "label": "Bag"}, {**image, "label": "Hat"}, 5, image]))

    done = cli("labels", "import", str(file), config=config)

    assert 1 == done.returncode
    assert [
        f"task 1: the job {JOB} has no prediction for 'x'",
        "task 2: no class is called 'Hat'",
        "task 3: it is no object",
        "no new answers",
        f"tailorbird: {file}: 3 tasks were not taken",
    ] == done.stderr.splitlines()


@pytest.mark.slow
def test_answers_travel_over_the_line_and_back(cli: RunCli, line: RunningUp, tmp_path: Path) -> None:
    """By key, by selection, and by way of Label Studio's file, whose round trip changes nothing."""
    folder = tmp_path / "to review"
    shutil.copytree(PICTURES / "Bag", folder)
    found = json.loads(cli("classify", str(folder), "--json", config=line.config).stdout)
    (job,), count = found["jobs"], len(found["images"])

    def standing() -> dict[str, str]:
        with reading(line.settings.store) as connection:
            return {one.image: one.reviewed for one in selected(connection, Selection(job=job))}

    done = cli("review", "--job", job, config=line.config, typed="i\nu\n?\ni\nq\n")
    assert (0, "1 answer stored\n") == (done.returncode, done.stderr)
    assert "true accuracy not known yet from 1 answer; " in done.stdout
    assert 1 == sum(label == "Bag" for label in standing().values())

    done = cli("relabel", "--to", "Coat", "--job", job, "--yes", config=line.config)
    assert 0 == done.returncode, done.stderr
    assert ["Bag"] + ["Coat"] * (count - 1) == sorted(standing().values())

    file = tmp_path / "labels.json"
    assert (
        0
        == cli("labels", "export", "-o", str(file), "--job", job, "--reviewed", config=line.config).returncode
    )
    tasks = json.loads(file.read_text())
    assert all(task["data"]["image"].startswith("data:image/png;base64,") for task in tasks)
    before = standing()
    assert "no new answers\n" == cli("labels", "import", str(file), config=line.config).stderr

    file.write_text(file.read_text().replace('"Coat"', '"Dress"'))
    assert 0 == cli("labels", "import", str(file), "--reviewer", "studio", config=line.config).returncode
    assert {image: label.replace("Coat", "Dress") for image, label in before.items()} == standing()
