"""Photos through the page in a real browser: dropped, picked, refused, followed, and looked at."""

import json
import re
import shutil
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Route, expect
from playwright.sync_api import Page as Tab

from broker.settings import Store
from tests.cli.conftest import PICTURES
from tests.dashboard.conftest import Page
from tests.dashboard.test_main import answers, started
from tests.store.workbench import JOB, Make, at_work
from tests.waiting import free_port, until

pytestmark = pytest.mark.slow

DROP = """(files) => {
    const carried = new DataTransfer();
    for (const [name, kind, base64] of files) {
        const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
        carried.items.add(new File([bytes], name, { type: kind }));
    }
    for (const name of ["dragenter", "dragover", "drop"])
        document.body.dispatchEvent(
            new DragEvent(name, { bubbles: true, cancelable: true, dataTransfer: carried }));
}"""


def put(tab: Tab, name: str) -> None:
    """Name the folder, and send it with Enter."""
    box = tab.get_by_label("Name of the folder")
    expect(box).to_be_focused()
    box.fill(name)
    box.press("Enter")
    expect(tab.get_by_text(f"{name} is in the inbox")).to_be_visible()


def test_folder_that_is_picked_becomes_a_job_whose_photos_are_seen(
    page: Page, tab: Tab, tmp_path: Path
) -> None:
    """With sub-folders, without what is no photo; its progress and its results follow by themselves."""
    source = tmp_path / "autumn"
    shutil.copytree(PICTURES / "Coat", source / "coats")
    (source / "results.csv").write_text("image\n")
    (source / "Thumbs.db").write_bytes(b"x")
    tab.goto("/drop")
    tab.locator("input[webkitdirectory]").set_input_files(source)
    expect(tab.get_by_label("Name of the folder")).to_have_value("autumn")
    expect(tab.get_by_text("2 files will be left out:")).to_be_visible()
    expect(tab.get_by_text(re.compile(r"5\s+of 7\s+files"))).to_be_visible()
    put(tab, "autumn")
    expect(tab.get_by_text("2 files were left out:")).to_be_visible()
    expect(tab.get_by_text("the agent passes them over")).to_have_count(2)
    card = tab.get_by_role("region", name="autumn")
    expect(card).to_contain_text(re.compile(r"done.*5 of 5.*5 stored, 0 failed", re.DOTALL))
    expect(card).to_contain_text("suspect")
    assert (page.inbox / "autumn" / "coats").is_dir()
    card.get_by_role("link", name="Look at the images").click()
    tab.locator(".tile").first.click()
    photo = tab.locator(".detail .original img")
    expect(photo).to_have_js_property("complete", value=True)
    assert photo.evaluate("image => image.naturalWidth") > 28
    where = str(photo.get_attribute("src"))
    answer = tab.request.get(where)
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["content-type"].startswith("image/")
    shutil.rmtree(page.inbox / "autumn")
    assert "The photo is no longer in the inbox.\n" == tab.request.get(where).text()
    tab.goto("/")
    expect(tab.get_by_role("link", name="autumn, the job of").first).to_be_visible()
    tab.goto("/events?service=dashboard&event=folder-dropped&text=autumn")
    expect(tab.get_by_role("cell", name=re.compile("folder=autumn files=5 "))).to_be_visible()


def test_photos_that_are_dragged_into_the_page_land_in_the_inbox(page: Page, tab: Tab) -> None:
    """Under the day and the time, until somebody names the folder."""
    tab.goto("/drop")
    expect(tab.get_by_role("button", name="Choose photos")).to_be_visible()
    files = [["a.png", "image/png", "aGVsbG8="], ["b\u202e.png", "image/png", "aGVsbG8="]]
    tab.evaluate(DROP, files)
    name = re.compile(r"^photos-\d{4}-\d\d-\d\d-\d{4}$")
    expect(tab.get_by_label("Name of the folder")).to_have_value(name)
    put(tab, "dragged")
    until((page.inbox / "dragged" / "b_.png").exists)
    failed = tab.get_by_role("region", name="dragged").get_by_role("link", name="2 failed: which and why")
    expect(failed).to_have_attribute("href", re.compile("^/job.job_id="))
    assert b"hello" == (page.inbox / "dragged" / "a.png").read_bytes()


def test_cancelled_upload_leaves_nothing(page: Page, tab: Tab) -> None:
    """And the photos stay chosen, to be sent after all."""
    held: list[Route] = []
    tab.route(re.compile(r"/drop/[^/]+/\d+$"), lambda route: held.append(route))  # noqa: PLW0108 - it is inspected
    tab.goto("/drop")
    photos = [{"name": f"{n}.png", "mimeType": "image/png", "buffer": b"x" * 100} for n in range(5)]
    tab.locator("input[multiple]").set_input_files(photos)  # type: ignore[arg-type]
    tab.get_by_role("button", name="Put into the inbox").click()
    expect(tab.locator(".zone-sending")).to_contain_text("0 of 5 files")
    expect(tab.locator(".zone-sending li")).to_have_count(5)
    tab.get_by_role("button", name="Cancel").click()
    expect(tab.get_by_text("Cancelled: nothing was put into the inbox.")).to_be_visible()
    expect(tab.get_by_role("button", name="Put into the inbox")).to_be_visible()
    until(lambda: not list(page.inbox.parent.glob(".upload-*")))
    assert 5 == len(held)


def asked(page: Page, method: str, path: str, body: bytes, **headers: str) -> tuple[int, str]:
    """Return the status and the text of an answer."""
    made = urllib.request.Request(page.url + path, method=method, data=body, headers=headers)
    try:
        with urllib.request.urlopen(made, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_uploads_are_refused_in_one_sentence(page: Page) -> None:
    """Before a byte is read where the length says it; and never without the page's own origin."""
    own = {"Origin": page.url}
    begin = json.dumps({"folder": "refused", "files": [["../../a.png", 5], ["b.png", 5]]}).encode()
    assert 403 == asked(page, "POST", "/drop/begin", begin)[0]
    assert 421 == asked(page, "POST", "/drop/begin", begin, Origin="http://a.example")[0]
    for body in (
        b"",
        b"[]",
        b'{"folder": 1, "files": []}',
        b'{"folder": "x", "files": [[1, 2]]}',
        b"[" * 99_999,
    ):
        assert (400, "This is no list of files.") == asked(page, "POST", "/drop/begin", body, **own)
    status, said = asked(page, "POST", "/drop/begin", begin, **own)
    assert (200, [1]) == (status, json.loads(said)["files"])
    key = json.loads(said)["key"]
    assert (413, "6 bytes are not the 5 that were announced.") == asked(
        page, "PUT", f"/drop/{key}/1", b"x" * 6, **own
    )
    assert (404, "No such file was announced.") == asked(page, "PUT", f"/drop/{key}/0", b"x" * 5, **own)
    assert (409, "1 files have not come yet.") == asked(page, "POST", f"/drop/{key}/finish", b"", **own)
    assert 200 == asked(page, "DELETE", f"/drop/{key}", b"", **own)[0]
    assert 404 == asked(page, "PUT", f"/drop/{key}/1", b"x" * 5, **own)[0]
    assert not (page.inbox / "refused").exists()


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[int]:
    """A page with neither broker nor agent, so that a job is open for as long as the test likes; its port."""
    port = free_port()
    process = started(tmp_path, port=port)
    until(lambda: answers(port))
    yield port
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)


def test_open_job_follows_until_it_is_closed(alone: int, context: BrowserContext, tmp_path: Path) -> None:
    """Figures, classes and the count, without a reload; and at the end the failures."""
    make, database = Make(), tmp_path / "state" / "tailorbird.db"
    database.parent.mkdir(exist_ok=True)
    first = make.batch(*[f"{n:02}.png" for n in range(50)])
    more = make.batch(*[make.prediction(f"{n}.png", "Coat") for n in range(50, 55)], batch="b2")
    tab = context.new_page()
    with at_work(Store(url=f"sqlite:///{database}", min_free_mb=0)) as bench:
        bench.send(make.progress("open", folder="spring", seen=56), first)
        bench.work(2)
        tab.goto(f"http://127.0.0.1:{alone}/job?job_id={JOB}")
        expect(tab.get_by_text("1 to 48 of 50 images")).to_be_visible()
        tab.evaluate("window.notReloaded = true")
        bench.send(more)
        bench.work(1)
        expect(tab.get_by_text("1 to 48 of 55 images")).to_be_visible()
        expect(tab.get_by_role("button", name="Coat 5")).to_be_visible()
        expect(tab.get_by_text("still under way")).to_have_count(2)
        bench.send(make.failure("z.png"), make.progress("closed", folder="spring", seen=56))
        bench.work(2)
        expect(tab.get_by_role("region", name="Failures")).to_contain_text("z.png")
        expect(tab.get_by_text("still under way")).to_have_count(0)
        assert tab.evaluate("window.notReloaded")
    tab.close()
