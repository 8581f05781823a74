"""Which programs `up` runs."""

import pytest

from cli.given import Given
from cli.programs import STOP_S, programs
from tests.conftest import MakeSettings


def test_page_is_the_last_to_start_and_the_line_is_one_without_it(make_settings: MakeSettings) -> None:
    """What ends first is what nobody's images wait for."""
    made = programs(Given(), make_settings(), None)
    assert ["store", "predictor_service", "ingest_agent", "dashboard"] == [one.service for one in made]
    assert [True, True, True, False] == [one.needed for one in made]


@pytest.mark.parametrize("keys", [{"enabled": "false"}, {"port": "0"}])
def test_no_page_is_run_where_none_is_wanted(make_settings: MakeSettings, keys: dict[str, str]) -> None:
    """By either key."""
    made = programs(Given(), make_settings(dashboard=keys), None)
    assert "dashboard" not in [one.service for one in made]


def test_all_ends_within_fifteen_seconds() -> None:
    """As `up` promises; the page ends beside the agent."""
    assert STOP_S["dashboard"] <= STOP_S["ingest_agent"]
    assert sum(STOP_S.values()) - STOP_S["dashboard"] < 15
