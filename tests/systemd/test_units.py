"""The units in systemd/, as systemd itself judges them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).resolve().parents[2] / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here"
)


def test_units_name_every_service() -> None:
    """There is a unit for the broker and for each service of ours."""
    assert [
        "tailorbird-agent.service",
        "tailorbird-broker.service",
        "tailorbird-predictor@.service",
        "tailorbird-store.service",
    ] == SERVICES


@needs_systemd
@pytest.mark.parametrize("unit", SERVICES)
def test_unit_exposure_is_low(unit: str) -> None:
    """A unit has, in systemd's eyes, an exposure of 1.0 or lower."""
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNITS / unit)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (score,) = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert float(score) <= 1.0


@needs_systemd
@pytest.mark.parametrize("unit", [*SERVICES, "tailorbird.target"])
def test_unit_is_understood_by_systemd(unit: str, tmp_path: Path) -> None:
    """No unit earns a word from systemd, once its program is there."""
    for path in UNITS.iterdir():
        text = path.read_text().replace("/opt/tailorbird/.venv/bin/python", "/bin/true")
        (tmp_path / path.name).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit.replace("@.", "@1."))]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "" == said.stderr
