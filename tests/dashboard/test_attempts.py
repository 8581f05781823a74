"""Tries of passwords, and the sessions that come of them."""

from dashboard.accounts import Account
from dashboard.attempts import KEPT, Attempts, device_of, is_known, keys_of
from dashboard.sessions import MOST, Sessions

ANNA = Account("anna", "admin", "$argon2id$one", "")


class Clock:
    """Time that a test turns."""

    now = 0.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


def test_wait_doubles_up_to_a_quarter_of_an_hour() -> None:
    """So nobody guesses, and nobody is shut out for ever."""
    clock = Clock()
    attempts, keys = Attempts(clock), keys_of("anna", ANNA, "192.0.2.7", known=False)
    waits = []
    for _ in range(14):
        attempts.failed(keys)
        waits.append(attempts.wait_s(keys))
        clock.now += waits[-1]
    assert [0, 0, 0, 0, 15, 30, 60, 120, 240, 480, 900, 900, 900, 900] == waits
    clock.now += 3600
    assert 0 == attempts.wait_s(keys)
    attempts.failed(keys)
    assert 0 == attempts.wait_s(keys)


def test_address_that_tries_many_names_waits_as_well() -> None:
    """An address of IPv6 with all its customer's; another one does not."""
    attempts = Attempts(Clock())
    for number in range(20):
        attempts.failed(keys_of(f"name-{number}", None, f"2001:db8::{number + 1}", known=False))
    assert 15 == attempts.wait_s(keys_of("anna", ANNA, "2001:db8::ffff", known=False))
    assert 0 == attempts.wait_s(keys_of("anna", ANNA, "2001:db8:0:1::1", known=False))


def test_strangers_hold_up_neither_a_known_browser_nor_a_new_password() -> None:
    """The mark of a browser is worth something for its account and its present password only."""
    clock = Clock()
    attempts = Attempts(clock)
    stranger = keys_of("anna", ANNA, "192.0.2.7", known=False)
    for _ in range(50):
        attempts.failed(stranger)
    assert 900 == attempts.wait_s(stranger)
    assert 0 == attempts.wait_s(keys_of("anna", ANNA, "192.0.2.7", known=True))
    renewed = Account("anna", "admin", "$argon2id$two", "")
    assert 0 == attempts.wait_s(keys_of("anna", renewed, "192.0.2.8", known=False))
    assert is_known(device_of(ANNA), ANNA)
    for account in (renewed, Account("vera", "admin", ANNA.hash, ""), None):
        assert not is_known(device_of(ANNA), account)
    assert not is_known("\udcff\u20ac", ANNA)


def test_success_forgets_the_names_failures_but_not_the_addresss() -> None:
    """Else an account of one's own would buy tries at others'."""
    attempts, keys = Attempts(Clock()), keys_of("anna", ANNA, "192.0.2.7", known=False)
    for _ in range(20):
        attempts.failed(keys)
    attempts.succeeded(keys)
    assert 0 == attempts.wait_s(keys[:1])
    assert 15 == attempts.wait_s(keys)


def test_memory_of_failures_and_sessions_is_bounded() -> None:
    """Whoever makes up names and addresses fills nothing."""
    attempts = Attempts(Clock())
    for number in range(KEPT):
        attempts.failed(keys_of(f"n{number}", None, f"a{number}", known=False))
    assert KEPT == len(attempts._kept)
    clock = Clock()
    sessions = Sessions(10.0, 100.0, clock)
    words = []
    for _ in range(MOST + 1):
        clock.now += 0.001
        words.append(sessions.begin(ANNA))
    assert MOST == len(sessions._kept)
    accounts = {"anna": ANNA}
    assert sessions.of(words[0], accounts) is None
    assert sessions.of(words[-1], accounts) is not None
    assert not any(word.encode() in key for word in words for key in sessions._kept)
    assert 43 == len(words[-1])


def test_session_lasts_as_long_as_its_account_is_the_same() -> None:
    """Another password, another role, or none: it has ended, and stays so."""
    sessions = Sessions(10.0, 100.0, Clock())
    for changed in ({}, {"anna": Account("anna", "viewer", ANNA.hash, "")}):
        session = sessions.of(sessions.begin(ANNA), {"anna": ANNA})
        assert session is not None
        assert not sessions.lasts(session, changed)
        assert not sessions.lasts(session, {"anna": ANNA})
