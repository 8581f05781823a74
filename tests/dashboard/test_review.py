"""Reviewing at the page: with the keyboard, two people at once, and many images together."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import pytest
from playwright.sync_api import BrowserContext, expect
from playwright.sync_api import Page as Tab

from tests.dashboard.conftest import CONNECTED, Page, watch
from tests.waiting import until

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Dropped:
    """A folder that was dropped for one test, and what the database says of its images."""

    page: Page
    folder: str

    @property
    def job_id(self) -> str:
        """Its job's name, once the database has it."""
        ((found,),) = until(lambda: self._ask("SELECT job_id FROM jobs WHERE folder = ?", self.folder))
        return str(found)

    @property
    def reviews(self) -> dict[str, str]:
        """What people say, by image."""
        found = self._ask("SELECT image, label FROM reviews WHERE job_id = ?", self.job_id)
        return {image: label for image, label in found}  # noqa: C416 - mypy knows no pairs in rows

    def predicted(self, image: str) -> str:
        """What the model says of an image."""
        query = "SELECT label FROM predictions WHERE job_id = ? AND image = ?"
        ((found,),) = self._ask(query, self.job_id, image)
        return str(found)

    def stored_as(self, image: str, label: str) -> str:
        """What the page says once that answer is stored."""
        predicted = self.predicted(image)
        not_so = "" if label == predicted else f", not {predicted}"
        return f"\N{CHECK MARK} The last one: {label}{not_so}, stored"

    @contextmanager
    def store_waits(self) -> Iterator[None]:
        """Keep the store from writing for a while."""
        database = self.page.inbox.parent / "tailorbird.db"
        with closing(sqlite3.connect(database, timeout=30.0, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")

    def _ask(self, query: str, *values: str) -> list[tuple[str, ...]]:
        database = f"file:{self.page.inbox.parent / 'tailorbird.db'}?mode=ro"
        with closing(sqlite3.connect(database, uri=True)) as connection:
            return connection.execute(query, values).fetchall()


@pytest.fixture(scope="module")
def dropped(page: Page) -> Dropped:
    """Ten images, of coats and of dresses."""
    page.drop("to review", "Coat", "Dress")
    page.wait_for("to review")
    return Dropped(page, "to review")


def shown(tab: Tab, number: int) -> str:
    """Wait for the page's question of that number; return the name of its image."""
    place = tab.locator(f"#asked[data-number='{number}'] .where .image")
    expect(place).to_be_visible()
    return place.inner_text()


def opened(tab: Tab, dropped: Dropped) -> str:
    """Open the page for the job's images; return the first one's name."""
    tab.goto(f"/review?job_id={dropped.job_id}")
    return shown(tab, 1)


def said(tab: Tab, words: str) -> None:
    """Wait until the page says exactly that: a part of it may stand in what it said before."""
    expect(tab.locator("#asked .said-now")).to_have_text(words)


def test_keys_review_and_undo(tab: Tab, dropped: Dropped) -> None:
    """A number names a class, A agrees, S skips, U takes back; what is said to be stored is stored."""
    first = opened(tab, dropped)
    expect(tab.locator(".card").filter(has_text="True accuracy")).to_contain_text("not known yet")
    tab.keyboard.press("9")
    said(tab, dropped.stored_as(first, "Bag"))
    assert {first: "Bag"} == dropped.reviews
    second = shown(tab, 2)
    assert first != second
    tab.keyboard.press("a")
    agreed = dropped.predicted(second)
    said(tab, dropped.stored_as(second, agreed))
    assert {first: "Bag", second: agreed} == dropped.reviews
    expect(tab.locator(".card").filter(has_text="Yours")).to_contain_text(re.compile(r"2\s+answers"))
    third = shown(tab, 3)
    tab.keyboard.press("s")
    said(tab, "Skipped.")
    assert third != shown(tab, 4)
    tab.keyboard.press("u")
    said(tab, f"{agreed} was taken back.")
    assert second == shown(tab, 5)
    tab.keyboard.press("u")
    said(tab, "Bag was taken back.")
    assert first == shown(tab, 6)
    assert {} == dropped.reviews


def test_keys_that_are_held_or_meant_for_others_are_no_answers(tab: Tab, dropped: Dropped) -> None:
    """Neither with Ctrl, nor while help is open, nor the repeats of a key that is held down."""
    first = opened(tab, dropped)
    tab.keyboard.press("Control+1")
    tab.keyboard.press("?")
    expect(tab.get_by_role("heading", name="Keys")).to_be_visible()
    tab.keyboard.press("2")
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("heading", name="Keys")).to_be_hidden()
    assert first == shown(tab, 1)
    for _ in range(4):
        tab.keyboard.down("3")
    tab.keyboard.up("3")
    said(tab, dropped.stored_as(first, "Pullover"))
    shown(tab, 2)
    assert {first: "Pullover"} == dropped.reviews
    tab.keyboard.press("u")
    said(tab, "Pullover was taken back.")


def test_two_at_the_same_image_are_told_of_each_other(
    tab: Tab, context: BrowserContext, page: Page, dropped: Dropped, complaints: list[str]
) -> None:
    """They get different images; whoever answers second is asked, and nothing is written over unseen."""
    image = opened(tab, dropped)
    other = context.new_page()
    watch(other, page, complaints)
    assert image != opened(other, dropped)
    other.goto(f"/job?job_id={dropped.job_id}")
    other.locator(".tile").filter(has_text=image).click()
    other.locator(".detail").get_by_role("button", name="Sandal").click()
    expect(other.locator(".detail")).to_contain_text("Sandal: stored")
    tab.keyboard.press("8")
    expect(tab.get_by_role("alert")).to_contain_text(re.compile(r"called it Sandal at [\d:]+ UTC"))
    assert {image: "Sandal"} == dropped.reviews
    tab.keyboard.press("r")
    said(tab, dropped.stored_as(image, "Sneaker"))
    assert {image: "Sneaker"} == dropped.reviews
    other.locator(".detail").get_by_role("button", name="Bag").click()
    expect(other.locator(".detail")).to_contain_text("Somebody answered while you looked")
    expect(other.locator(".detail")).to_contain_text("called it Sneaker")
    other.locator(".detail").get_by_role("button", name="Take back").click()
    expect(other.locator(".detail")).to_contain_text("Nobody has reviewed it")
    other.close()
    assert {} == dropped.reviews


def test_many_are_named_at_once_and_taken_back(tab: Tab, dropped: Dropped) -> None:
    """By mouse with shift, and by the space bar; the tiles show what people said.

    What is selected while others are stored stays selected.
    """
    tab.goto(f"/job?job_id={dropped.job_id}")
    tab.wait_for_function(CONNECTED)
    tab.get_by_role("button", name="Select", exact=True).click()
    tiles = tab.locator(".tile")
    tiles.nth(1).click()
    tiles.nth(4).click(modifiers=["Shift"])
    tiles.nth(0).focus()
    tab.keyboard.press("Space")
    expect(tab.locator(".tile[aria-pressed=true]")).to_have_count(5)
    names = [tiles.nth(place).locator(".file").inner_text() for place in range(5)]
    tab.get_by_label("These are").select_option("Shirt")
    with dropped.store_waits():
        tab.get_by_role("button", name="Store", exact=True).click()
        expect(tab.locator(".selecting")).to_contain_text("0 of 5 stored")
        tiles.nth(6).click()
        expect(tab.locator(".tile[aria-pressed=true]")).to_have_count(6)
    expect(tab.locator(".selecting")).to_contain_text(re.compile(r"5\s+images stored as Shirt"))
    assert dict.fromkeys(names, "Shirt") == dropped.reviews
    expect(tab.locator(".tile[aria-pressed=true]")).to_have_count(1)
    tiles.nth(6).click()
    expect(tab.locator(".tile .people")).to_have_count(5)
    tab.get_by_role("button", name="Undo").click()
    expect(tab.locator(".selecting")).to_contain_text(re.compile(r"5\s+images taken back"))
    assert {} == dropped.reviews
    tab.get_by_role("button", name="All shown").click()
    expect(tab.locator(".tile[aria-pressed=true]")).to_have_count(10)


def test_review_ends_when_all_is_answered(tab: Tab, page: Page) -> None:
    """Enter agrees, on a phone too all is on the first screen, and at the end stands what to do next."""
    page.drop("trousers", "Trouser")
    page.wait_for("trousers")
    tab.goto(f"/job?job_id={Dropped(page, 'trousers').job_id}")
    tab.get_by_role("link", name="Review this job").click()
    tab.set_viewport_size({"width": 390, "height": 844})
    for number in range(1, 6):
        shown(tab, number)
        agree = tab.get_by_role("button", name="Agree").bounding_box()
        assert agree is not None
        assert agree["y"] + agree["height"] < 844
        tab.keyboard.press("Enter")
    expect(tab.get_by_text("Nothing is left to ask")).to_be_visible()
    expect(tab.locator(".cards")).to_contain_text(re.compile(r"of 5\s+images, each of them answered"))
    expect(tab.get_by_role("button", name="Agree")).to_be_hidden()
    expect(tab.get_by_role("button", name="Undo")).to_be_visible()
    tab.goto("/review?label=Hat")
    expect(tab.get_by_text("No image is like that")).to_be_visible()
    expect(tab.get_by_role("link", name="All images", exact=True).last).to_be_visible()
