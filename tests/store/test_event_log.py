"""The event log a page at a time: filters, places, and what a question costs."""

import csv
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from broker.messages import Event
from broker.settings import Store
from store import event_log
from store.event_log import LogPage, Place, Wanted, events_page, log_lines
from store.queries import Connection, reading
from store.writer import Writer
from tests.store.workbench import Make

AT = "2026-11-22T13:16:{:02}.000Z"
WORDS = ("hello", "disk-low", "broker-away", "hello", "=formula")
LEVELS = ("info", "warning", "error", "debug", "error")


@pytest.fixture
def log(writer: Writer, make: Make, anywhere: Store) -> Store:
    """Five events, two of them at one time, one of a job."""
    writer.write([make.progress("closed", 0)])
    given = [(AT.format(min(n, 3)), *more) for n, more in enumerate(zip(LEVELS, WORDS, strict=True))]
    for number, (at, level, event) in enumerate(given):
        more: Any = {"level": level, "service": "store" if number % 2 else "agent", "instance": "main"}
        job = make.job if event == "disk-low" else ""
        writer.write([Event(at=at, event=event, detail=f"100% of {number}", job_id=job, **more)])
    return anywhere


def asked(log: Store, wanted: Wanted | None = None, **more: Any) -> LogPage:
    """Return a page."""
    with reading(log) as connection:
        return events_page(connection, wanted or Wanted(), **more)


def said(page: LogPage) -> list[str]:
    """Return what the events of a page say."""
    return [one.detail.removeprefix("100% of ") for one in page.rows]


def test_newest_event_comes_first_and_each_page_goes_on(log: Store) -> None:
    """Also between two events of one time."""
    found, place = [], None
    while True:
        page = asked(log, before=place, limit=2)
        found.append(said(page))
        place = page.older
        if place is None:
            break
        assert not page.is_cut
    assert [["4", "3"], ["2", "1"], ["0"]] == found


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(level="warning"), ["4", "2", "1"]),
        (Wanted(level="error"), ["4", "2"]),
        (Wanted(service="store"), ["3", "1"]),
        (Wanted(event="hello"), ["3", "0"]),
        (Wanted(text="% OF 2"), ["2"]),
        (Wanted(text="AWAY"), ["2"]),
        (Wanted(job_id=Make.job), ["1"]),
        (Wanted(job_id="nobody's"), []),
        (Wanted(since=datetime(2026, 11, 22, 13, 16, 2, tzinfo=UTC)), ["4", "3", "2"]),
        (Wanted(until=datetime(2026, 11, 22, 13, 16, 2, tzinfo=UTC)), ["1", "0"]),
    ],
)
def test_page_and_csv_are_filtered_alike(log: Store, wanted: Wanted, expected: list[str]) -> None:
    """The file holds exactly what is shown."""
    assert expected == said(asked(log, wanted))
    with reading(log) as connection:
        rows = list(csv.DictReader(log_lines(connection, wanted)))
    assert expected == [row["detail"].removeprefix("100% of ") for row in rows]


def test_cells_run_in_no_spreadsheet(log: Store) -> None:
    """As in every other CSV."""
    with reading(log) as connection:
        assert "'=formula" in "".join(log_lines(connection, Wanted(event="=formula")))


def test_search_stops_after_so_many_events_and_says_where(log: Store) -> None:
    """A word that nowhere stands costs no walk through the whole log; the next page goes on."""
    page = asked(log, Wanted(text="nowhere"), looked_at=2)
    assert ([], True) == (page.rows, page.is_cut)
    assert page.older is not None
    assert ["1"] == said(asked(log, Wanted(event="disk-low"), before=page.older, looked_at=3))


def test_known_words_are_those_of_the_latest_events(log: Store) -> None:
    """What may be chosen."""
    with reading(log) as connection:
        known = event_log.known(connection)
    assert (["agent", "store"], sorted(set(WORDS))) == (known.services, known.events)


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(level="error", text="x"), Wanted(service="store")])
def test_no_question_sorts_or_reads_the_whole_log(
    log: Store, wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan: the index by time, walked from its end, up to the bound."""
    if not log.url.startswith("sqlite"):
        pytest.skip("PostgreSQL plans by size: with five rows it reads them all")
    plans = list[str]()
    execute = Connection.execute

    def explained(self: Connection, statement: Any, *more: Any, **named: Any) -> Any:
        text = statement.compile(self, compile_kwargs={"literal_binds": True})
        plans.extend(self.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}".replace("%", "%%")).scalars("detail"))
        return execute(self, statement, *more, **named)

    with reading(log) as connection:
        monkeypatch.setattr(sa.Connection, "execute", explained)
        events_page(connection, wanted, before=Place(AT.format(3), 99), looked_at=2)
    assert 2 == len(plans)
    assert all("USING" in plan and "INDEX events_at (" in plan for plan in plans), plans
