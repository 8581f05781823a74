"""The units in systemd/, as systemd itself judges them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from broker.credentials import ACCOUNTS

UNITS = Path(__file__).resolve().parents[2] / "systemd"
NAMES = sorted(path.name for path in UNITS.glob("tailorbird*"))
SERVICES = [name for name in NAMES if name.endswith(".service")]
LASTING = [name for name in SERVICES if "Restart=always" in (UNITS / name).read_text()]
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here"
)


def test_units_are_all_there() -> None:
    """One for the broker and each service of ours, daily work with its timers, and the opening hours."""
    assert [
        "tailorbird-agent.service",
        "tailorbird-broker.service",
        "tailorbird-close.target",
        "tailorbird-close.timer",
        "tailorbird-dashboard.service",
        "tailorbird-export.service",
        "tailorbird-export.timer",
        "tailorbird-open.timer",
        "tailorbird-predictor@.service",
        "tailorbird-store.service",
        "tailorbird-upkeep.service",
        "tailorbird-upkeep.timer",
        "tailorbird.target",
    ] == NAMES


@needs_systemd
@pytest.mark.parametrize("unit", SERVICES)
def test_unit_exposure_is_low(unit: str) -> None:
    """A unit has, in systemd's eyes, an exposure of 1.0 or lower."""
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNITS / unit)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (score,) = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert float(score) <= 1.0


@needs_systemd
@pytest.mark.parametrize("unit", NAMES)
def test_unit_is_understood_by_systemd(unit: str, tmp_path: Path) -> None:
    """No unit earns a word from systemd, once its program is there."""
    for path in UNITS.iterdir():
        text = path.read_text().replace("/opt/tailorbird/.venv/bin/python", "/bin/true")
        (tmp_path / path.name).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit.replace("@.", "@1."))]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "" == said.stderr


@pytest.mark.parametrize("unit", LASTING)
def test_service_is_started_again_for_ever(unit: str) -> None:
    """A second after each end, however often it ended; and the target stops it with the others."""
    text = (UNITS / unit).read_text()
    for line in ("StartLimitIntervalSec=0", "RestartSec=1", "PartOf=tailorbird.target"):
        assert line in text.splitlines()


@pytest.mark.parametrize("unit", LASTING)
def test_service_says_when_it_serves_and_is_reloaded(unit: str) -> None:
    """So that what starts after it finds it, and `systemctl reload` reads the configuration again."""
    text = (UNITS / unit).read_text()
    for line in ("Type=notify", "NotifyAccess=main", "ExecReload=kill -HUP $MAINPID"):
        assert line in text.splitlines()


@pytest.mark.parametrize("unit", sorted(set(LASTING) - {"tailorbird-broker.service"}))
def test_service_is_watched(unit: str) -> None:
    """All but Mosquitto, which feeds no watchdog, are started again when their work stands still."""
    assert re.search(r"^WatchdogSec=\d+$", (UNITS / unit).read_text(), re.MULTILINE)


@pytest.mark.parametrize("unit", SERVICES)
def test_service_has_limits_for_memory_and_tasks(unit: str) -> None:
    """What runs wild is stopped before the machine is."""
    text = (UNITS / unit).read_text()
    assert re.search(r"^MemoryMax=\d+[MG]$", text, re.MULTILINE)
    assert re.search(r"^TasksMax=\d+$", text, re.MULTILINE)


def test_services_get_their_own_password_only() -> None:
    """The broker, which checks them, gets all; every file has a default, for brokers without accounts."""
    handed = {}
    for unit in SERVICES:
        text = (UNITS / unit).read_text()
        handed[unit] = re.findall(
            r"^LoadCredential=(\w+):/etc/tailorbird/credentials/\1$", text, re.MULTILINE
        )
        assert handed[unit] == re.findall(r"^SetCredential=(\w+):\\n$", text, re.MULTILINE)
    assert {
        "tailorbird-agent.service": ["ingest_agent"],
        "tailorbird-broker.service": list(ACCOUNTS),
        "tailorbird-dashboard.service": ["reader", "reviewer", "dashboard"],
        "tailorbird-export.service": [],
        "tailorbird-predictor@.service": ["predictor_service"],
        "tailorbird-store.service": ["store"],
        "tailorbird-upkeep.service": ["reader"],
    } == handed
