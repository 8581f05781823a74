"""The file of programs outside: what may stand in it, and who may read it."""

import stat
from pathlib import Path

import pytest

from broker.client_accounts import check_clients, new_client, read_clients, write_clients, wrong_name
from broker.credentials import ACCOUNTS
from broker.errors import BrokerProblem
from broker.settings import Settings
from tests.conftest import MakeSettings

HASH = "$7$101$abc$def=="


def test_clients_are_read_again_by_name(tmp_path: Path) -> None:
    """And nobody else may read them."""
    clients = (new_client("b", "source", HASH), new_client("a", "reader", HASH))
    write_clients(tmp_path, clients)
    assert clients[::-1] == read_clients(tmp_path)
    assert 0o600 == stat.S_IMODE((tmp_path / "clients.json").stat().st_mode)
    assert ["clients.json"] == [file.name for file in tmp_path.iterdir()]


def test_no_file_means_no_clients(tmp_path: Path) -> None:
    """As after the installation."""
    assert () == read_clients(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b'[{"name": "a", "role": "admin", "hash": "$7$x", "added_at": ""}]',
        b'[{"name": "a\\ntopic readwrite #", "role": "reader", "hash": "$7$x", "added_at": ""}]',
        b'[{"name": "a", "role": "reader", "hash": "$7$x\\nb:$7$y", "added_at": ""}]',
    ],
)
def test_file_that_is_no_list_of_clients_is_one_line(tmp_path: Path, content: bytes) -> None:
    """Nothing of it reaches the broker's files: a line break would be an account or a right of its own."""
    (tmp_path / "clients.json").write_bytes(content)
    with pytest.raises(BrokerProblem, match=r"clients\.json: is no list of clients"):
        read_clients(tmp_path)


@pytest.mark.parametrize(
    "name", [*ACCOUNTS, "shop", "canary-x", "", "a/b", "+", "#", "a b", "ä", "a\n", "x" * 58]
)
def test_name_that_is_taken_or_no_source_is_refused(settings: Settings, name: str) -> None:
    """Accounts of our own, this machine's source, canaries, and what cannot stand in a topic."""
    assert wrong_name(settings, name)


@pytest.mark.parametrize("name", ["till-1", "A", "x" * 57, "readers"])
def test_name_of_a_source_is_taken(settings: Settings, name: str) -> None:
    """The rules of broker/topics.py."""
    assert "" == wrong_name(settings, name)


def test_source_that_takes_a_clients_name_later_is_told(make_settings: MakeSettings) -> None:
    """The broker does not start with two owners of one topic."""
    settings = make_settings(ingest_agent={"source": "till-1"})
    with pytest.raises(BrokerProblem, match=r"the client till-1: .*; \./tailorbird client revoke till-1"):
        check_clients(settings, (new_client("till-1", "source", HASH),))
