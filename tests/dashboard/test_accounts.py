"""The accounts' file, and the passwords in it."""

import stat
from pathlib import Path

import pytest
from argon2 import extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from broker.errors import SettingsError
from dashboard import accounts, passwords
from dashboard.accounts import (
    FILE,
    Account,
    Accounts,
    add_account,
    change_account,
    read_accounts,
    remove_account,
)
from dashboard.passwords import fits, hashed, nobodys_hash, wrong_password
from dashboard.roles import Role

PASSWORD = "a long walk home"
HASH = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaA"


def test_password_is_hashed_with_argon2id_and_a_salt_of_its_own() -> None:
    """In memory enough that a stolen file is of little use."""
    first, second = hashed(PASSWORD), hashed(PASSWORD)
    assert first != second
    assert first.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert extract_parameters(first) == RFC_9106_LOW_MEMORY
    assert fits(PASSWORD, first)
    assert not fits(PASSWORD + "s", first)
    assert not fits(PASSWORD, "no hash")


def test_password_of_nobody_is_hashed_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """As much work, and no; so the time does not tell which names there are."""
    asked: list[str] = []

    class Counting:
        """A hasher that counts."""

        def verify(self, hash_: str, _: bytes) -> bool:
            """Say yes."""
            asked.append(hash_)
            return True

    there = nobodys_hash()
    assert not fits(PASSWORD, there)
    monkeypatch.setattr(passwords, "HASHER", Counting())
    monkeypatch.setattr(passwords, "nobodys_hash", lambda: there)
    assert not fits(PASSWORD, None)
    assert [there] == asked
    assert extract_parameters(there) == RFC_9106_LOW_MEMORY


def test_password_may_be_typed_on_any_keyboard() -> None:
    """An accent of its own and a letter with one are the same."""
    assert fits("cafe\u0301 au lait, deux", hashed("caf\u00e9 au lait, deux"))


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        (PASSWORD, ""),
        ("eleven char", "a password has 12 to 256 characters, this one 11"),
        ("x" * 257, "a password has 12 to 256 characters, this one 257"),
        ("a long\twalk home", "a password has no control characters"),
        ("aaaaaaaaaaaaaaaab", "a password has at least 4 different characters"),
        (
            "margarete-1234",
            "a password is not the name with a little more: beside margarete it has 12 characters",
        ),
    ],
)
def test_weak_password_is_refused_in_one_line(password: str, expected: str) -> None:
    """With what is wrong."""
    assert expected == wrong_password(password, "margarete")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing that takes no time."""
    monkeypatch.setattr("dashboard.accounts.hashed", lambda password: f"{HASH}{len(password)}")


@pytest.mark.usefixtures("quick")
def test_accounts_live_in_a_private_file(tmp_path: Path) -> None:
    """Added, changed, taken away; whoever holds them sees it at once."""
    seen = Accounts(tmp_path)
    assert {} == seen.now()
    add_account(tmp_path, "anna", Role.ADMIN, PASSWORD)
    add_account(tmp_path, "Vera.W", Role.VIEWER, PASSWORD)
    assert 0o600 == stat.S_IMODE((tmp_path / FILE).stat().st_mode)
    assert ["Vera.W", "anna"] == list(seen.now())
    change_account(tmp_path, "Vera.W", role=Role.REVIEWER)
    assert Role.REVIEWER == seen.now()["Vera.W"].person.role
    before = seen.now()["anna"]
    change_account(tmp_path, "anna", password=PASSWORD + "!")
    assert before.hash != seen.now()["anna"].hash
    assert ["anna"] == [one.name for one in remove_account(tmp_path, "Vera.W")]
    assert ["anna"] == list(seen.now())


@pytest.mark.usefixtures("quick")
def test_accounts_are_all_there_while_threads_read_them_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sees that it is another file, a second reads it, and a third asks while the first reads it too."""
    add_account(tmp_path, "anna", Role.ADMIN, PASSWORD)
    seen = Accounts(tmp_path)
    told = [seen.now()]
    add_account(tmp_path, "bert", Role.VIEWER, PASSWORD)
    look, reads = seen._look, accounts.read_accounts

    def read(state: Path) -> tuple[Account, ...]:
        told.append(seen.now())
        return reads(state)

    class Compared(tuple[int, int, int]):
        """What the first has seen; as soon as it knows that it is another, the second is there."""

        __slots__ = ()

        def __ne__(self, other: object) -> bool:
            """Compare."""
            differs = tuple(self) != other
            monkeypatch.setattr(seen, "_look", look)
            told.append(seen.now())
            monkeypatch.setattr(accounts, "read_accounts", read)
            return differs

    monkeypatch.setattr(seen, "_look", lambda: Compared(look() or ()))
    told.append(seen.now())
    assert [["anna"], *[["anna", "bert"]] * 3] == [list(one) for one in told]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", ["", "-a", "a b", "a\n", "a" * 65, "käthe", "ANNA", "anna"])
def test_name_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    """Also one that is taken, however it is written."""
    add_account(tmp_path, "anna", Role.ADMIN, PASSWORD)
    with pytest.raises(SettingsError, match=r"an account's name has|there is an account anna already"):
        add_account(tmp_path, name, Role.VIEWER, PASSWORD)


def test_account_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    """For each thing that could be done with it."""
    for change in (
        lambda: change_account(tmp_path, "anna", role=Role.VIEWER),
        lambda: remove_account(tmp_path, "anna"),
    ):
        with pytest.raises(SettingsError, match=r"there is no account anna; \./tailorbird account list"):
            change()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1]",
        "[{}]",
        '[{"name":"a","role":"king","hash":"$argon2id$x","added_at":""}]',
        "[" * 100_000,
    ],
)
def test_file_that_is_none_is_one_line(tmp_path: Path, text: str) -> None:
    """And is read again when it has changed."""
    seen = Accounts(tmp_path)
    (tmp_path / FILE).write_text(text, "utf-8")
    for _ in range(2):
        with pytest.raises(SettingsError, match="is no list of accounts") as caught:
            seen.now()
        assert "\n" not in str(caught.value)
    (tmp_path / FILE).unlink()
    assert {} == seen.now()
    assert () == read_accounts(tmp_path)
