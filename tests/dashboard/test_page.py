"""The page in a real browser, in front of a real line."""

import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from dashboard.job import csv_name
from store.browsing import Wanted
from tests.dashboard.conftest import HOSTILE, Page

pytestmark = pytest.mark.slow

NAMELESS = """() => [...document.querySelectorAll("button, input, select, a[href], img, [role=region], nav")]
  .filter((one) => one.checkVisibility())
  .filter((one) => one.tagName === "IMG" ? !one.hasAttribute("alt") :
    !(one.getAttribute("aria-label") || one.textContent.trim() || one.closest("label")?.textContent.trim()))
  .map((one) => one.outerHTML.slice(0, 120))"""
"""What a screen reader could not name, as HTML."""
TWICE = """() => [...document.querySelectorAll("[id]")].map((one) => one.id)
  .filter((id, place, all) => !id || all.indexOf(id) !== place)"""
"""Places that an address cannot lead to: they have no name, or another place has the same."""


def test_today_says_that_all_is_well_and_shows_what_comes_in(page: Page, tab: Tab) -> None:
    """Services, the canary, and a picture that was dropped while the page is open."""
    tab.goto("/")
    expect(tab.get_by_text("Everything is online")).to_be_visible()
    services = tab.get_by_role("region", name="Services")
    for name in ("ingest_agent shop", "predictor_service 1", "store main"):
        expect(services.get_by_role("row", name=name)).to_contain_text("online")
    page.drop("live", "Sandal")
    expect(tab.locator(".tile").filter(has_text="Sandal/").first).to_be_visible()
    expect(tab.locator(".tile img").first).to_be_visible()


def test_jobs_are_found_and_lead_to_their_images(tab: Tab) -> None:
    """Search by a part of the folder's name, then follow its link."""
    tab.goto("/jobs")
    tab.get_by_label("Search").fill("SPRI")
    rows = tab.locator("tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("closed")
    tab.get_by_role("link", name="spring").click()
    expect(tab.get_by_role("heading", name="spring")).to_be_visible()
    expect(tab.locator(".tile")).to_have_count(10)
    expect(tab.get_by_role("region", name="Failures")).to_contain_text("broken.png")
    for part in ("reading the files", "the model"):
        expect(tab.get_by_text(part, exact=True)).to_be_visible()


def test_search_without_a_find_says_so(tab: Tab) -> None:
    """In words, with what was searched for."""
    tab.goto("/jobs")
    tab.get_by_label("Search").fill("winter")
    expect(tab.get_by_text("No folder and no job is called so: winter")).to_be_visible()


def test_images_are_filtered_by_class_and_the_csv_is_what_is_shown(page: Page, tab: Tab) -> None:
    """The grid, its count, the address and the file say the same."""
    tab.goto(f"/job?job_id={page.job('spring')}")
    tab.get_by_role("button", name="Bag 5").click()
    csv = tab.get_by_role("link", name=re.compile("^CSV of .*images"))
    expect(csv).to_have_text(re.compile(r"CSV of 5\s+images"))
    expect(tab.locator(".tile")).to_have_count(5)
    expect(tab).to_have_url(re.compile("label=Bag"))
    with tab.expect_download() as download:
        csv.click()
    lines = Path(download.value.path()).read_text("utf-8").splitlines()
    shown = tab.locator(".tile .file").all_inner_texts()
    assert shown == [line.split(",")[0] for line in lines[1:]]
    tab.reload()
    expect(tab.locator(".tile")).to_have_count(5)


def test_doubtful_images_come_first_when_asked_for(page: Page, tab: Tab) -> None:
    """By confidence, from the smallest on."""
    tab.goto(f"/job?job_id={page.job('spring')}")
    tab.get_by_role("button", name="Least sure first").click()
    expect(tab).to_have_url(re.compile("order=doubt"))
    found = [float(text.split()[-2]) for text in tab.locator(".tile .what").all_inner_texts()]
    assert found == sorted(found)


def test_an_image_is_opened_and_closed_with_the_keyboard(page: Page, tab: Tab) -> None:
    """Enter opens it, all ten probabilities stand there, Escape closes it."""
    tab.goto(f"/job?job_id={page.job('spring')}")
    tab.locator(".tile").first.focus()
    tab.keyboard.press("Enter")
    expect(tab.locator(".detail .track")).to_have_count(10)
    expect(tab.locator(".detail img.pixels")).to_have_attribute("src", re.compile("^data:image/png"))
    expect(tab.locator(".detail").get_by_role("button", name="Close")).to_be_focused()
    for name in ("T-shirt/top", "Trouser"):
        while tab.evaluate("document.activeElement.textContent") != name:
            tab.keyboard.press("Tab")
            assert tab.evaluate("document.activeElement.closest('.detail') !== null")
    tab.keyboard.press("Escape")
    expect(tab.locator(".detail")).to_have_count(0)


def test_the_arrow_keys_go_on_to_the_neighbours(page: Page, tab: Tab) -> None:
    """Over the images that are shown, as quickly as one likes; the buttons say where there are no more."""
    tab.goto(f"/job?job_id={page.job('spring')}&label=Bag")
    names = tab.locator(".tile .file").all_inner_texts()
    tab.locator(".tile").nth(3).click()
    window = tab.locator(".detail")
    expect(window.locator("h2")).to_have_text(names[3])
    tab.keyboard.press("ArrowRight")
    expect(window.locator("h2")).to_have_text(names[4])
    expect(window).to_contain_text("5 of 5")
    expect(window.get_by_role("button", name="Next")).to_be_disabled()
    tab.keyboard.press("ArrowLeft")
    expect(window.locator("h2")).to_have_text(names[3])
    window.get_by_role("button", name="Previous").click()
    expect(window.locator("h2")).to_have_text(names[2])
    for _ in range(2):
        tab.keyboard.press("ArrowLeft")
    expect(window).to_contain_text("1 of 5")
    expect(window.locator("h2")).to_have_text(names[0])


def test_classes_count_what_the_filters_leave(page: Page, tab: Tab) -> None:
    """So a class's button says how many images it would show."""
    tab.goto(f"/job?job_id={page.job('spring')}&doubt=ok")
    button = tab.get_by_role("button", name=re.compile(r"^Bag \d+$"))
    expect(button).to_be_visible()
    number = int(button.inner_text().split()[-1])
    button.click()
    expect(tab.locator(".tile")).to_have_count(number)


def test_each_filter_has_a_file_name_of_its_own() -> None:
    """Which is a file's name, whatever a class is called."""
    assert "shop-1.csv" == csv_name(Wanted("shop-1"))
    assert "shop-1 T-shirt-top suspect.csv" == csv_name(Wanted("shop-1", "T-shirt/top", "suspect"))
    assert "shop-1 not suspect.csv" == csv_name(Wanted("shop-1", doubt="ok"))


def test_folder_whose_name_is_html_is_a_name(page: Page, tab: Tab) -> None:
    """On each page that shows it; nothing of it runs."""
    tab.goto("/jobs")
    tab.get_by_role("link", name=HOSTILE).click()
    expect(tab.get_by_role("heading", name=HOSTILE)).to_be_visible()
    expect(tab.locator(".tile")).to_have_count(5)


def test_job_that_is_not_there_says_so(tab: Tab) -> None:
    """With a way back."""
    tab.goto("/job?job_id=nobody")
    expect(tab.get_by_text("The database knows no job nobody")).to_be_visible()
    tab.get_by_role("link", name="All jobs").click()
    expect(tab.get_by_role("heading", name="Jobs")).to_be_visible()


def test_keyboard_begins_with_the_way_past_the_head(tab: Tab) -> None:
    """To the content, which then has the focus."""
    tab.goto("/jobs")
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("link", name="Skip to the content")).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.locator("#content")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1920])
def test_every_page_fits_its_window(
    tab: Tab, page: Page, screenshots: Path, scheme: Literal["light", "dark"], width: int
) -> None:
    """Nothing needs scrolling sideways, all has a name; a picture of each is kept to be looked at."""
    tab.emulate_media(color_scheme=scheme)
    tab.set_viewport_size({"width": width, "height": 900})
    addresses = {
        "today": "/",
        "drop": "/drop",
        "jobs": "/jobs",
        "job": f"/job?job_id={page.job('spring')}",
        "quality": "/quality",
        "review": f"/review?job_id={page.job('spring')}",
        "models": "/models",
        "system": "/system",
        "events": "/events",
    }
    for name, address in addresses.items():
        tab.goto(address)
        expect(tab.locator("h1")).to_be_visible()
        expect(tab.get_by_text("Looking for an image")).to_have_count(0)
        expect(tab.locator("body")).to_have_class(re.compile(f"body--{scheme}"))
        expect(tab.locator("h1")).to_have_count(1)
        assert "en-US" == tab.locator("html").get_attribute("lang")
        assert [] == tab.evaluate(NAMELESS)
        assert [] == tab.evaluate(TWICE)
        tab.screenshot(path=screenshots / f"{name}-{scheme}-{width}.png", full_page=True)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_browser_writes_nothing_into_the_log(page: Page, tab: Tab) -> None:
    """NiceGUI would take any line from anybody who looks."""
    tab.goto("/")
    expect(tab.get_by_text("Everything is online")).to_be_visible()
    tab.evaluate(
        "() => window.socket.emit('log', {client_id: window.clientId, level: 'error', message: 'forged'})"
    )
    hold = tab.get_by_role("button", name="Hold")
    hold.click()  # what comes behind it has been heard
    expect(hold).to_have_attribute("aria-pressed", "true")
    assert "forged" not in (page.inbox.parent / "log" / "dashboard-main.log").read_text()


def answered(page: Page, path: str, **headers: str) -> tuple[int, str]:
    """Return the status and the body of an answer."""
    request = urllib.request.Request(page.url + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize(
    "headers", [{"Host": "photos.example"}, {"Host": "127.0.0.1.nip.io"}, {"Origin": "http://a.example"}]
)
@pytest.mark.parametrize(
    "path", ["/", "/job.csv?job_id=x", "/_nicegui_ws/socket.io/?EIO=4&transport=polling"]
)
def test_other_names_and_other_pages_get_nothing(page: Page, path: str, headers: dict[str, str]) -> None:
    """Neither a name that was made to lead here, nor a page of another origin."""
    status, said = answered(page, path, **headers)
    assert 421 == status
    assert "its own pages only" in said


@pytest.mark.parametrize(
    "path",
    [
        "/config.toml",
        "/../config.toml",
        f"/{quote('../' * 8, safe='')}etc/passwd",
        "/static/../state/up.json",
    ],
)
def test_no_file_can_be_read(page: Page, path: str) -> None:
    """Whatever is asked for: the page's own addresses are all there is."""
    status, said = answered(page, path)
    assert 404 == status
    assert "root:" not in said
    assert "[paths]" not in said
