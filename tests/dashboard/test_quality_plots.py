"""What the page of quality draws and writes, without a browser."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from markupsafe import Markup

from dashboard.figures import figure
from dashboard.plots import Mark
from dashboard.plotted import Amount, Plot, Share, csv_lines
from dashboard.quality_alert_cards import alert_cards
from dashboard.quality_alerts import RULES, by_plot, marks, place_of
from dashboard.quality_choice import Choice, choice_of
from dashboard.trend_plots import stands
from store.estimates import around, not_enough
from store.queries import AlertRow
from store.report_figures import Scope

NOW = datetime(2026, 11, 27, 13, 45, tzinfo=UTC)
HOSTILE = "<img src=x onerror=alert(1)>"
PLOT = Plot(
    title=HOSTILE,
    picture=Markup("<svg></svg>"),
    name="mix",
    columns=["day, UTC", HOSTILE, "images", "ms"],
    rows=[["11-26", Share(0.87654), 1234, Amount(1.25)], ["11-27", None, 0, None]],
    keys=["2026-11-26", "2026-11-27"],
)


def alert(rule: str = "one-class", subject: str = "", closed_at: str | None = None) -> AlertRow:
    """Return an alert of the 26th."""
    state = "closed" if closed_at else "open"
    opened = "2026-11-26T12:00:00.000Z"
    return AlertRow("a1", rule, subject, state, 0.9, 0.8, HOSTILE, opened, closed_at, "j1")  # type: ignore[arg-type]


def test_csv_has_plain_numbers_in_the_units_of_its_head() -> None:
    """Shares in percent, steps in full, nothing where nothing is known."""
    assert [
        f'"day, UTC","{HOSTILE}, %",images,ms\r\n',
        "2026-11-26,87.65,1234,1.25\r\n",
        "2026-11-27,,0,\r\n",
    ] == list(csv_lines(PLOT))


def test_csv_runs_nothing_in_a_spreadsheet() -> None:
    """Whatever a class is called."""
    assert ["'=1+1\r\n"] == list(csv_lines(Plot("", Markup(""), columns=["=1+1"])))


def test_figure_and_alert_escape_what_comes_from_outside() -> None:
    """Titles, columns, and an alert's detail."""
    text = figure(PLOT, lambda name: f"/quality.csv?plot={name}", by_plot([alert()]))
    text += alert_cards([alert()], [PLOT], NOW)

    assert "<img" not in text
    assert 'href="#alert-a1"' in text
    assert 'href="#mix"' in text
    assert "87.7\N{NO-BREAK SPACE}%" in text


def test_alert_is_marked_from_its_opening_to_its_end() -> None:
    """An open one to the last step; one that opened before all, from the first."""
    steps = ["2026-11-25", "2026-11-26", "2026-11-27", "2026-11-28"]

    def columns(one: AlertRow, *steps: str) -> list[tuple[int, int]]:
        return [(mark.first, mark.last) for mark in marks([one], steps)]

    assert [(1, 3)] == columns(alert(), *steps)
    assert [(1, 2)] == columns(alert(closed_at="2026-11-27T01:00:00.000Z"), *steps)
    assert [(0, 0)] == columns(alert(), "2026-11-28")
    assert list[Mark]() == marks([alert()], [])


def test_rule_of_the_store_leads_to_its_plot() -> None:
    """The class's own, or the statistic's."""
    told = {rule: place_of(alert(rule, "T-shirt/top")) for rule in ("class-accuracy", "input-drift", "disk")}

    assert {
        "class-accuracy": "confidence-t-shirt-top",
        "input-drift": "pixels-t-shirt-top",
        "disk": "",
    } == told
    assert "" == place_of(alert("a rule of tomorrow"))
    assert all(rule.means and rule.next for rule in RULES.values())


@pytest.mark.parametrize(
    ("given", "scope"),
    [
        (("", "", "", "", ""), Scope(since=datetime(2026, 10, 28, tzinfo=UTC))),
        (("24h", "", "", "shop", ""), Scope(since=datetime(2026, 11, 26, 13, tzinfo=UTC), source="shop")),
        (("all", "", "", "", "m1"), Scope(model="m1")),
        (("tomorrow", "x", "9999-12-31", "", ""), Scope(since=datetime(2026, 10, 28, tzinfo=UTC))),
        (
            ("7d", "2026-11-01", "2026-11-02", "", ""),
            Scope(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC)),
        ),
    ],
)
def test_address_says_what_is_meant(given: tuple[str, str, str, str, str], scope: Scope) -> None:
    """What it does not know counts as not said; days rule out a period, and the last one is included."""
    assert scope == choice_of(*given).scope(NOW)


def test_choice_is_kept_in_the_address() -> None:
    """The usual one needs no words."""
    assert "/quality" == Choice().address("/quality")
    chosen = choice_of("", "2026-11-01", "", "shop", "m1")
    assert "/quality?from=2026-11-01&source=shop&model=m1" == chosen.address("/quality")
    assert "/quality?period=7d&source=shop&model=m1" == chosen.of_period("7d").address("/quality")


def test_plots_are_drawn_without_a_web_server() -> None:
    """The report needs none of the page's packages."""
    script = "import sys, dashboard.trend_plots, dashboard.figures; print('nicegui' in sys.modules)"
    assert b"False\n" == subprocess.check_output([sys.executable, "-c", script])


def test_step_without_an_estimate_says_why() -> None:
    """And one that is none to go by does, too."""
    assert "none: fewer than 50 images" == stands(not_enough(42), trusted=True, least=50)
    assert "reliable" == stands(around(0.9, 0.05, 60), trusted=True, least=50)
    assert stands(around(0.9, 0.05, 60), trusted=False, least=50).startswith("unreliable: many suspects")
