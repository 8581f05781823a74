"""Tests of `config show` and `config check`."""

import json
from pathlib import Path

import pytest

from broker.settings import Settings
from cli.application import main
from tests.cli.conftest import RunCli


def test_show_names_the_origin_of_each_value(cli: RunCli, config: Path) -> None:
    """From the file, from the environment, or the default."""
    more = {"TAILORBIRD__INGEST_AGENT__SOURCE": "kiosk"}
    done = cli("config", "show", "--origin", "--json", config=config, more=more)
    found = json.loads(done.stdout)
    assert {"value": "kiosk", "origin": "TAILORBIRD__INGEST_AGENT__SOURCE"} == found["ingest_agent"]["source"]
    assert {"value": str(config.parent / "state"), "origin": str(config)} == found["paths"]["state"]
    assert {"value": "auto", "origin": "default"} == found["model"]["engine"]


def test_show_has_every_key(cli: RunCli, config: Path) -> None:
    """As a table, too."""
    said = cli("config", "show", config=config).stdout
    settings = Settings()
    for section in settings.__struct_fields__:
        for key in getattr(settings, section).__struct_fields__:
            assert f"[{section}] {key} " in said


def test_show_says_where_a_value_is_empty(cli: RunCli, config: Path) -> None:
    """A blank might be taken for a broken table."""
    said = cli("config", "show", config=config, more={"TAILORBIRD__METRICS__HOST": "::1"}).stdout
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert "[dashboard] names (empty)" in lines
    assert "[metrics] host ::1" in lines


def test_check_of_a_file_in_order_is_ok(cli: RunCli, config: Path) -> None:
    """Exit code 0, and which file was read."""
    done = cli("config", "check", config=config)
    assert (0, f"{config}: in order\n") == (done.returncode, done.stdout)


def test_check_says_what_is_wrong_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file, the key, and the nearest right name."""
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[broker]\nprot = 1\n")
    assert 3 == main(["config", "check", "--config", str(wrong)])
    said = capsys.readouterr().err
    assert f"tailorbird: {wrong}: [broker] prot: there is no key 'prot'; did you mean port?\n" == said


def test_every_command_stops_at_a_wrong_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is started with half a configuration."""
    for command in (["up"], ["demo"], ["status"], ["jobs"], ["export", "results"], ["results", "--follow"]):
        assert 3 == main([*command, "--config", str(tmp_path / "none.toml")])
        assert "none.toml: cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("form", [[], ["--json"], ["--origin"]])
def test_show_hides_the_password_of_a_database(cli: RunCli, config: Path, form: list[str]) -> None:
    """A terminal is looked at by others, and its output sent to others."""
    url = "postgresql+psycopg://tailorbird:hunt@er2@db.example/tailorbird"
    done = cli("config", "show", *form, config=config, more={"TAILORBIRD__STORE__URL": url})
    assert 0 == done.returncode, done.stderr
    assert "hunt" not in done.stdout
    assert "er2" not in done.stdout
    assert "postgresql+psycopg://tailorbird:***@db.example/tailorbird" in done.stdout
