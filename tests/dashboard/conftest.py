"""A line of its own with the page, three folders that went through it, and a real browser."""

import json
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Request, expect, sync_playwright
from playwright.sync_api import Page as Tab

from tests.cli.conftest import LINE, PICTURES, Started
from tests.cli.test_models import OWN, add_bundle
from tests.waiting import free_port, listens, until

CONFIGURATION = (
    LINE
    + """
[model]
bundle = "bundles"

[dashboard]
port = {page}

[metrics]
agent_port = 0
store_port = 0
predictor_port = 0
"""
)
CANDIDATE = "2026-11-28-candidate"
HOSTILE = "<img src=x onerror=alert(1)>"
"""A folder's name that would run, were it taken for HTML."""
WAIT_MS = 60_000
"""How long a page may take, on a busy machine, to show what is expected of it."""
CONNECTED = "window.did_handshake"
"""What is done before a page is connected waits for that, and may then come in another order."""
CHROMIUM = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Page:
    """Where the page answers, and what lies behind it."""

    url: str
    inbox: Path

    @property
    def bundles(self) -> Path:
        """The folder of bundles that its predictor serves from."""
        return self.inbox.parent.parent / "bundles"

    def job(self, folder: str) -> str:
        """Return the name of the folder's job, as the database has it."""
        return self._asked("SELECT job_id FROM jobs WHERE folder = ?", folder)

    def _state(self, folder: str) -> str:
        return self._asked("SELECT state FROM jobs WHERE folder = ?", folder)

    def _asked(self, query: str, folder: str) -> str:
        database = f"file:{self.inbox.parent / 'tailorbird.db'}?mode=ro"
        with closing(sqlite3.connect(database, uri=True, timeout=60.0)) as connection:
            found = connection.execute(query, (folder,)).fetchone()
        return str(found[0]) if found else ""

    def drop(self, name: str, *kinds: str) -> Path:
        """Drop a folder with the sample pictures of some classes, all at once."""
        made = self.inbox.parent / "made"
        for kind in kinds:
            shutil.copytree(PICTURES / kind, made / kind)
        made.mkdir(exist_ok=True)
        return made.rename(self.inbox / name)

    def wait_for(self, folder: str) -> None:
        """Wait until the folder's results are there, and its job is closed, which comes last."""
        until((self.inbox / folder / "results.csv").exists)
        until(lambda: self._state(folder) == "closed")


def add_bundles(bundles: Path) -> None:
    """Put the project's own bundle into a folder, and beside it one that says to be a little worse."""
    add_bundle(bundles, OWN.name, "2026-11-27T18:27:46.807Z")
    (bundles / "current").write_text(f"{OWN.name}\n")
    file = add_bundle(bundles, CANDIDATE, "2026-11-28T09:00:00.000Z") / "manifest.json"
    manifest = json.loads(file.read_bytes())
    for figures in manifest["accuracy"].values():
        figures.update(accuracy=0.9412, balanced_accuracy=0.9405, ece=0.0049)
    file.write_text(json.dumps(manifest))


@pytest.fixture(scope="session")
def page(mosquitto_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A real `up` with its page, through which went `spring`, with a broken file, and a hostile name."""
    folder = tmp_path_factory.mktemp("page")
    config, port = folder / "config.toml", free_port()
    config.write_text(CONFIGURATION.format(port=free_port(), page=port))
    add_bundles(folder / "bundles")
    up = Started(["up", "--config", str(config)], folder / "output")
    try:
        up.wait_for("Tailorbird is running.")
        until(lambda: listens("127.0.0.1", port))
        made = Page(f"http://127.0.0.1:{port}", folder / "state" / "inbox")
        made.drop(HOSTILE, "Bag")
        spring = folder / "spring"
        for kind in ("Bag", "Shirt"):
            shutil.copytree(PICTURES / kind, spring / kind)
        (spring / "broken.png").write_bytes(b"no picture")
        spring.rename(made.inbox / "spring")
        for name in (HOSTILE, "spring"):
            made.wait_for(name)
        yield made
    finally:
        up.stop(signal.SIGTERM)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where the distribution's Chromium is; skips where it is absent."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("Chromium is not installed (Debian: chromium)")
    return found


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pages' pictures go."""
    return tmp_path_factory.mktemp("screenshots")


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """One Chromium for all tests; Playwright's loop can be there once only."""
    with sync_playwright() as playwright:
        expect.set_options(timeout=WAIT_MS)
        made = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM)
        yield made
        made.close()


@pytest.fixture(scope="session")
def context(browser: Browser, page: Page) -> BrowserContext:
    """One profile for all tests of the line's page, so that it fetches the page's scripts once."""
    made = browser.new_context(base_url=page.url, viewport={"width": 1280, "height": 900})
    made.set_default_timeout(WAIT_MS)
    return made


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained of, and what it asked of other hosts."""
    return []


@pytest.fixture
def tab(context: BrowserContext, page: Page, complaints: list[str]) -> Iterator[Tab]:
    """A window; at its end the browser must have nothing to complain of, and have asked nobody else."""
    made = context.new_page()
    watch(made, page, complaints)
    yield made
    made.close()
    assert [] == complaints


def watch(tab: Tab, page: Page, complaints: list[str]) -> None:
    """Note errors, dialogs and requests that leave the page."""

    def told(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    def asked(request: Request) -> None:
        if not request.url.startswith((f"{page.url}/", "data:")):
            complaints.append(request.url)

    tab.on("console", told)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", asked)
    tab.on("dialog", lambda dialog: complaints.append(dialog.message))
