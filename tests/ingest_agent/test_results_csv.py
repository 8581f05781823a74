"""`results.csv`: the whole folder, in place all at once, and nothing that a spreadsheet would run."""

import csv
import os
from pathlib import Path

import pytest

from ingest_agent.ledger import Ledger
from ingest_agent.ledger_records import Answer, AnsweredImage, NewJob, Transaction
from ingest_agent.results_csv import HEADER, write_results

AT_MS = 1_795_355_065_229
GOLDEN = (
    "image,item,confidence_percent,model,time,note\r\n"
    "'=cmd.png,Bag,75.1,m1,2026-11-22T13:44:25.229Z,\r\n"
    '"a,b.png",Ankle boot,100.0,m1,2026-11-22T13:44:25.229Z,\r\n'
    "na\\xffme.png,,,,2026-11-22T13:44:25.229Z,empty: The file holds no bytes.\r\n"
)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger with three answered images of the folder "f"."""
    path = tmp_path / "shop.db"
    images = [
        AnsweredImage(
            (b"na\xffme.png", 1, 2, 3, 4), None, None, None, AT_MS, "empty: The file holds no bytes."
        ),
        AnsweredImage((b"=cmd.png", 1, 2, 3, 4), "Bag", 0.7512, "m1", AT_MS, None),
        AnsweredImage((b"a,b.png", 1, 2, 3, 4), "Ankle boot", 1.0, "m1", AT_MS, None),
    ]
    with Ledger(path) as ledger:
        transaction = Transaction(
            jobs=[NewJob(1, "j", ledger.folder_number(b"f"), b"f", "", "2026-11-22T13:00:00.000Z")],
            answers=[Answer("b", 1, ledger.folder_number(b"f"), images, done=True)],
        )
        ledger.commit(transaction)
    (tmp_path / "f").mkdir()
    return path


def test_results_of_a_folder(ledger: Path) -> None:
    """Sorted by name, percent with one digit, failures with their note; byte for byte."""
    folder = ledger.parent / "f"
    assert 3 == write_results(ledger, b"f", os.fsencode(folder.parent))
    assert GOLDEN.encode() == (folder / "results.csv").read_bytes()
    assert ["results.csv"] == [path.name for path in folder.iterdir()]


def test_results_can_be_read_back(ledger: Path) -> None:
    """By Python's own reader, with the header's columns."""
    folder = ledger.parent / "f"
    write_results(ledger, b"f", os.fsencode(folder.parent))
    with (folder / "results.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [list(HEADER)] * 3 == [list(row) for row in rows]
    assert ["'=cmd.png", "a,b.png", "na\\xffme.png"] == [row["image"] for row in rows]


def test_results_of_somebody_else_are_kept_beside_ours(ledger: Path) -> None:
    """Theirs gets another name, once; ours is replaced."""
    folder = ledger.parent / "f"
    (folder / "results.csv").write_text("my,own,prices\n")
    for _ in range(2):
        write_results(ledger, b"f", os.fsencode(folder.parent))
    assert "my,own,prices\n" == (folder / "results.before-tailorbird.csv").read_text()
    assert GOLDEN.encode() == (folder / "results.csv").read_bytes()
    assert 2 == len(list(folder.iterdir()))


def test_results_replace_what_is_there(ledger: Path) -> None:
    """An unfinished one of ours, and a link, which is not followed."""
    folder = ledger.parent / "f"
    secret = ledger.parent / "secret"
    secret.write_text("untouched")
    (folder / "results.csv").symlink_to(secret)
    (folder / ".results.csv.unfinished").symlink_to(secret)
    write_results(ledger, b"f", os.fsencode(folder.parent))
    assert ("untouched", False) == (secret.read_text(), (folder / "results.csv").is_symlink())
    assert GOLDEN.encode() == (folder / "results.csv").read_bytes()


def test_results_are_not_written_through_a_folder_that_became_a_link(ledger: Path) -> None:
    """Nothing outside the inbox is made or replaced."""
    outside = ledger.parent / "outside"
    outside.mkdir()
    (outside / "results.csv").write_text("untouched")
    (ledger.parent / "f").rmdir()
    (ledger.parent / "f").symlink_to(outside)
    with pytest.raises(NotADirectoryError):
        write_results(ledger, b"f", os.fsencode(ledger.parent))
    assert ["results.csv"] == [path.name for path in outside.iterdir()]
    assert "untouched" == (outside / "results.csv").read_text()


def test_unknown_folder_has_only_a_header(ledger: Path) -> None:
    """The ledger has nothing of it."""
    (ledger.parent / "g").mkdir()
    assert 0 == write_results(ledger, b"g", os.fsencode(ledger.parent))


def test_missing_folder_is_an_error(ledger: Path) -> None:
    """The writer decides what to make of it."""
    with pytest.raises(FileNotFoundError):
        write_results(ledger, b"gone", os.fsencode(ledger.parent))


def test_old_results_stay_whole_when_the_new_ones_cannot_be_written(ledger: Path) -> None:
    """Nothing unfinished is left behind."""
    folder = ledger.parent / "f"
    for name in ("results.csv", "results.before-tailorbird.csv"):
        (folder / name).mkdir()
    with pytest.raises(IsADirectoryError):
        write_results(ledger, b"f", os.fsencode(folder.parent))
    assert {"results.csv", "results.before-tailorbird.csv"} == {path.name for path in folder.iterdir()}
