"""What `install` makes of the project's units."""

from pathlib import Path
from typing import Any

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


def test_addresses_are_filtered_unless_something_lies_on_another_machine() -> None:
    """An outside broker opens every service, an outside database those that ask it."""
    filtered = {name for name, text in units().items() if "IPAddressDeny=any\n" in text}
    assert {name for name in units() if name.endswith(".service")} == filtered
    outside = units(BROKER__MANAGE="false", BROKER__HOST="broker.example")
    assert not [name for name, text in outside.items() if "IPAddress" in text]
    database = units(STORE__URL="postgresql+psycopg://db.example/tailorbird")
    assert "IPAddress" not in database["tailorbird-store.service"]
    assert "IPAddressDeny=any\n" in database["tailorbird-agent.service"]
