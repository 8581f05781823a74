"""The list of jobs, as the dashboard asks for it."""

import csv
from datetime import datetime
from typing import Any

import pytest

from store.job_list import JobsWanted, count_jobs, job_lines, jobs_page
from store.queries import reading
from tests.store.workbench import AT, Bench, Make

LATER = "2026-11-23T09:00:00.000Z"


@pytest.fixture
def filled(bench: Bench, make: Make) -> Bench:
    """An open job with a failure, and a closed one of another source that is one class alone."""
    bench.send(make.progress("open", job_id="spring", folder="Spring_100%", seen=5))
    bench.send(make.failure("e.png", job_id="spring"))
    given = {"job_id": "autumn", "source": "hall"}
    bags = make.batch(*[make.prediction(f"{number}.png", "Bag", 0.9) for number in range(40)], **given)
    opened = make.progress("open", seen=40, folder="=autumn", opened_at=LATER, **given)
    bench.send(opened, bags, make.progress("closed", seen=40, folder="=autumn", opened_at=LATER, **given))
    bench.work(6)
    return bench


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["autumn", "spring"]),
        ({"text": "SPRI"}, ["spring"]),
        ({"text": "0%"}, ["spring"]),
        ({"text": "g%1"}, []),
        ({"state": "open"}, ["spring"]),
        ({"state": "closed"}, ["autumn"]),
        ({"failures": True}, ["spring"]),
        ({"flagged": True}, ["autumn"]),
        ({"source": "hall"}, ["autumn"]),
        ({"source": "shop", "flagged": True}, []),
        ({"since": datetime.fromisoformat(LATER)}, ["autumn"]),
        ({"until": datetime.fromisoformat(LATER)}, ["spring"]),
        ({"since": datetime.fromisoformat(AT), "until": datetime.fromisoformat(LATER)}, ["spring"]),
    ],
)
def test_jobs_are_chosen_and_counted_alike(filled: Bench, wanted: dict[str, Any], found: list[str]) -> None:
    """The newest first; letters' case aside, and % is a letter like others. The CSV has the same."""
    with reading(filled.settings) as connection:
        asked = JobsWanted(**wanted)
        assert found == [one.job_id for one in jobs_page(connection, asked)]
        assert found == [one["job_id"] for one in csv.DictReader(job_lines(connection, asked))]
        assert len(found) == count_jobs(connection, asked)


def test_job_is_a_line_that_runs_in_no_spreadsheet(filled: Bench) -> None:
    """With its figures as numbers, shares in percent."""
    with reading(filled.settings) as connection:
        (row,) = csv.DictReader(job_lines(connection, JobsWanted("autumn")))
    assert "'=autumn" == row["folder"]
    assert ("40", "90.0", "one-class: Bag 100 %") == (row["stored"], row["confidence_percent"], row["flags"])
