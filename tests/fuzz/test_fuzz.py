"""The fuzz targets themselves: their seeds and all that was ever found keep every promise."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from broker.errors import MessageError
from tests.fuzz.__main__ import NAMES
from tests.fuzz.targets import TARGETS, PromiseBrokenError, findings, images, messages

CASES = [(name, seed) for name, target in TARGETS.items() for seed in target.seeds()]
FOUND = [(name, file) for name in TARGETS for file in findings(name)]
needs_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris comes for Linux on x86_64"
)


def test_every_target_can_be_named() -> None:
    """The command line knows them without loading them."""
    assert list(NAMES) == list(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_keep_every_promise(name: str) -> None:
    """What fuzzing begins with is no finding."""
    seeds = list(TARGETS[name].seeds())
    for seed in seeds:
        TARGETS[name].run(seed)
    assert len(seeds) > 10


@pytest.mark.parametrize(("name", "file"), FOUND, ids=[file.name for _, file in FOUND])
def test_what_was_found_stays_mended(name: str, file: Path) -> None:
    """Each finding of a long run, once mended, is tried ever after."""
    TARGETS[name].run(file.read_bytes())


def test_target_notices_a_broken_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fuzz target that cannot fail would find nothing."""
    monkeypatch.setattr("tests.fuzz.targets.REASONS", {"other"})
    with pytest.raises(PromiseBrokenError):
        images(b"")
    monkeypatch.setattr("tests.fuzz.targets.encode", lambda _: b"{}")
    with pytest.raises((MessageError, PromiseBrokenError)):
        messages(next(seed for name, seed in CASES if name == "messages"))


@needs_atheris
@pytest.mark.slow
def test_fuzzing_ends_by_itself_and_says_what_it_did(tmp_path: Path) -> None:
    """One line a target."""
    command = [sys.executable, "-m", "tests.fuzz", "topics", "--seconds", "1", "--corpus", str(tmp_path)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.startswith("fuzz topics: nothing found; Done ")
    assert (tmp_path / "topics" / "corpus").is_dir()
