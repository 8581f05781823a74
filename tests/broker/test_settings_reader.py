"""The configuration: the file, the environment over it, and errors of one line."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker.errors import SettingsError
from broker.settings import Settings
from broker.settings_reader import PROJECT, read_settings, sections

EVERY_KEY = [f"{section}.{key}" for section, keys in sections().items() for key in keys]


def written(folder: Path, text: str) -> Path:
    """Return a configuration file with this text."""
    file = folder / "mine.toml"
    file.write_text(text, "utf-8")
    return file


def test_config_toml_says_exactly_the_defaults() -> None:
    """The shipped file holds every key with its default, in the order of the structs, and nothing else."""
    table = tomllib.loads((PROJECT / "config.toml").read_text("utf-8"))
    plain = Settings()
    expected = {
        section: {key: as_toml(getattr(getattr(plain, section), key)) for key in keys}
        for section, keys in sections().items()
    }
    assert expected == table
    assert list(expected) == list(table)
    assert [list(keys) for keys in expected.values()] == [list(keys) for keys in table.values()]


def as_toml(value: object) -> object:
    """Return a default as TOML gives it."""
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize("key", EVERY_KEY)
def test_config_toml_explains_every_key(key: str) -> None:
    """Above each key, or above the group of keys it stands in, there is a comment."""
    text = (PROJECT / "config.toml").read_text("utf-8")
    section, name = key.split(".")
    table = re.split(r"^\[", text.split(f"[{section}]\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    before = table.split(f"\n{name} = ", 1)[0] if f"\n{name} = " in table else ""
    assert any(line.startswith("#") for line in before.splitlines())


def test_defaults_come_without_a_file(tmp_path: Path) -> None:
    """An empty file leaves every default, and paths stand below the project's folder."""
    loaded = read_settings(written(tmp_path, ""), {})
    assert PROJECT / "var" == loaded.settings.paths.state
    assert PROJECT / "var" / "inbox" == loaded.settings.ingest_agent.inbox
    assert f"sqlite:///{PROJECT}/var/tailorbird.db" == loaded.settings.store.url
    assert {"default"} == set(loaded.origins.values())
    assert EVERY_KEY == list(loaded.origins)


def test_values_and_origins_come_from_the_file(tmp_path: Path) -> None:
    """A value of the file counts, its origin is the file, and its relative paths begin beside it."""
    file = written(tmp_path, '[broker]\nport = 1234\n[ingest_agent]\ninbox = "drop here"\nrescan_s = 5\n')
    loaded = read_settings(file, {})
    assert 1234 == loaded.settings.broker.port
    assert tmp_path / "drop here" == loaded.settings.ingest_agent.inbox
    assert 5.0 == loaded.settings.ingest_agent.rescan_s
    assert (str(file), "default") == (loaded.origins["broker.port"], loaded.origins["broker.host"])
    assert file == loaded.file


def test_environment_counts_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable wins, its origin is its name, and its relative paths begin in the current folder."""
    monkeypatch.chdir(tmp_path)
    file = written(tmp_path, "[broker]\nport = 1234\n")
    loaded = read_settings(
        file,
        {
            "TAILORBIRD__BROKER__PORT": "4321",
            "TAILORBIRD__BROKER__MANAGE": "false",
            "TAILORBIRD__PATHS__STATE": "state",
            "TAILORBIRD__INGEST_AGENT__SOURCE": "42",
            "TAILORBIRD__INGEST_AGENT__IGNORE": ".*, *.part",
            "PATH": "/bin",
        },
    )
    settings = loaded.settings
    assert (4321, False, "42") == (settings.broker.port, settings.broker.manage, settings.ingest_agent.source)
    assert tmp_path / "state" / "inbox" == settings.ingest_agent.inbox
    assert (".*", "*.part") == settings.ingest_agent.ignore
    assert "TAILORBIRD__BROKER__PORT" == loaded.origins["broker.port"]


def test_store_url_follows_state_and_the_file(tmp_path: Path) -> None:
    """A relative SQLite file begins beside the configuration; other databases are left as they are."""
    urls = {
        "sqlite:///{state}/x.db": f"sqlite:///{tmp_path}/s/x.db",
        "sqlite:///x.db": f"sqlite:///{tmp_path}/x.db",
        "sqlite:////abs/x.db": "sqlite:////abs/x.db",
        "sqlite:///:memory:": "sqlite:///:memory:",
        "postgresql://u:p@h/db": "postgresql://u:p@h/db",
    }
    found = {
        url: read_settings(
            written(tmp_path, f'[paths]\nstate = "s"\n[store]\nurl = "{url}"\n'), {}
        ).settings.store.url
        for url in urls
    }
    assert urls == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[broker]\nprot = 1", "[broker] prot: there is no key 'prot'; did you mean port?"),
        ("[brokr]\nport = 1", "[brokr]: there is no section 'brokr'; did you mean broker?"),
        ("broker = 1", "broker: expected a section [broker], not 1"),
        (
            '[broker]\nport = "1883"',
            "[broker] port: expected a whole number from 1 to 65,535, not '1883'",
        ),
        ("[broker]\nport = 0", "[broker] port: expected a whole number from 1 to 65,535, not 0"),
        ("[broker]\nmanage = 1", "[broker] manage: expected true or false, not 1"),
        (
            '[ingest_agent]\nsource = "a b"',
            "[ingest_agent] source: expected 1 to 57 of A-Z a-z 0-9 _ -, no canary- first, not 'a b'",
        ),
        (
            '[ingest_agent]\nsource = "canary-x"',
            "[ingest_agent] source: expected 1 to 57 of A-Z a-z 0-9 _ -, no canary- first, not 'canary-x'",
        ),
        (
            '[ingest_agent]\nwatch = "inotify"',
            "[ingest_agent] watch: expected one of auto, events, polling, not 'inotify'",
        ),
        ("[ingest_agent]\nignore = [1]", "[ingest_agent] ignore: expected a list, each a text, not [1]"),
        (
            "[ingest_agent]\nrescan_s = 0",
            "[ingest_agent] rescan_s: expected a number above 0 to 2,000,000, not 0",
        ),
        ("[ingest_agent]\ninbox = 5", "[ingest_agent] inbox: expected a path, not 5"),
        ('[ingest_agent]\ninbox = ""', "[ingest_agent] inbox: expected a path, not ''"),
        ("[store]\ngroup_ms = nan", "[store] group_ms: expected a number from 0 to 2,000,000, not nan"),
        (
            "[ingest_agent]\nresend_max_s = 0.5",
            "[ingest_agent] resend_max_s: expected at least resend_min_s (1), not 0.5",
        ),
        ("port", "no valid TOML: "),
    ],
)
def test_wrong_file_is_one_line_with_file_key_and_what_was_expected(
    tmp_path: Path, text: str, words: str
) -> None:
    """The administrator reads where, what, and what instead."""
    file = written(tmp_path, text)
    with pytest.raises(SettingsError) as raised:
        read_settings(file, {})
    assert str(raised.value).startswith(f"{file}: {words}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TAILORBIRD__BROKER__PORT", "x", ": expected a whole number from 1 to 65,535, not 'x'"),
        ("TAILORBIRD__BROKER__PROT", "1", ": there is no key 'prot'; did you mean port?"),
        ("TAILORBIRD__BROKR__PORT", "1", ": there is no section 'brokr'; did you mean broker?"),
        ("TAILORBIRD__BROKER", "1", ": there is no key ''; there are manage, host, port,"),
        ("TAILORBIRD__STORE__GROUP_MS", "1e999", ": expected a number from 0 to 2,000,000, not '1e999'"),
    ],
)
def test_wrong_variable_is_one_line_with_its_name(name: str, value: str, words: str) -> None:
    """A variable is named as it was set."""
    with pytest.raises(SettingsError) as raised:
        read_settings(None, {name: value})
    assert str(raised.value).startswith(name + words)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "figures.example", "127.0.0.1.example"])
def test_figures_for_other_machines_must_be_meant(host: str) -> None:
    """An address beyond loopback is refused unless a key says that it is meant."""
    given = {"TAILORBIRD__METRICS__HOST": host}
    with pytest.raises(SettingsError, match=r"^TAILORBIRD__METRICS__HOST: \[metrics\] host: expected"):
        read_settings(None, given)
    meant = read_settings(None, {**given, "TAILORBIRD__METRICS__REMOTE": "true"})
    assert host == meant.settings.metrics.host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_figures_on_loopback_are_taken(host: str) -> None:
    """Whatever its name."""
    assert host == read_settings(None, {"TAILORBIRD__METRICS__HOST": host}).settings.metrics.host


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    """A file that was asked for must be there."""
    with pytest.raises(SettingsError, match=r"none\.toml: cannot be read: No such file"):
        read_settings(tmp_path / "none.toml", {})


def test_file_that_is_not_utf8_is_one_line(tmp_path: Path) -> None:
    """Any bytes in the file are an error of one line."""
    file = tmp_path / "x.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="no valid TOML"):
        read_settings(file, {})


@given(st.sampled_from(EVERY_KEY), st.text())
@example("paths.state", "~nobody-here/x")
@example("store.url", "sqlite:///~nobody-here/x")
def test_any_text_in_a_variable_becomes_settings_or_a_settings_error(key: str, text: str) -> None:
    """Nothing else than SettingsError comes out."""
    name = "TAILORBIRD__" + key.replace(".", "__").upper()
    try:
        loaded = read_settings(None, {name: text})
    except SettingsError:
        return
    assert name == loaded.origins[key]


@pytest.mark.parametrize(
    "line",
    [
        "[upkeep]\nkeep_days = 1e300",
        "[upkeep]\nkeep_days = inf",
        "[upkeep]\nkeep_events_days = nan",
        "[upkeep]\nstart_check_s = 1e10",
        f"[upkeep]\nkeep_bytes = {10**30}",
        f"[upkeep]\nkeep_days = {10**400}",
        "[health]\nstuck_s = inf",
        "[monitor]\ninput_drift = nan",
        "[monitor]\nbacklog_age_s = 1e10",
        "[store]\nkeep_pixels_days = 1e6",
        "[store]\nbusy_timeout_s = 3e6",
        "[ingest_agent]\ndecode_s = 1e300",
        "[ingest_agent]\ncanary_s = inf",
    ],
)
def test_number_that_would_overflow_is_one_line(tmp_path: Path, line: str) -> None:
    """No timedelta, and nothing in C, holds them; nan lies within all bounds."""
    with pytest.raises(SettingsError, match=r"mine\.toml: \[\w+\] \w+: expected a (whole )?number") as error:
        read_settings(written(tmp_path, line), {})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "key", "why"),
    [
        ('[ingest_agent]\ninbox = "{state}"', "ingest_agent] inbox", "without [paths] state"),
        ('[ingest_agent]\ninbox = "/"', "ingest_agent] inbox", "without [paths] state"),
        (
            '[ingest_agent]\ninbox = "box"\n[broker]\ncredentials = "box/secret"',
            "ingest_agent] inbox",
            "without [broker] credentials",
        ),
        ('[upkeep]\nbackups = "{state}/inbox/backups"', "upkeep] backups", "outside the inbox"),
        ('[upkeep]\nbackups = "{sate}/b"', "upkeep] backups", "there is no {sate}; there is {state}"),
        ('[store]\nurl = "sqlite:///{home}/b.db"', "store] url", "there is no {home}"),
        ('[dashboard]\nhost = "/run/page"', "dashboard] host", "no unix socket"),
        ('[dashboard]\nhost = "photos.example:80"', "dashboard] host", "the port stands in the key port"),
        ('[dashboard]\nhost = "::"\ntls = "off"', "dashboard] tls", "passwords would travel"),
        (
            "[dashboard]\nsession_most_hours = 1",
            "dashboard] session_most_hours",
            "at least session_hours (12)",
        ),
        ("[dashboard]\nport = 18830", "dashboard] port", "another port than [broker] port (18830)"),
        ("[metrics]\nagent_port = 18842", "metrics] store_port", "another port than [metrics] agent_port"),
        (
            "[metrics]\npredictor_port = 18840\n[predictor_service]\ninstances = 2",
            "metrics] predictor_port",
            "another port than [metrics] agent_port",
        ),
        ('[broker]\nhost = "0.0.0.0"\nport = 18829', "broker] local_port", "than [broker] port (18829)"),
    ],
)
def test_values_that_do_not_go_together_are_one_line(tmp_path: Path, text: str, key: str, why: str) -> None:
    """Of folders within each other, of two services at one port, of words that nobody fills in."""
    with pytest.raises(SettingsError) as error:
        read_settings(written(tmp_path, text), {})
    assert f"[{key}: " in str(error.value)
    assert why in str(error.value)


def test_port_of_a_broker_elsewhere_may_be_used_here(tmp_path: Path) -> None:
    """It is another machine's; and none at all collides with nothing."""
    text = '[broker]\nmanage = false\nhost = "broker.example"\ntls = "on"\nport = 18841'
    read_settings(written(tmp_path, text), {})
    read_settings(written(tmp_path, "[metrics]\nagent_port = 0\nstore_port = 0\npredictor_port = 0"), {})


def test_path_comes_without_its_detours(tmp_path: Path) -> None:
    """As it then stands in messages."""
    loaded = read_settings(written(tmp_path, '[ingest_agent]\ninbox = "a/../drop/./here"'), {})
    assert tmp_path / "drop" / "here" == loaded.settings.ingest_agent.inbox


def test_stuck_may_be_exactly_what_the_file_says(tmp_path: Path) -> None:
    """At least four times decode_s."""
    read_settings(written(tmp_path, "[health]\nstuck_s = 40"), {})
    with pytest.raises(SettingsError, match="at least 4 times"):
        read_settings(written(tmp_path, "[health]\nstuck_s = 39"), {})
