"""Models in the browser: compared, tried, promoted by somebody who insists, and rolled back."""

import csv
import re
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from broker.settings import Settings
from dashboard import access
from dashboard.access import AccessError, Person, Role
from dashboard.bundles import Shelf
from dashboard.model_desk import Desk
from dashboard.promotion import ask
from tests.cli.test_models import OWN
from tests.dashboard.conftest import CANDIDATE, Page

pytestmark = pytest.mark.slow
TRIAL = """\
INSERT INTO shadows (job_id, image, model_version, label, confidence, predicted_at)
SELECT job_id, image, ?, CASE WHEN image LIKE 'Shirt/%' THEN 'Coat' ELSE label END, 0.75, predicted_at
FROM predictions WHERE job_id = ?
"""

CALLED = """\
SELECT label, count(*) AS n FROM predictions WHERE image LIKE 'Shirt/%' AND job_id = ?
GROUP BY label ORDER BY n DESC, label
"""


def test_bundle_is_promoted_against_the_gate_and_rolled_back(page: Page, tab: Tab) -> None:
    """The gate's word comes first; whoever overrides it types the version; predictors change over."""
    tab.goto("/models")
    promote = tab.get_by_role("button", name=re.compile(f"^Promote {CANDIDATE}"))
    expect(promote).to_be_disabled()
    tab.get_by_role("button", name=f"Try {CANDIDATE} at the gate").click()
    expect(tab.get_by_text("The gate has something against")).to_be_visible()
    expect(tab.get_by_text("Accuracy falls from 95.30% to 94.12%")).to_be_visible()
    expect(tab.get_by_text("Not measured:")).to_be_visible()
    expect(tab.get_by_text('gate_images = "/srv/labelled"')).to_be_visible()
    promote.click()
    window = tab.locator(".detail")
    yes = window.get_by_role("button", name="Promote", exact=True)
    expect(yes).to_be_disabled()
    window.get_by_role("textbox").fill(CANDIDATE)
    expect(yes).to_be_enabled()
    yes.click()
    expect(tab.get_by_text("Overridden: nothing was measured")).to_be_visible()
    expect(tab.get_by_text(re.compile("Every predictor .1. serves it"))).to_be_visible()
    expect(tab.get_by_role("row", name=f"{CANDIDATE} ★ serves")).to_be_visible()
    assert f"{CANDIDATE}\n" == (page.bundles / "current").read_text()

    tab.get_by_role("button", name=f"Roll back to {OWN.name}").click()
    tab.locator(".detail").get_by_role("button", name="Roll back", exact=True).click()
    expect(tab.get_by_text(f"{OWN.name} serves again. Every predictor")).to_be_visible()
    assert f"{OWN.name}\n" == (page.bundles / "current").read_text()


def test_bundles_stand_side_by_side_with_their_differences(page: Page, tab: Tab) -> None:
    """Worse and better in words, the card's pictures, what was answered, and a CSV."""
    tab.goto("/models")
    validation = tab.get_by_role("region", name="Validation", exact=True)
    expect(validation.get_by_role("row", name=re.compile("^Accuracy"))).to_contain_text("-1.18 points worse")
    expect(validation.get_by_role("row", name=re.compile("^Calibration"))).to_contain_text("better")
    expect(tab.get_by_text("No image was answered by both.")).to_be_visible()
    expect(tab.get_by_role("region", name="In the database")).to_contain_text("no reviews")
    tab.get_by_label("The first bundle").select_option(CANDIDATE)
    expect(validation.get_by_role("row", name=re.compile("^Accuracy"))).to_contain_text("+1.18 points better")
    with tab.expect_download() as download:
        tab.get_by_role("link", name=re.compile("^CSV of 2")).click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text("utf-8").splitlines()))
    assert [(CANDIDATE, "0"), (OWN.name, "1")] == [(row["version"], row["serves"]) for row in rows]
    assert "0.9149" == rows[1]["Coat accuracy"]


def test_plots_of_two_bundles_stand_beside_each_other_with_their_csv(tab: Tab) -> None:
    """Curves, confusion and reliability of each, as it recorded them; the files hold what is drawn."""
    tab.goto(f"/models?a={OWN.name}&b={CANDIDATE}")
    for kind, title, first in (
        ("training", "Validation accuracy while it was trained", "first,12%,92.54"),
        ("confusion", "Confusion, in validation images", "T-shirt/top,440,0,7,6,1,0,23,0,0,0"),
        ("reliability", "Reliability on the validation images", "20.0% to 26.7%,1,24.42,0.0"),
    ):
        for version in (OWN.name, CANDIDATE):
            expect(tab.locator(f"[id='{kind}-{version}']")).to_be_visible()
            with tab.expect_download() as download:
                tab.get_by_role("link", name=f"CSV of {title}: {version}").click()
            assert f"{kind} {version}.csv" == download.value.suggested_filename
            assert Path(download.value.path()).read_text("utf-8").splitlines()[1].startswith(first)
    expect(tab.get_by_role("cell", name="440", exact=True)).to_have_count(2)
    expect(tab.get_by_role("img", name="The second network: validation accuracy")).to_have_count(2)


@pytest.fixture
def trial(page: Page) -> Iterator[None]:
    """The candidate's answers to `spring`, as if it had been on trial; gone afterwards."""
    database = page.inbox.parent / "tailorbird.db"
    with closing(sqlite3.connect(database, timeout=30.0)) as connection:
        connection.execute(TRIAL, (CANDIDATE, page.job("spring")))
        connection.commit()
        yield
        connection.execute("DELETE FROM shadows WHERE model_version = ?", (CANDIDATE,))
        connection.commit()


@pytest.mark.usefixtures("trial")
def test_models_that_part_ways_show_their_images(page: Page, tab: Tab) -> None:
    """How often, which labels, the images themselves, and all of them as CSV."""
    database = f"file:{page.inbox.parent / 'tailorbird.db'}?mode=ro"
    with closing(sqlite3.connect(database, uri=True)) as connection:
        called = connection.execute(CALLED, (page.job("spring"),)).fetchall()
    tab.goto(f"/models?a={OWN.name}&b={CANDIDATE}")
    expect(tab.get_by_text(re.compile("5 of 10.images have two labels: 50.0"))).to_be_visible()
    pairs = tab.get_by_role("region", name="Pairs of labels")
    expect(pairs.get_by_role("row", name=re.compile("Shirt.*Coat"))).to_be_visible()
    expect(tab.locator("a.tile")).to_have_count(5)
    with tab.expect_download() as download:
        tab.get_by_role("link", name=re.compile(r"^CSV of \d+.pair")).click()
    pairs_csv = Path(download.value.path()).read_text("utf-8").splitlines()
    assert [f"{OWN.name},{CANDIDATE},images", *(f"{label},Coat,{n}" for label, n in called)] == pairs_csv
    with tab.expect_download() as download:
        tab.get_by_role("link", name=re.compile("^CSV of 5")).click()
    lines = Path(download.value.path()).read_text("utf-8").splitlines()
    assert 6 == len(lines)
    assert f"job,folder,image,{OWN.name},{OWN.name}_percent,{CANDIDATE},{CANDIDATE}_percent" == lines[0]


def test_times_of_a_job_are_there_as_csv(page: Page) -> None:
    """The parts that the job's page shows, in seconds."""
    with urllib.request.urlopen(f"{page.url}/job-times.csv?job_id={page.job('spring')}", timeout=60) as told:
        rows = list(csv.DictReader(told.read().decode().splitlines()))
    assert {"read", "prepare", "predict"} <= {row["part"] for row in rows}
    assert all(float(row["seconds"]) >= 0 for row in rows)


@pytest.mark.parametrize(
    "path",
    [
        f"/models/{OWN.name}/manifest.json",
        f"/models/{OWN.name}/training.png",
        "/models/..%2f..%2fetc/training.png",
        "/model.csv?version=..%2f..%2fetc&plot=training",
        "/model.csv?version=nobody&plot=training",
        f"/model.csv?version={OWN.name}&plot=..%2fmanifest.json",
    ],
)
def test_no_file_of_a_bundle_can_be_read(page: Page, path: str) -> None:
    """What it recorded is shown as figures; nothing in its folder, and nothing outside, as it lies there."""
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(page.url + path, timeout=60)


def test_viewer_is_refused_by_what_is_behind_the_button(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a browser sends: nothing is asked for."""
    monkeypatch.setattr(access, "here", lambda: Person("vera", Role.VIEWER))
    desk = Desk(Settings())
    with pytest.raises(AccessError, match="needs the role admin; vera has viewer"):
        ask(desk, Shelf("bundles"), "promote", "v2", ["it is slow"])
    assert desk.asked is None
