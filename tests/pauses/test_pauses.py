"""Tests of the pauses: they are where they are meant to be, and not in pytest itself."""

import subprocess
from pathlib import Path

import pytest

from broker.settings_reader import PROJECT
from tests.pauses.__main__ import pausing_python
from tests.pauses.pausing import PLACES

pytestmark = pytest.mark.slow

CHANGED = """
import importlib, sys
for name in sys.argv[1:]:
    module = importlib.import_module(name)
    owners = [one for one in vars(module).values() if isinstance(one, type)]
    changed = {getattr(value, "__module__", "") for one in owners for value in vars(one).values()}
    print("tailorbird_pausing" in changed, name)
"""


@pytest.mark.parametrize("own", [[], ["pytest"]])
def test_every_place_pauses_but_not_in_pytest(tmp_path: Path, own: list[str]) -> None:
    """A library that is changed may call the place otherwise: then it is not to be found."""
    python = pausing_python(tmp_path / "venv", 0.001)
    done = subprocess.run(
        [python, "-c", CHANGED, *own, *PLACES],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [f"{not own} {name}" for name in (*own, *PLACES)] == done.stdout.splitlines()
