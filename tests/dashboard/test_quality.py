"""The page of quality in a real browser: its plots, their CSV, and the way from an alert to its plot."""

import csv
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from store.times import stamp_of
from tests.dashboard.conftest import CONNECTED, Page

pytestmark = pytest.mark.slow


@pytest.fixture
def alert(page: Page) -> Iterator[str]:
    """An open alert about bags, as the store would have written and told it."""
    path = page.inbox.parent / "tailorbird.db"
    name = "class-accuracy-of-a-test"
    row = (name, "class-accuracy", "Bag", "open", 0.5, 0.9, "expected accuracy of Bag", "open")
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        with connection:
            connection.execute(
                "INSERT INTO alerts (alert_id, rule, subject, state, value, bound, detail, told, opened_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, stamp_of(datetime.now(UTC))),
            )
        yield name
        with connection:
            connection.execute("DELETE FROM alerts WHERE alert_id = ?", (name,))


def test_quality_shows_each_class_and_its_csv_holds_what_is_plotted(tab: Tab) -> None:
    """The table behind the plots and the file say the same, the file with the day in full."""
    tab.goto("/quality?period=24h")
    group = tab.locator("#confidence")
    expect(group.get_by_role("img", name="Mean confidence of Bag")).to_be_visible()
    group.get_by_text("Figures", exact=True).click()
    head = group.locator("thead th").all_inner_texts()
    shown = group.locator("tbody tr").first.locator("td").all_inner_texts()
    with tab.expect_download() as download:
        group.get_by_role("link", name="CSV of Mean confidence of each class").click()
    first, *rows = csv.reader(Path(download.value.path()).read_text("utf-8").splitlines())
    told = dict(zip((name.removesuffix(", %") for name in first), rows[0], strict=True))
    place = head.index("Bag")
    assert shown[place] == f"{float(told['Bag']):.1f}\N{NO-BREAK SPACE}%"
    assert datetime.now(UTC).year == datetime.fromisoformat(rows[0][0]).year


def test_quality_says_what_is_missing_and_what_to_do(tab: Tab) -> None:
    """Too few reviews, and a period without any job."""
    tab.goto("/quality")
    tab.wait_for_function(CONNECTED)
    expect(tab.get_by_text("Reliability needs 30")).to_be_visible()
    expect(tab.get_by_role("link", name="Review").last).to_have_attribute("href", "/review")
    tab.get_by_label("First day").fill("2020-01-01")
    tab.get_by_label("Last day").fill("2020-01-31")
    tab.get_by_role("button", name="Show these days").click()
    expect(tab).to_have_url(re.compile(r"from=2020-01-01&to=2020-01-31"))
    expect(tab.get_by_text("No job is like that: choose a longer period")).to_be_visible()
    expect(tab.get_by_label("First day")).to_have_value("2020-01-01")


def test_quality_keeps_the_source_in_the_address(tab: Tab) -> None:
    """And across another period."""
    tab.goto("/quality")
    tab.get_by_label("Source").select_option("shop")
    expect(tab).to_have_url(re.compile(r"/quality\?source=shop$"))
    tab.get_by_role("link", name="7 days").click()
    expect(tab).to_have_url(re.compile(r"/quality\?period=7d&source=shop$"))
    expect(tab.get_by_label("Source")).to_have_value("shop")


def test_alert_leads_to_its_explanation_and_its_plot_and_back(alert: str, tab: Tab) -> None:
    """From Today to the alert, from there to the plot of its class, and from the plot to the alert."""
    tab.goto("/")
    expect(tab.locator(".card dd.bad")).to_have_text("\N{WARNING SIGN} 1")
    tab.get_by_role("link", name="Accuracy of a class: Bag").click()
    told = tab.locator(f"#alert-{alert}")
    expect(told.get_by_text("The model is less sure")).to_be_in_viewport()
    expect(told.get_by_role("img", name="Mean confidence of Bag")).to_be_visible()
    told.get_by_role("link", name="The plot: Bag").click()
    plot = tab.locator("#confidence-bag")
    expect(plot.get_by_role("img", name="Mean confidence of Bag")).to_be_in_viewport()
    expect(plot.locator("rect.mark")).to_have_count(1)
    plot.locator("p.alerts a").click()
    expect(tab).to_have_url(re.compile(f"#alert-{alert}$"))
