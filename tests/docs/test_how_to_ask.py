"""The how-to's examples, as they stand there, against a line that runs."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.settings_reader import PROJECT
from tests.cli.conftest import RunningUp, environment

PAGE = (PROJECT / "docs" / "how-to" / "ask-from-your-program.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """Return the page's examples in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def line(mosquitto_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningUp]:
    """A running line for this page."""
    running = RunningUp(tmp_path_factory.mktemp("line"))
    yield running
    assert 0 == running.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which the samples lie, as in the project's own."""
    (tmp_path / "samples").symlink_to(PROJECT / "samples")
    return tmp_path


def here(example: str, line: RunningUp) -> str:
    """Put this line's state, port and Python in the place of the usual ones."""
    state = str(line.settings.paths.state)
    usual = {
        'Path("var")': f"Path({state!r})",
        "var/": f"'{state}'/",
        "18830": str(line.settings.broker.port),
        ".venv/bin/python": sys.executable,
    }
    for text, own in usual.items():
        example = example.replace(text, own)
    return example


def answer_of(command: list[str], folder: Path) -> dict[str, Any]:
    """Run an example and return what it printed."""
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, check=False, timeout=60
    )
    assert 0 == done.returncode, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("kind", ["json", "msgpack"])
def test_python_example_prints_the_answer(line: RunningUp, folder: Path, kind: str) -> None:
    """As it stands, and with its line about the payload replaced by the ones for MessagePack."""
    whole, msgpack = blocks("python")
    if kind == "msgpack":
        whole = re.sub(r"^payload, kind = .*\n", lambda _: msgpack, whole, flags=re.MULTILINE)
    answer = answer_of([sys.executable, "-c", here(whole, line)], folder)

    assert "client" == answer["source"]
    assert [("black.jpg", "Bag")] == [(one["image"], one["label"]) for one in answer["predictions"]]


def test_shell_example_prints_the_answer(line: RunningUp, folder: Path) -> None:
    """With Mosquitto's own programs."""
    if shutil.which("mosquitto_rr") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("mosquitto_rr is not installed")
        pytest.skip("mosquitto_rr is not installed")
    (example,) = blocks("sh")
    answer = answer_of(["sh", "-c", here(example, line)], folder)

    assert ("client", "Bag") == (answer["source"], answer["predictions"][0]["label"])
