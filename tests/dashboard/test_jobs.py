"""The list of jobs in a real browser, in front of a real line."""

import csv
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from dashboard.jobs import JobsAsked, name_of
from store.queries import Job
from store.times import stamp_of
from tests.dashboard.conftest import Page

pytestmark = pytest.mark.slow


@pytest.fixture
def database(page: Page) -> Iterator[sqlite3.Connection]:
    """The line's database, with an open job of another source that nobody sends anything for."""
    with closing(sqlite3.connect(page.inbox.parent / "tailorbird.db", timeout=30)) as connection:
        with connection:
            connection.execute(
                "INSERT INTO jobs (job_id, source, folder, opened_at) VALUES ('held', 'hall', 'held', ?)",
                (stamp_of(datetime.now(UTC)),),
            )
        yield connection
        with connection:
            connection.execute("DELETE FROM jobs WHERE job_id = 'held'")


def test_open_job_follows_by_itself(database: sqlite3.Connection, tab: Tab) -> None:
    """In its row, where who is on its link stays on it; once it is closed it is no open job any more."""
    tab.goto("/jobs?state=open&source=hall")
    row = tab.locator("tbody tr")
    expect(row).to_have_count(1)
    tab.get_by_role("link", name="held").focus()
    with database:
        database.execute("UPDATE jobs SET stored = 4321 WHERE job_id = 'held'")
    expect(row).to_contain_text("4,321")
    expect(tab.get_by_role("link", name="held")).to_be_focused()
    with database:
        database.execute("UPDATE jobs SET state = 'closed' WHERE job_id = 'held'")
    expect(tab.get_by_text("No job is like that")).to_be_visible()


def test_filters_stand_in_the_address_and_the_csv_is_what_is_shown(page: Page, tab: Tab) -> None:
    """Loaded anew, the page shows the same; Show all leads back."""
    tab.goto("/jobs")
    tab.get_by_label("Failures").select_option("some")
    expect(tab).to_have_url(re.compile("failures=some"))
    tab.get_by_label("Search").fill("spri")
    expect(tab).to_have_url(re.compile("text=spri"))
    tab.reload()
    expect(tab.get_by_label("Failures")).to_have_value("some")
    expect(tab.get_by_label("Search")).to_have_value("spri")
    expect(tab.locator("tbody tr")).to_have_count(1)
    link = tab.get_by_role("link", name=re.compile(r"CSV of 1\sjob"))
    with tab.expect_download() as download:
        link.click()
    (row,) = csv.DictReader(download.value.path().read_text("utf-8").splitlines())
    assert (page.job("spring"), "1") == (row["job_id"], row["failed"])
    tab.get_by_label("Flags").select_option("some")
    expect(tab.get_by_text("No job is like that")).to_be_visible()
    tab.get_by_role("link", name="Show all").click()
    expect(tab.get_by_role("link", name="spring")).to_be_visible()


def test_time_that_is_none_is_said(tab: Tab) -> None:
    """With what is expected."""
    tab.goto("/jobs?since=yesterday")
    expect(tab.get_by_text("expected a time such as")).to_be_visible()


def test_address_with_words_that_the_list_does_not_know() -> None:
    """They count as not said."""
    assert JobsAsked().wanted() == JobsAsked({"state": "lost", "failures": "yes"}).wanted()


@pytest.mark.parametrize(
    ("folder", "sent", "stored", "name"),
    [
        ("spring", 0, 5, "spring"),
        ("", 5, 4, "(the root of the inbox)"),
        ("", 0, 0, "(the root of the inbox)"),
        ("", 0, 5, "asked by client"),
    ],
)
def test_job_without_a_folder_says_whose_it_is(folder: str, sent: int, stored: int, name: str) -> None:
    """Loose photos in the inbox, or what another program asks for."""
    at = "2026-11-28T05:00:00.000Z"
    job = Job("j1", "client", folder, "open", at, None, 5, sent, stored, 0, None, 0.0, None, None)
    assert name == name_of(job)
