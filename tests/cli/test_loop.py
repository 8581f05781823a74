"""The whole loop: good images, bad ones, an alert, people's answers, a candidate, and the alert's end."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

from broker.settings_reader import PROJECT, read_settings
from cli.keys import ENTER
from cli.review_screen import QUIT
from cli.reviewer import reviewing
from cli.sitting import Sitting
from model.data import SPLITS, Dataset, load_dataset
from model.manifest import CLASSES
from samples.folders import write_folders
from store import queries
from store.questions import Questions
from store.review_scope import Scope
from tests.cli.conftest import RunCli, Started, write_configuration
from tests.model.test_data import idx
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ANSWERS = 200
MONITOR = """
[model]
bundle = "bundles"

[monitor]
window_images = 600
cooldown_s = 1.0
retrain_reviews = 200
"""


class Knowing:
    """Somebody who sees at once what a picture shows: it stands in the file's name."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.answers = 0

    def say(self, text: str) -> None:
        """Read what the screen says."""
        self.said.append(text)

    def key(self) -> str | None:
        """Press the key of the class that the latest question's file is named after."""
        if self.answers >= ANSWERS:
            return QUIT
        question = next(text for text in reversed(self.said) if ".png" in text)
        shown = re.search(r"\d{5} ([A-Za-z_ -]+)\.png", question)
        assert shown is not None, question
        name = shown[1].replace("_", "/")
        assert name in CLASSES
        self.answers += 1
        keys = dict(re.findall(r"(\S) (T-shirt/top|Ankle boot|[A-Z][a-z]+)(?=\s|$)", question))
        return next((key for key, label in keys.items() if label == name), ENTER)


def write_share(images: Dataset, split: str, count: int, folder: Path) -> None:
    """Write the first images of a split as IDX files: enough to learn from, and sooner measured on."""
    folder.mkdir(exist_ok=True)
    for kind, array in (("images-idx3", images.images[:count]), ("labels-idx1", images.labels[:count])):
        content = idx(np.ascontiguousarray(array, np.uint8))
        (folder / f"{SPLITS[split]}-{kind}-ubyte").write_bytes(content)


def test_the_whole_loop(
    fashion_mnist: Path,
    mosquitto_program: Path,
    tmp_path: Path,
    cli: RunCli,
    start: Callable[..., Started],
) -> None:
    """Blurred images raise the alert; 200 answers tell the truth; a candidate serves; the alert closes."""
    config = write_configuration(tmp_path)
    config.write_text(config.read_text() + MONITOR)
    shutil.copytree(PROJECT / "model" / "bundles", tmp_path / "bundles")
    folders = tmp_path / "folders"
    images, data = load_dataset(fashion_mnist, "train"), tmp_path / "data"
    write_folders(images, folders)
    write_share(images, "train", 12_000, data)
    write_share(load_dataset(fashion_mnist, "test"), "test", 2_000, data)
    line = start("up", "--config", str(config))
    line.wait_for("Ctrl-C stops it.")

    def alerts(*arguments: str) -> list[dict[str, str]]:
        done = cli("alerts", "--json", *arguments, config=config)
        return list(json.loads(done.stdout)["alerts"])

    def drop(folder: str) -> None:
        # In one step, so that no pause of a busy machine makes two jobs of it.
        (folders / folder).rename(tmp_path / "state" / "inbox" / folder)
        line.wait_for(f"\n{folder}: ")

    drop("good")
    assert [] == alerts("--all")
    drop("blurred")
    opened = until(lambda: [one for one in alerts() if one["rule"] == "expected-accuracy"])
    assert re.search(r"expected accuracy [\d.]+% \(.*\) of \d+ images, below [\d.]+%", opened[0]["detail"])

    said = _review(config)
    assert len([text for text in said if text.endswith(": stored")]) == ANSWERS
    last = [text for text in said if text.startswith("true accuracy")][-1]
    assert f"from {ANSWERS} answers" in last
    low, high = (float(number) for number in re.findall(r"(\d+\.\d)% to (\d+\.\d)%", last)[0])
    # Twice the half width: once in twenty times the truth lies outside of a 95 % interval.
    assert abs(_share_right(config) - (low + high) / 2) < high - low
    until(lambda: [one for one in alerts() if one["rule"] == "retrain"])

    done = cli(
        "train", "--with-reviews", "--quick", "--epochs", "1", "--data", str(data),
        config=config, timeout_s=600,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    assert "reviewed, never trained on" in done.stdout
    assert done.stdout.startswith("bundle  ")
    candidate = Path(done.stdout.splitlines()[0].removeprefix("bundle  ")).name
    promoted = cli("models", "promote", candidate, "--force", config=config, timeout_s=300)
    assert f"{candidate} serves from now on" in promoted.stdout, promoted.stderr

    def serving() -> bool:
        found = json.loads(cli("status", "--json", config=config).stdout)
        return bool(found["model"]["version"] == candidate)

    until(serving)

    drop("good-again")
    until(lambda: {"expected-accuracy", "retrain"}.isdisjoint(one["rule"] for one in alerts()))
    closed = [one for one in alerts("--all") if one["alert_id"] == opened[0]["alert_id"]]
    assert ["closed"] == [one["state"] for one in closed]


def _review(config: Path) -> list[str]:
    """Answer 200 questions as `review` does, and return what was said; the keyboard is the test's."""
    settings, somebody = read_settings(config, {}).settings, Knowing()
    with reviewing(settings, "test") as reviewer:
        sitting = Sitting(
            questions=Questions(Scope(), Random(1)),
            reviewer=reviewer,
            reading=lambda: queries.reading(settings.store),
            read_key=somebody.key,
            say=somebody.say,
            original=lambda _: None,
        )
        sitting.run()
    return somebody.said


def _share_right(config: Path) -> float:
    """Return how many of all answers are right, in percent, by the names of the files."""
    right = count = 0
    with queries.reading(read_settings(config, {}).settings.store) as connection:
        for job in queries.jobs(connection):
            for row in queries.predictions(connection, job.job_id):
                count += 1
                right += row.image[6:-4].replace("_", "/") == row.label
    assert 1200 == count
    return 100 * right / count
