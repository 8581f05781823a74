"""What `install` makes of the project's units."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from broker.settings_reader import PROJECT, read_settings
from cli.installing.places import Places
from cli.installing.units import Chosen, chosen_before, prefix_before, rendered

SOURCE = PROJECT / "systemd"
STATE = {"TAILORBIRD__PATHS__STATE": "/var/lib/tailorbird"}
CREDENTIALS = {"TAILORBIRD__BROKER__CREDENTIALS": "/etc/tailorbird/credentials"}


def units(chosen: Chosen | None = None, places: Places | None = None, **more: str) -> dict[str, str]:
    """Render the units with some settings."""
    environ: dict[str, Any] = {**STATE, **CREDENTIALS, **{f"TAILORBIRD__{k}": v for k, v in more.items()}}
    return rendered(SOURCE, places or Places(), read_settings(None, environ).settings, chosen or Chosen())


def test_usual_places_leave_the_units_as_they_are() -> None:
    """What the tests judge is what is installed."""
    assert {path.name: path.read_text() for path in SOURCE.glob("tailorbird*")} == units()


def test_prefix_is_put_in_everywhere() -> None:
    """No path of the default prefix stays."""
    for text in units(places=Places(Path("/srv/tb"))).values():
        assert "/opt/tailorbird" not in text


def test_inbox_outside_the_state_may_be_written_by_the_agent_alone() -> None:
    """Its mount is waited for; a name with a space and a percent sign stays one name."""
    made = units(INGEST_AGENT__INBOX="/srv/the inbox 100%")
    assert 'ReadWritePaths="/srv/the inbox 100%%"\n' in made["tailorbird-agent.service"]
    assert 'RequiresMountsFor="/srv/the inbox 100%%"\n' in made["tailorbird-agent.service"]
    assert "ReadWritePaths" not in made["tailorbird-store.service"]


def test_state_elsewhere_may_be_written_by_each_service() -> None:
    """And the export goes there."""
    made = units(PATHS__STATE="/srv/state")
    for name, text in made.items():
        assert name.endswith(".service") == ("ReadWritePaths=/srv/state\n" in text)
    assert "-o /srv/state/exports/" in made["tailorbird-export.service"]


def test_chosen_services_are_written_and_wanted() -> None:
    """And read from the target by the next installation."""
    made = units(Chosen(("predictor", "agent"), predictors=3))
    assert "tailorbird-store.service" not in made
    assert "tailorbird-upkeep.timer" not in made
    wanted = "tailorbird-predictor@1.service tailorbird-predictor@2.service tailorbird-predictor@3.service"
    assert f"Wants={wanted} tailorbird-agent.service\n" in made["tailorbird.target"]


def test_choice_is_read_back_from_the_target(tmp_path: Path) -> None:
    """So that an upgrade needs no options; nothing installed is no choice."""
    chosen = Chosen(("predictor", "agent"), predictors=3)
    (tmp_path / "tailorbird.target").write_text(units(chosen)["tailorbird.target"])
    assert chosen == chosen_before(tmp_path / "tailorbird.target")
    assert chosen_before(tmp_path / "none") is None


def test_prefix_is_read_back_from_the_target(tmp_path: Path) -> None:
    """An upgrade goes where the program lies, whatever the default is."""
    made = units(places=Places(Path("/srv/tb")))
    (tmp_path / "tailorbird.target").write_text(made["tailorbird.target"])
    assert Path("/srv/tb") == prefix_before(tmp_path / "tailorbird.target")
    assert prefix_before(tmp_path / "none") is None


def open_units(**more: str) -> set[str]:
    """Return the services that may speak with every address."""
    made = {name: text for name, text in units(None, None, **more).items() if name.endswith(".service")}
    assert all("IPAddressDeny=any\n" in text for text in made.values())
    found = {name for name, text in made.items() if "IPAddressAllow=any\n" in text}
    assert found == {name for name, text in made.items() if "IPAddressAllow=localhost\n" not in text}
    return {name.removeprefix("tailorbird-").removesuffix(".service") for name in found}


OUTSIDE = {"BROKER__HOST": "0.0.0.0"}
ELSEWHERE = {"BROKER__MANAGE": "false", "BROKER__HOST": "broker.example"}
POSTGRES = {"STORE__URL": "postgresql+psycopg://db.example/tailorbird"}
FIGURES = {"METRICS__HOST": "0.0.0.0", "METRICS__REMOTE": "true"}
BROWSERS = {"DASHBOARD__HOST": "0.0.0.0"}
ASKS = {"store", "upkeep", "export", "dashboard"}
ALL = {"broker", "store", "upkeep", "export", "agent", "predictor@", "dashboard"}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, set()),
        (OUTSIDE, {"broker"}),
        (ELSEWHERE, ALL),
        (POSTGRES, ASKS),
        (FIGURES, {"store", "agent", "predictor@"}),
        (BROWSERS, {"dashboard"}),
        (OUTSIDE | POSTGRES, {"broker"} | ASKS),
        (OUTSIDE | FIGURES, {"broker", "store", "agent", "predictor@"}),
        (ELSEWHERE | POSTGRES, ALL),
        (POSTGRES | FIGURES, ASKS | {"agent", "predictor@"}),
        (FIGURES | {"METRICS__AGENT_PORT": "0"}, {"store", "predictor@"}),
        ({"METRICS__REMOTE": "true"}, set()),
    ],
)
def test_addresses_are_filtered_unless_something_lies_on_another_machine(
    more: dict[str, str], expected: set[str]
) -> None:
    """An outside broker, an outside database, others who ask for figures: each opens whom it concerns."""
    assert expected == open_units(**more)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
@pytest.mark.parametrize("more", [{}, OUTSIDE, ELSEWHERE | POSTGRES, {"PATHS__STATE": "/srv/state"}])
def test_exposure_of_what_is_written_is_low(more: dict[str, str], tmp_path: Path) -> None:
    """In every variant an exposure of 1.0 or lower, as of the project's own units."""
    for name, text in units(None, None, **more).items():
        if name.endswith(".service"):
            (tmp_path / name).write_text(text)
            command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(tmp_path / name)]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            (score,) = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", said)
            assert float(score) <= 1.0, name


def test_folders_of_database_and_backups_may_be_written_by_who_writes_there() -> None:
    """Outside the state as well, or every nightly backup would fail."""
    made = units(UPKEEP__BACKUPS="/srv/copies", STORE__URL="sqlite:////srv/data/tailorbird.db")
    written = {name: re.findall(r"^ReadWritePaths=(.*)$", text, re.MULTILINE) for name, text in made.items()}
    assert {
        "tailorbird-store.service": ["/srv/data", "/srv/copies"],
        "tailorbird-upkeep.service": ["/srv/data", "/srv/copies"],
        "tailorbird-export.service": ["/srv/data"],
        "tailorbird-dashboard.service": ["/srv/data"],
    } == {name: folders for name, folders in written.items() if folders}


def test_page_may_drop_into_an_inbox_elsewhere() -> None:
    """As the agent may write its results there; what it puts there is the group's as the inbox is."""
    made = units(INGEST_AGENT__INBOX="/srv/inbox")
    for service in ("agent", "dashboard"):
        text = made[f"tailorbird-{service}.service"]
        assert "\nReadWritePaths=/srv/inbox\n" in text
        assert "\nRequiresMountsFor=/srv/inbox\n" in text
    assert "\nUMask=0007\n" in made["tailorbird-dashboard.service"]


def test_limits_follow_what_the_configuration_asks_for() -> None:
    """Upwards only; the kernel must not end what the configuration allows."""
    made = units(BROKER__MEMORY_MB="2000", INGEST_AGENT__READERS="8", INGEST_AGENT__DECODER_MEMORY_MB="1000")
    assert "MemoryMax=2256M\n" in made["tailorbird-broker.service"]
    assert "MemoryMax=8256M\n" in made["tailorbird-agent.service"]
    assert "TasksMax=112\n" in made["tailorbird-agent.service"]
    assert "MemoryMax=1G\n" in units(BROKER__MEMORY_MB="64")["tailorbird-broker.service"]
