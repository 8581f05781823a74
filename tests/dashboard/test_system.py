"""System, its event log and its exports in a real browser; the head, the foot, and what fails."""

import csv
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from cli.application import main
from store.exports import KINDS
from store.times import stamp_of
from tests.dashboard.conftest import Page
from tests.dashboard.test_page import answered

pytestmark = pytest.mark.slow

SEVEN = """() => { const nav = document.querySelector(".top nav");
  for (const name of ["Drop", "Quality", "Review", "Models"].slice(0, 7 - nav.childElementCount)) {
    const made = nav.firstElementChild.cloneNode(); made.textContent = name; nav.prepend(made); } }"""
"""Makes the head as long as it will be."""


def test_system_says_what_the_line_stands_on(page: Page, tab: Tab) -> None:
    """Database, upkeep, broker, disks, services with what they cost, what was set; exports follow a time."""
    tab.goto("/system")
    expect(tab.get_by_role("status")).to_contain_text("are in order")
    text = tab.locator(".page")
    for said in (
        str(page.inbox.parent / "tailorbird.db"),
        "0003",
        "Mosquitto 2",
        "up to 2",
        "free of",
        "quiet_s",
    ):
        expect(text).to_contain_text(said)
    services = tab.get_by_role("region", name="Services")
    for name in ("broker main", "store main", "ingest_agent shop", "predictor_service 1", "dashboard main"):
        expect(services.get_by_role("row", name=name)).to_contain_text("online")
    expect(services.get_by_role("row", name="dashboard main")).to_contain_text("MB")
    expect(tab.locator("dt", has_text="Due to be deleted").locator("+ dd")).to_have_text("nothing")
    tab.get_by_label("From (UTC)").fill("2026-11-22T13:00")
    for kind in ("results", "reviews"):
        link = tab.get_by_role("link", name=f"{kind}.csv")
        expect(link).to_have_attribute("href", f"/export/{kind}.csv?since=2026-11-22T13%3A00")
    expect(tab.locator(".foot")).to_have_text(re.compile(r"Tailorbird \d.*Times are UTC"))


def test_events_are_filtered_in_the_address_and_the_csv_is_what_is_shown(page: Page, tab: Tab) -> None:
    """A choice, its address, its file, and the way to the job."""
    tab.goto("/system")
    tab.get_by_role("link", name="The whole event log").click()
    tab.get_by_label("Event", exact=True).fill("job-closed")
    tab.get_by_label("Event", exact=True).press("Enter")
    expect(tab).to_have_url(re.compile("event=job-closed"))
    tab.get_by_label("Text").fill("folder=spring")
    expect(tab).to_have_url(re.compile("event=job-closed&text=folder%3Dspring"))
    rows = tab.locator("tbody tr")
    expect(rows).to_have_count(1)
    expect(rows.locator("strong")).to_have_text("job-closed")
    with tab.expect_download() as download:
        tab.get_by_role("link", name="CSV of these events").click()
    (line,) = csv.DictReader(Path(download.value.path()).read_text("utf-8").splitlines())
    assert ("job-closed", page.job("spring")) == (line["event"], line["job"])
    tab.get_by_label("Level").select_option("errors")
    expect(tab.get_by_text("No event is like that")).to_be_visible()
    tab.reload()
    expect(tab.get_by_label("Level")).to_have_value("error")
    tab.get_by_role("link", name="Show all").click()
    tab.get_by_role("link", name=f"Job {page.job('spring')}").first.click()
    expect(tab.get_by_role("heading", name="spring")).to_be_visible()


@pytest.mark.parametrize("kind", KINDS)
def test_export_is_what_the_command_writes(page: Page, tmp_path: Path, kind: str) -> None:
    """Byte for byte, of the same time."""
    until = stamp_of(datetime.now(UTC))
    config, file = page.inbox.parent.parent / "config.toml", tmp_path / "out.csv"
    given = ["--since", "2026-01-01", "--until", until]
    assert 0 == main(["--config", str(config), "export", kind, *given, "-o", str(file)])
    status, said = answered(page, f"/export/{kind}.csv?since=2026-01-01&until={until}")
    assert (200, file.read_bytes()) == (status, said.encode())


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/export/secrets.csv", 404, "there is results"),
        ("/export/results.csv?since=soon", 400, "expected a time such as 2026-11-22"),
        ("/events.csv?until=0001-01-01T00:00%2B14:00", 400, "expected a time"),
        ("/job?page=first", 422, "does not understand"),
        ("/nothing/there", 404, "There is no page at this address"),
    ],
)
def test_address_that_is_wrong_says_so(page: Page, path: str, status: int, said: str) -> None:
    """In one sentence."""
    found, body = answered(page, path)
    assert status == found
    assert said in body


def test_browser_that_is_busy_for_some_seconds_is_not_cut_off(page: Page) -> None:
    """What somebody did meanwhile would be lost: the connection itself says how long it waits."""
    status, said = answered(page, "/_nicegui_ws/socket.io/?EIO=4&transport=polling")
    assert 200 == status
    assert 10_000 <= json.loads(said.removeprefix("0"))["pingTimeout"]


def test_narrow_head_holds_seven_pages_and_a_lost_connection_is_said(tab: Tab, screenshots: Path) -> None:
    """On one line, the marked page in view; and in our words, to a screen reader too."""
    tab.goto("/system")
    tab.evaluate(SEVEN)
    for width in (320, 390):
        tab.set_viewport_size({"width": width, "height": 800})
        tab.evaluate("dispatchEvent(new Event('load'))")
        assert tab.locator(".top").evaluate("(head) => head.offsetHeight") < 90
        expect(tab.get_by_role("link", name="System")).to_be_in_viewport(ratio=0.95)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.evaluate("window.socket.disconnect()")
    expect(tab.get_by_role("alert")).to_contain_text("The connection to Tailorbird is lost.")
    expect(tab.locator("#popup")).to_have_css("opacity", "1")
    tab.screenshot(path=screenshots / "lost-light-390.png")
