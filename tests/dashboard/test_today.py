"""What Today says of the present, without a browser."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker.messages import Status
from broker.settings_reader import default_settings
from dashboard.today import figures, last_sign
from dashboard.watch import Present, Stored
from store.browsing import Backlog
from store.queries import AlertRow

AT = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
SINCE = "2026-11-27T09:00:00.000Z"


def present(**stored: object) -> Present:
    """Return a moment with these figures from the database."""
    usual = Stored([], [], 0, Backlog(0, ""), 0, 0, 0, [], {}, {})
    return Present(AT, connected=True, stored=replace(usual, **stored))  # type: ignore[arg-type]


def card(now: Present, name: str) -> tuple[str, str]:
    """Return a card's figure, and what to know of it."""
    (found,) = [(value, more) for title, value, more in figures(now) if title == name]
    return found[0].replace("\N{NO-BREAK SPACE}", " "), found[1]


def test_speed_is_that_of_the_last_minute() -> None:
    """In images per second."""
    assert "1,250.5 images/s" == card(present(last_minute=75_030), "Speed")[0]


def test_open_alerts_are_counted_though_not_all_are_listed() -> None:
    """The card says which are."""
    one = AlertRow("a", "backlog", "", "open", 1.0, 1.0, "", SINCE, None, "")
    assert ("0", "none") == card(present(), "Open alerts")
    assert ("\N{WARNING SIGN} 1", "listed below") == card(present(alerts=[one], open_alerts=1), "Open alerts")
    many = present(alerts=[one] * 20, open_alerts=25)
    assert ("\N{WARNING SIGN} 25", "the newest 20 are listed below") == card(many, "Open alerts")


def test_backlog_is_not_known_while_no_store_is_online() -> None:
    """What the database says of it is old."""
    assert ("\N{EN DASH}", "not known: no store is online") == card(present(), "Backlog")
    store = Status(
        service="store", instance="main", state="online", pid=1, host="here", version="1", since=SINCE
    )
    assert ("0 images", "nothing waits") == card(replace(present(), services=(store,)), "Backlog")


@pytest.mark.parametrize(
    ("service", "state", "said"),
    [
        ("store", "online", "within 15 s"),
        ("predictor_service", "online", "within 4.5 s"),
        ("store", "offline", "before 11:30:00"),
        ("store", "stopped", "before 11:30:00"),
        ("dashboard", "online", "now"),
    ],
)
def test_last_sign_of_life_is_what_the_broker_vouches_for(
    tmp_path: Path, service: str, state: str, said: str
) -> None:
    """By the keep-alive of whoever is there; of others, from before the page heard of their end."""
    one = Status(
        service=service,
        instance="1",
        state=state,  # type: ignore[arg-type]
        pid=1,
        host="here",
        version="1",
        since=SINCE,
    )
    now = replace(present(), heard={(service, "1"): datetime(2026, 11, 27, 11, 30, tzinfo=UTC)})
    assert said == last_sign(one, now, default_settings(tmp_path)).replace("\N{NO-BREAK SPACE}", " ")
