"""Accounts at the broker: files that only their owner reads."""

import stat
from pathlib import Path

import pytest

from broker.credentials import ACCOUNTS, Credentials, make_credentials, read_credentials
from broker.errors import SettingsError


def test_made_credentials_are_read_again(tmp_path: Path) -> None:
    """One file for each account, mode 0600, and the same the next time."""
    folder = tmp_path / "a" / "credentials"
    made = make_credentials(folder)
    assert made == make_credentials(folder)
    assert made == {account: read_credentials(folder, account) for account in ACCOUNTS}
    assert {0o600} == {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


def test_missing_account_is_made_beside_the_others(tmp_path: Path) -> None:
    """An account of a later version does not change the passwords of the others."""
    made = make_credentials(tmp_path)
    (tmp_path / "store").unlink()
    again = make_credentials(tmp_path)
    assert made["reader"] == again["reader"]
    assert made["store"] != again["store"]


def test_missing_file_means_no_account(tmp_path: Path) -> None:
    """An external broker may have none."""
    assert read_credentials(tmp_path / "none", "store") is None


def test_password_may_hold_a_colon(tmp_path: Path) -> None:
    """Only the first one parts user and password."""
    (tmp_path / "store").write_text("shop:a:b\n")
    assert Credentials("shop", "a:b") == read_credentials(tmp_path, "store")


@pytest.mark.parametrize("content", [b"", b"user", b"user:", b":password", b"a:b\nc:d\n", b"\xff:\xff"])
def test_file_without_a_user_and_a_password_is_one_line(tmp_path: Path, content: bytes) -> None:
    """The administrator is told which file."""
    (tmp_path / "store").write_bytes(content)
    with pytest.raises(SettingsError, match="store: "):
        read_credentials(tmp_path, "store")


def test_password_is_not_shown() -> None:
    """It stays out of logs and tracebacks."""
    assert "secret" not in repr(Credentials("store", "secret"))


def test_credentials_that_systemd_hands_over_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unit's service reads its own from systemd, and others, not handed over, from the folder."""
    folder, handed = tmp_path / "credentials", tmp_path / "handed"
    made = make_credentials(folder)
    handed.mkdir()
    (handed / "store").write_text("store:from systemd\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(handed))
    assert Credentials("store", "from systemd") == read_credentials(folder, "store")
    assert made["reader"] == read_credentials(folder, "reader")


def test_empty_credentials_from_systemd_mean_no_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unit's default, where root's file is not there: an outside broker may have no accounts."""
    make_credentials(tmp_path / "credentials")
    (tmp_path / "store").write_text("\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_credentials(tmp_path / "credentials", "store") is None


def test_broker_takes_all_credentials_from_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all were handed over the folder, root's own, is not even made."""
    made = make_credentials(tmp_path / "handed")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "handed"))
    assert made == make_credentials(tmp_path / "credentials")
    assert not (tmp_path / "credentials").exists()


def test_broker_makes_no_password_that_root_was_to_make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line says which account has none, and what to type."""
    make_credentials(tmp_path / "handed")
    (tmp_path / "handed" / "store").write_text("")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "handed"))
    with pytest.raises(SettingsError, match=r"store: is empty: type `sudo \./tailorbird install`"):
        make_credentials(tmp_path / "credentials")
