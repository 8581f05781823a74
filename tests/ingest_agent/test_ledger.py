"""The ledger: durable, whole or not at all, and never larger than what it must remember."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_agent.ledger import Ledger, LedgerTrouble
from ingest_agent.ledger_records import Answer, AnsweredImage, NamedStat, NewBatch, NewJob, Transaction
from ingest_agent.ledger_statements import pack_images, unpack_images
from ingest_agent.reading import Stat

WHOLE = st.integers(-(2**63), 2**63 - 1)
IMAGE = st.tuples(st.binary(min_size=1).filter(lambda name: b"\0" not in name), WHOLE, WHOLE, WHOLE, WHOLE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger lies; its folder is not there yet."""
    return tmp_path / "agent" / "shop.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    """An open ledger."""
    with Ledger(path) as ledger:
        yield ledger


def named(count: int, start: int = 0) -> list[NamedStat]:
    """Return images with their versions."""
    return [
        (b"%04d.png" % number, 400 + number, 10**18 + number, number, -number)
        for number in range(start, start + count)
    ]


def registered(
    ledger: Ledger, count: int = 3, *, batch_id: str = "b1", job: int = 1, new: bool = True
) -> None:
    """Put one job with one batch into the ledger."""
    transaction = Transaction(batches=[NewBatch(batch_id, "pixels", job, named(count), b"payload " * 100)])
    if new:
        number = ledger.folder_number(b"f")
        transaction.jobs.append(NewJob(job, f"job-{job}", number, b"f", "root-1", "2026-11-22T13:00:00.000Z"))
    transaction.change(job).seen += count
    ledger.commit(transaction)


def answered(ledger: Ledger, count: int = 3, *, batch_id: str = "b1", job: int = 1, start: int = 0) -> None:
    """Answer a batch."""
    images = [
        AnsweredImage(image, "Bag", 0.5, "m1", 1000, None)
        if image[3] % 2 == 0
        else AnsweredImage(image, None, None, None, 1000, "empty: nothing in it")
        for image in named(count, start)
    ]
    transaction = Transaction(answers=[Answer(batch_id, job, ledger.folder_number(b"f"), images, done=True)])
    transaction.change(job).stored += count
    ledger.commit(transaction)


def closed(ledger: Ledger, job: int = 1) -> None:
    """Close a job."""
    transaction = Transaction()
    transaction.change(job).state = "closed"
    ledger.commit(transaction)


@given(st.lists(IMAGE))
def test_packed_images_come_back(images: list[NamedStat]) -> None:
    """Any names without NUL and any numbers of 64 bits."""
    assert images == unpack_images(pack_images(images))


def test_unanswered_batch_outlives_the_process(path: Path) -> None:
    """With its job, its images and its bytes."""
    with Ledger(path) as ledger:
        registered(ledger)
    with Ledger(path) as ledger:
        (batch,) = ledger.unanswered()
        (job,) = ledger.open_jobs()
        assert ("b1", "pixels", 1, named(3)) == (batch.batch_id, batch.kind, batch.job, batch.images)
        assert b"payload " * 100 == ledger.payload("b1")
        assert ("job-1", b"f", "open", 3, 0) == (job.job_id, job.path, job.state, job.seen, job.stored)


def test_answered_batch_leaves_its_images(ledger: Ledger) -> None:
    """The payload is gone, the versions are known."""
    registered(ledger)
    assert {} == ledger.known(b"f", [b"0000.png"])
    answered(ledger)
    assert ([], None) == (ledger.unanswered(), ledger.payload("b1"))
    found = ledger.known(b"f", [b"0001.png", b"other.png"])
    assert [(b"0001.png", Stat(401, 10**18 + 1, 1), 1)] == [(k, v.stat, v.job) for k, v in found.items()]


def test_many_names_are_looked_up_at_once(ledger: Ledger) -> None:
    """In parts, and nothing but what was asked for comes back."""
    registered(ledger, 700)
    answered(ledger, 700)
    names = [image[0] for image in named(650, 10)]
    assert set(names) == set(ledger.known(b"f", [*names, b"unknown"]))
    assert {} == ledger.known(b"other folder", names)


def test_numbers_are_never_given_twice(path: Path) -> None:
    """Neither within a process nor after a restart."""
    with Ledger(path) as ledger:
        assert [1, 2] == [ledger.new_job_number(), ledger.new_job_number()]
        registered(ledger, job=2)
    with Ledger(path) as ledger:
        assert 3 == ledger.new_job_number()
        assert 1 == ledger.folder_number(b"f")
        assert [2, 2, 3] == [ledger.folder_number(name) for name in (b"g", b"g", b"h")]


def test_closed_jobs_are_not_open(ledger: Ledger) -> None:
    """A closing one still is."""
    registered(ledger)
    transaction = Transaction()
    transaction.change(1).state = "closing"
    ledger.commit(transaction)
    assert ["closing"] == [job.state for job in ledger.open_jobs()]
    closed(ledger)
    assert ["closed"] == [job.state for job in ledger.open_jobs()]  # it has an unanswered batch all the same
    answered(ledger)
    assert [] == ledger.open_jobs()


def test_full_disk_changes_nothing(ledger: Ledger) -> None:
    """The transaction is rolled back as a whole, and works when there is room again."""
    registered(ledger)
    writing = ledger._to_write
    assert writing is not None
    (pages,) = writing.execute("PRAGMA page_count").fetchone()
    writing.execute(f"PRAGMA max_page_count = {pages}")
    big = Transaction(batches=[NewBatch("b2", "pixels", 1, named(3), bytes(1_000_000))])
    big.change(1).seen += 3
    with pytest.raises(LedgerTrouble, match="full"):
        ledger.commit(big)
    assert (["b1"], [3]) == (
        [batch.batch_id for batch in ledger.unanswered()],
        [job.seen for job in ledger.open_jobs()],
    )
    writing.execute("PRAGMA max_page_count = 100000")
    ledger.commit(big)
    assert ["b1", "b2"] == [batch.batch_id for batch in ledger.unanswered()]


def test_word_of_a_failed_transaction_is_not_known(ledger: Ledger) -> None:
    """A label whose number was rolled back gets another one."""
    registered(ledger)
    with pytest.raises(sqlite3.IntegrityError):
        ledger.commit(
            Transaction(
                batches=[NewBatch("b1", "pixels", 1, [], b"twice")],
                answers=[
                    Answer("b1", 1, 1, [AnsweredImage(named(1)[0], "Bag", 0.5, "m", 1, None)], done=False)
                ],
            )
        )
    wrong: Any = "no number"
    image = AnsweredImage((b"x", 1, 1, 1, 1), "Bag", wrong, "m", 1, None)
    broken = Transaction(answers=[Answer("b1", 1, 1, [image], done=True)])
    with pytest.raises(sqlite3.IntegrityError):
        ledger.commit(broken)
    answered(ledger)
    assert sorted(ledger._words.items()) == sorted(ledger._rows("SELECT word, id FROM words"))


def test_locked_ledger_is_the_worlds_trouble(ledger: Ledger, path: Path) -> None:
    """Somebody else writes for longer than we wait."""
    registered(ledger)
    assert ledger._to_write is not None
    ledger._to_write.execute("PRAGMA busy_timeout = 20")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerTrouble, match="locked"):
        answered(ledger)
    other.execute("ROLLBACK")
    other.close()
    answered(ledger)
    assert [] == ledger.unanswered()


def test_ledger_that_is_not_open_is_trouble(path: Path) -> None:
    """Not a crash."""
    ledger = Ledger(path)
    with pytest.raises(LedgerTrouble, match="not open"):
        ledger.open_jobs()
    with pytest.raises(LedgerTrouble, match="not open"):
        ledger.commit(Transaction())


def test_folder_that_cannot_be_made_is_trouble(tmp_path: Path) -> None:
    """A file stands in the way."""
    (tmp_path / "agent").touch()
    with pytest.raises(LedgerTrouble):
        Ledger(tmp_path / "agent" / "shop.db").__enter__()


def test_ledger_of_a_later_version_is_left_alone(path: Path) -> None:
    """An older program does not touch it."""
    with Ledger(path) as ledger:
        assert ledger._to_write is not None
        ledger._to_write.execute("PRAGMA user_version = 99")
    with pytest.raises(sqlite3.NotSupportedError, match="version 99"):
        Ledger(path).__enter__()


def test_batch_is_replaced_by_its_parts(ledger: Ledger) -> None:
    """In one transaction."""
    registered(ledger)
    ledger.replace("b1", [NewBatch(name, "pixels", 1, named(1), b"") for name in ("b2", "b3")])
    assert ["b2", "b3"] == [batch.batch_id for batch in ledger.unanswered()]


def test_answered_images_of_closed_jobs_are_looked_after(ledger: Ledger) -> None:
    """In order and in parts, and only those of the same inbox."""
    registered(ledger)
    answered(ledger)
    assert [] == ledger.answered_from("root-1", (0, b""), 10)
    closed(ledger)
    assert [] == ledger.answered_from("root-2", (0, b""), 10)
    first = ledger.answered_from("root-1", (0, b""), 2)
    assert [(1, b"f", b"0000.png"), (1, b"f", b"0001.png")] == first
    assert [(1, b"f", b"0002.png")] == ledger.answered_from("root-1", (1, b"0001.png"), 2)


def test_what_nobody_needs_is_forgotten(ledger: Ledger) -> None:
    """Images whose files are gone, then old jobs, then folders without a trace."""
    registered(ledger)
    answered(ledger)
    closed(ledger)
    ledger.tidy(keep_jobs=0)
    assert {b"0000.png"} == set(ledger.known(b"f", [b"0000.png"]))
    ledger.forget_images([(1, name) for name, *_ in named(3)])
    ledger.tidy(keep_jobs=0)
    assert ([], []) == (ledger._rows("SELECT 1 FROM jobs"), ledger._rows("SELECT 1 FROM folders"))


def test_latest_jobs_are_kept(ledger: Ledger) -> None:
    """For those who ask what became of them."""
    for job in (1, 2, 3):
        registered(ledger, job=job, batch_id=f"b{job}")
        closed(ledger, job)
    ledger.tidy(keep_jobs=2)
    assert [(2,), (3,)] == ledger._rows("SELECT id FROM jobs ORDER BY id")


def test_ledger_does_not_grow_with_what_went_through(ledger: Ledger, path: Path) -> None:
    """The room of answered payloads is used again."""
    registered(ledger)
    sizes = []
    for turn in range(60):
        batch = NewBatch(f"t{turn}", "pixels", 1, named(3), bytes(200_000))
        ledger.commit(Transaction(batches=[batch]))
        answered(ledger, batch_id=f"t{turn}")
        sizes.append(path.stat().st_size)
    assert sizes[-1] < 3_000_000


def test_results_that_are_due_are_remembered(ledger: Ledger) -> None:
    """Until they were written."""
    registered(ledger)
    ledger.set_results_due(b"f", due=True)
    assert [b"f"] == ledger.results_due()
    ledger.set_results_due(b"f", due=False)
    assert [] == ledger.results_due()


def test_cost_is_measured(ledger: Ledger) -> None:
    """In processor time and in time."""
    registered(ledger)
    assert 0 < ledger.cpu_s
    assert 0 < ledger.wall_s


def test_touched_image_keeps_its_outcome(ledger: Ledger) -> None:
    """Only its times are taken over."""
    registered(ledger)
    answered(ledger)
    ledger.touch([(b"f", b"0000.png", Stat(400, 5, 6, 7))])
    known = ledger.known(b"f", [b"0000.png"])[b"0000.png"]
    assert (5, 6, 1) == (known.stat.mtime_ns, known.stat.inode, known.job)
