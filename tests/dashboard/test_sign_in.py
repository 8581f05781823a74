"""Signing in and out in a real browser, at a page of its own that has accounts, and no line behind it."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as Tab

from broker.settings_reader import PROJECT
from dashboard.accounts import add_account, change_account
from dashboard.door import SIGNED_OUT, WRONG
from dashboard.roles import Role
from tests.dashboard.conftest import WAIT_MS
from tests.waiting import free_port, until

pytestmark = pytest.mark.slow

PASSWORD = "a long walk home"
LOGIN = re.compile(r"/login(\?|$)")


@dataclass(frozen=True)
class Guarded:
    """A page with the accounts anna, an admin, and vera, a viewer."""

    url: str
    state: Path
    later: Path


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """The page as a process."""
    folder, port = tmp_path_factory.mktemp("guarded"), free_port()
    made = Guarded(f"http://127.0.0.1:{port}", folder / "state", folder / "later")
    made.later.write_text("0", "utf-8")
    made.state.mkdir()
    add_account(made.state, "anna", Role.ADMIN, PASSWORD)
    add_account(made.state, "vera", Role.VIEWER, PASSWORD)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("TAILORBIRD__")},
        "PYTHONPATH": str(PROJECT),
        "TAILORBIRD__PATHS__STATE": str(made.state),
        "TAILORBIRD__DASHBOARD__PORT": str(port),
        "TAILORBIRD__BROKER__PORT": str(free_port()),
    }
    command = [sys.executable, "-m", "tests.dashboard.guarded_page", str(made.later)]
    with subprocess.Popen(command, env=environment, cwd=PROJECT) as process:
        until(lambda: answers(made.url) or process.poll() is not None, 60.0)
        yield made
        process.send_signal(signal.SIGTERM)


def answers(url: str) -> bool:
    """Tell whether the page answers."""
    try:
        with urllib.request.urlopen(f"{url}/login", timeout=60) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="module")
def tab(browser: Browser, guarded: Guarded) -> Iterator[Tab]:
    """A window in front of it."""
    context = browser.new_context(base_url=guarded.url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(WAIT_MS)
    yield context.new_page()
    context.close()


@pytest.fixture(autouse=True)
def signed_out(tab: Tab) -> None:
    """Each test begins as a stranger."""
    tab.context.clear_cookies()


def sign_in(tab: Tab, name: str, password: str) -> None:
    """Fill the form in with the keyboard, and send it."""
    expect(tab.get_by_label("Name")).to_be_visible()
    tab.get_by_label("Name").fill(name)
    tab.get_by_label("Password").fill(password)
    tab.keyboard.press("Enter")


def test_wrong_password_is_refused_and_the_right_one_leads_on(tab: Tab) -> None:
    """To where one wanted to go; then the page says who one is, and lets one out again."""
    tab.goto("/jobs")
    expect(tab).to_have_url(LOGIN)
    sign_in(tab, "vera", "another long walk")
    expect(tab.get_by_role("alert")).to_have_text(WRONG)
    expect(tab.get_by_label("Name")).to_have_value("vera")
    expect(tab.get_by_label("Password")).to_be_focused()
    sign_in(tab, "vera", PASSWORD)
    expect(tab).to_have_url(re.compile("/jobs$"))
    expect(tab.get_by_text("vera, viewer")).to_be_visible()
    expect(tab.get_by_text("No accounts:")).to_have_count(0)
    tab.get_by_role("button", name="Sign out").click()
    expect(tab).to_have_url(LOGIN)
    expect(tab.get_by_role("alert")).to_have_count(0)
    tab.goto("/jobs")
    expect(tab).to_have_url(LOGIN)


def test_viewer_is_refused_what_reviewers_may(tab: Tab) -> None:
    """The page is not in the head, and says which role it wants."""
    tab.goto("/login?to=/trial")
    sign_in(tab, "vera", PASSWORD)
    expect(tab.get_by_text("This needs the role reviewer; vera has viewer.")).to_be_visible()
    tab.get_by_role("link", name="To Today").click()
    expect(tab.get_by_role("heading", name="Today")).to_be_visible()
    expect(tab.get_by_role("link", name="Trial")).to_have_count(0)


def test_open_page_goes_to_the_door_when_its_account_changes(tab: Tab, guarded: Guarded) -> None:
    """Within seconds, by itself; and comes back to where it was."""
    tab.goto("/login?to=/trial")
    sign_in(tab, "anna", PASSWORD)
    tab.get_by_role("button", name="Promote").click()
    expect(tab.get_by_text("promoted by anna")).to_be_visible()
    change_account(guarded.state, "anna", role=Role.REVIEWER)
    expect(tab).to_have_url(re.compile("/login.to=%2Ftrial$"))
    expect(tab.get_by_role("alert")).to_have_text(SIGNED_OUT)
    sign_in(tab, "anna", PASSWORD)
    tab.get_by_role("button", name="Promote").click()
    expect(tab.get_by_text("this needs the role admin; anna has reviewer")).to_be_visible()


def test_open_page_goes_to_the_door_when_its_time_is_over(tab: Tab, guarded: Guarded) -> None:
    """Twelve hours without a click, though the page kept itself up to date meanwhile."""
    tab.goto("/")
    sign_in(tab, "vera", PASSWORD)
    expect(tab.get_by_role("heading", name="Today")).to_be_visible()
    guarded.later.with_suffix(".new").write_text(str(12 * 3600), "utf-8")
    guarded.later.with_suffix(".new").replace(guarded.later)
    expect(tab).to_have_url(LOGIN)


def test_page_without_a_connection_says_so_and_goes_to_the_door(tab: Tab, guarded: Guarded) -> None:
    """NiceGUI tells of connections that are lost only; and the session may end before there is one."""
    alone = tab.context.new_page()
    alone.route("**/_nicegui_ws/**", lambda route: route.abort())
    alone.route_web_socket("**/_nicegui_ws/**", lambda socket: socket.close())
    alone.goto("/login")
    sign_in(alone, "anna", PASSWORD)
    expect(alone.get_by_role("heading", name="Today")).to_be_visible()
    expect(alone.get_by_role("alert")).to_contain_text("to Tailorbird is lost")
    expect(alone).not_to_have_url(LOGIN)
    change_account(guarded.state, "anna", role=Role.VIEWER)
    expect(alone).to_have_url(LOGIN)
    alone.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1920])
def test_signing_in_fits_its_window(
    tab: Tab, screenshots: Path, scheme: Literal["light", "dark"], width: int
) -> None:
    """Nothing needs scrolling sideways; a picture of each is kept to be looked at."""
    tab.emulate_media(color_scheme=scheme)
    tab.set_viewport_size({"width": width, "height": 900})
    tab.goto("/login")
    tab.screenshot(path=screenshots / f"login-{scheme}-{width}.png")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    sign_in(tab, "vera", PASSWORD)
    expect(tab.get_by_text("vera, viewer")).to_be_visible()
    tab.screenshot(path=screenshots / f"signed-in-{scheme}-{width}.png")
    tab.goto("/trial")
    tab.screenshot(path=screenshots / f"refused-{scheme}-{width}.png")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
