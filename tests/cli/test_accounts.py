"""Tests of `account`: made, listed, changed and taken away, with passwords that nobody sees."""

import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from cli.application import main
from dashboard import passwords
from dashboard.accounts import FILE, read_accounts
from dashboard.passwords import fits

PASSWORD = "a long walk home"
Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that take neither memory nor time."""
    monkeypatch.setattr(passwords, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where the accounts of this test's configuration are."""
    (tmp_path / "config.toml").write_text('[paths]\nstate = "state"\n', "utf-8")
    return tmp_path / "state"


def typed(monkeypatch: pytest.MonkeyPatch, state: Path, *words: str, piped: str = "") -> int:
    """Run a command with something piped into it; return its exit code."""
    monkeypatch.setattr("sys.stdin", io.StringIO(piped))
    return main(["account", *words, "--config", str(state.parent / "config.toml")])


def test_account_is_made_listed_changed_and_taken_away(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    """The whole life of an account, as a script types it."""
    assert 0 == typed(monkeypatch, state, "add", "anna", "--role", "admin", piped=f"{PASSWORD}\nmore\n")
    assert "anna (admin) may sign in; a page that runs knows it already\n" == capsys.readouterr().out
    (made,) = read_accounts(state)
    assert fits(PASSWORD, made.hash)
    assert 0o600 == stat.S_IMODE((state / FILE).stat().st_mode)

    assert 0 == typed(monkeypatch, state, "list", "--json")
    told = capsys.readouterr().out
    assert [{"name": "anna", "role": "admin", "added_at": made.added_at}] == json.loads(told)["accounts"]
    assert "argon2" not in told

    assert 0 == typed(monkeypatch, state, "password", "anna", piped="another long walk\r\n")
    assert fits("another long walk", read_accounts(state)[0].hash)
    assert 0 == typed(monkeypatch, state, "role", "anna", "--role", "viewer")
    assert "viewer" == read_accounts(state)[0].role
    assert 0 == typed(monkeypatch, state, "remove", "anna")
    assert "no account is left: whoever has a login on this machine" in capsys.readouterr().err
    assert 0 == typed(monkeypatch, state, "list")
    assert "no account; ./tailorbird account add NAME --role admin\n" == capsys.readouterr().out


def test_last_admin_is_missed(state: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    """Who is left can make none; a command can."""
    typed(monkeypatch, state, "add", "anna", "--role", "admin", piped=PASSWORD)
    typed(monkeypatch, state, "add", "vera", "--role", "viewer", piped=PASSWORD)
    assert 0 == typed(monkeypatch, state, "remove", "anna")
    assert "no admin is left: ./tailorbird account role NAME --role admin\n" == capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "piped", "expected"),
    [
        (("add", "anna", "--role", "admin"), "short\n", "a password has 12 to 256 characters, this one 5"),
        (("add", "anna", "--role", "admin"), "", "no password came on stdin"),
        (("add", "a b", "--role", "admin"), PASSWORD, "an account's name has 1 to 64 of A-Z"),
        (("password", "anna"), PASSWORD, "there is no account anna; ./tailorbird account list shows them"),
        (("role", "anna", "--role", "viewer"), "", "there is no account anna"),
        (("remove", "anna"), "", "there is no account anna"),
    ],
)
def test_what_cannot_be_is_one_line(
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Said,
    words: tuple[str, ...],
    piped: str,
    expected: str,
) -> None:
    """And nothing is written."""
    assert 3 == typed(monkeypatch, state, *words, piped=piped)
    said = capsys.readouterr().err
    assert said.startswith("tailorbird: ")
    assert expected in said
    assert 1 == said.count("\n")
    assert () == read_accounts(state)


def test_terminal_is_asked_twice_and_shows_nothing(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is typed is hidden, and must be typed the same once more."""
    asked: list[dict[str, Any]] = []

    def prompt(text: str, **how: Any) -> str:
        asked.append({"text": text, **how})
        return PASSWORD

    monkeypatch.setattr("typer.prompt", prompt)
    monkeypatch.setattr("sys.stdin", terminal := io.StringIO())
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    config = str(state.parent / "config.toml")
    assert 0 == main(["account", "add", "anna", "--role", "admin", "--config", config])
    (how,) = asked
    assert (True, "Once more") == (how["hide_input"], how["confirmation_prompt"])
    assert fits(PASSWORD, read_accounts(state)[0].hash)
