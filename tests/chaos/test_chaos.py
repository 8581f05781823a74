"""The short form of the chaos run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.world import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]


def test_chaos_short_keeps_the_promise(mosquitto_program: Path) -> None:
    """Nothing is lost and nothing doubled while services die, connections break and the disk fills."""
    command = [
        sys.executable,
        "-m",
        "tests.chaos",
        "--minutes",
        "0.6",
        "--images",
        "2000",
        "--seed",
        "7",
        "--json",
    ]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=400,
        check=False,
        text=True,
    )
    assert done.stdout, done.stderr
    verdict = json.loads(done.stdout)
    seen = {key: verdict[key] for key in ("lost", "doubled", "disagreements")}
    assert {"lost": {}, "doubled": {}, "disagreements": []} == seen
    assert sum(verdict["faults"].values()) >= 5
    assert verdict["rows"] >= 2000
    assert done.returncode == 0
