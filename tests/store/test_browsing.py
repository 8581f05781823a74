"""Pages of jobs and images, as the dashboard asks for them."""

import csv
from datetime import UTC, datetime
from typing import Any

import pytest

from broker.messages import PixelBatch
from store import browsing
from store.browsing import Wanted
from store.queries import reading
from tests.store.workbench import AT, JOB, Bench, Make

NOON = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)


@pytest.fixture
def filled(bench: Bench, make: Make) -> Bench:
    """A job of four images, one of them suspect, and one failure."""
    batch = make.batch(
        make.prediction("a.png", "Bag", 0.9),
        make.prediction("b.png", "Coat", 0.6),
        make.prediction("c.png", "Bag", 0.4, verdict="suspect", reasons=("busy-ground",)),
        make.prediction("=d.png", "Bag", 0.95),
    )
    bench.send(batch, make.failure("e.png"), make.progress("open", folder="Spring_100%", seen=5))
    bench.work(3)
    return bench


def images(bench: Bench, **wanted: Any) -> list[str]:
    """Return the names of a page."""
    with reading(bench.settings) as connection:
        return [one.image for one in browsing.images_page(connection, Wanted(JOB, **wanted))]


def test_images_come_by_name_or_the_doubtful_first(filled: Bench) -> None:
    """Doubtful is what has little confidence."""
    assert ["=d.png", "a.png", "b.png", "c.png"] == images(filled)
    assert ["c.png", "b.png", "a.png", "=d.png"] == images(filled, order="doubt")


def test_images_are_filtered_and_counted_alike(filled: Bench) -> None:
    """The count comes from the classes' sums and is that of the rows."""
    for label in (None, "Bag", "Coat", "Dress"):
        for doubt in ("all", "suspect", "ok"):
            wanted = Wanted(JOB, label, doubt)
            with reading(filled.settings) as connection:
                rows = browsing.images_page(connection, wanted)
                assert len(rows) == browsing.count(browsing.class_counts(connection, JOB), wanted)
    assert ["c.png"] == images(filled, label="Bag", doubt="suspect")


def test_page_begins_at_its_offset(filled: Bench) -> None:
    """And ends after its limit."""
    with reading(filled.settings) as connection:
        found = browsing.images_page(connection, Wanted(JOB), offset=1, limit=2)
    assert ["a.png", "b.png"] == [one.image for one in found]


def test_csv_holds_what_is_wanted_and_runs_in_no_spreadsheet(filled: Bench) -> None:
    """A header, a line each, all ten probabilities in percent."""
    with reading(filled.settings) as connection:
        rows = list(csv.DictReader(browsing.csv_lines(connection, Wanted(JOB, "Bag"))))
    assert ["'=d.png", "a.png", "c.png"] == [row["image"] for row in rows]
    assert ["95.0", "90.0", "40.0"] == [row["confidence_percent"] for row in rows]
    assert ("60.0", "suspect: busy-ground") == (rows[2]["Ankle boot"], rows[2]["note"])


def test_probabilities_come_likeliest_first(filled: Bench) -> None:
    """All ten; none of an image without a row."""
    with reading(filled.settings) as connection:
        shares = browsing.probabilities(connection, JOB, "b.png")
        assert {} == browsing.probabilities(connection, JOB, "e.png")
    assert [("Coat", 0.6), ("Sandal", 0.4)] == list(shares.items())[:2]
    assert 10 == len(shares)


def test_latest_images_count_within_the_hour_and_backlog(filled: Bench) -> None:
    """The batch has four images; the job has seen five, of which four and a failure have a row."""
    with reading(filled.settings) as connection:
        assert {"a.png", "b.png", "c.png", "=d.png"} == {one.image for one in browsing.latest(connection)}
        assert 2 == len(browsing.latest(connection, limit=2))
        assert [4, 0] == browsing.images_since(connection, [NOON, datetime(2999, 1, 1, tzinfo=UTC)])
        assert 0 == browsing.backlog(connection).images


def test_backlog_is_what_an_open_job_has_seen_and_not_stored(filled: Bench, make: Make) -> None:
    """With the time since when the oldest such job is open."""
    filled.send(make.progress("open", folder="more", seen=9))
    filled.work(2)
    with reading(filled.settings) as connection:
        assert browsing.Backlog(4, AT) == browsing.backlog(connection)


def test_pictures_are_the_kept_pixels(filled: Bench) -> None:
    """PNG files; an image whose pixels were not kept has none."""
    pixels = PixelBatch(
        batch_id="b1",
        job_id=JOB,
        source="shop",
        images=("a.png", "b.png"),
        shape=(2, 28, 28),
        pixels=bytes(1568),
    )
    filled.send(pixels)
    filled.work(2)
    with reading(filled.settings) as connection:
        found = browsing.pictures(connection, browsing.images_page(connection, Wanted(JOB)))
    assert {(JOB, "a.png"), (JOB, "b.png")} == set(found)
    assert all(png.startswith(b"\x89PNG") for png in found.values())
