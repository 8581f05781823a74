"""What somebody can do to the inbox with names, links and special files, and what comes of it."""

import csv
import os

import pytest

from broker.names import text_of
from tests.ingest_agent.conftest import MakeBench
from tests.ingest_agent.workbench import LABEL, Workbench, picture

NAMES = [
    b"new\nline.png",
    b"\r\n=1+1\r\n.png",
    b"\x1b[2J\x1b[31mred.png",
    b"=cmd|' -C calc'!A0.png",
    b"+1.png",
    b"-2.png",
    b"@SUM(A1).png",
    b"\t=1.png",
    "photo\u202egnp.exe".encode(),
    "a\u2028b\u2066c.png".encode(),
    b"na\xff\xfeme.png",
    b"\xed\xa0\x80.png",
    b"quote\",'comma.png",
    b"back\\slash\\x41.png",
    b"%s%n{0}$(id)`id`.png",
    b"<script>alert(1)<script>.png",
    b"x" * 251 + b".png",
    "\u00e4".encode() * 125 + b".png",
    b"CON.png",
    b" .png",
    b"...png",
]


def test_names_that_mean_harm_are_names_like_others(bench: Workbench) -> None:
    """Each file gets its one row under a text of its own; `results.csv` stays a table of one line a file."""
    aside = bench.folder / "aside-folder"
    aside.mkdir()
    names = [name for name in NAMES if not name.startswith(b".")]
    for name in names:
        (aside / os.fsdecode(name)).write_bytes(picture())
    aside.rename(bench.inbox / "f")
    bench.until_closed()
    assert {text_of(name): LABEL for name in names} == bench.other.images()
    bench.until((bench.inbox / "f" / "results.csv").exists)
    text = (bench.inbox / "f" / "results.csv").read_bytes().decode()
    assert len(names) + 1 == len(text.split("\r\n")) - 1
    assert all(char.isprintable() for line in text.split("\r\n") for char in line)
    with (bench.inbox / "f" / "results.csv").open(newline="", encoding="utf-8") as file:
        cells = [row["image"] for row in csv.DictReader(file)]
    assert len(names) == len(set(cells))
    assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for cell in cells)


def test_folder_with_such_a_name_is_a_job_like_others(bench: Workbench) -> None:
    """Its text is one line, and its results lie in it."""
    name = b"=\x1b]0;title\x07\n\xff\xe2\x80\xae"
    aside = bench.folder / "aside-folder"
    aside.mkdir()
    (aside / "a.png").write_bytes(picture())
    aside.rename(bench.inbox / os.fsdecode(name))
    (job,) = bench.until_closed()
    assert text_of(name) == job.folder
    assert job.folder.isprintable()
    bench.until((bench.inbox / os.fsdecode(name) / "results.csv").exists)


@pytest.mark.parametrize("swapped", ["f", "f/g"])
def test_folder_swapped_for_a_link_while_it_is_a_job_leads_nowhere(bench: Workbench, swapped: str) -> None:
    """What lies outside gets no row, and no `results.csv` is written there."""
    outside = bench.folder / "outside"
    (outside / "g").mkdir(parents=True)
    for name in ("secret.png", "g/secret.png"):
        (outside / name).write_bytes(picture())
    bench.drop("f/1.png")
    bench.drop("f/g/2.png")
    bench.until(lambda: len(bench.other.rows) == 2)
    (bench.inbox / swapped).rename(bench.folder / "moved")
    (bench.inbox / swapped).symlink_to(outside if swapped == "f" else outside / "g")
    assert bench.agent is not None
    bench.agent._hints.folder(swapped.encode(), whole=True)
    bench.agent._hints.finished(swapped.encode() + b"/secret.png")
    bench.agent._intake.rounds.begin(0.0, set())
    bench.until_closed()
    bench.for_a_while(0.3)
    assert not any("secret" in name for name in bench.other.images())
    assert ["g", "secret.png"] == sorted(path.name for path in outside.iterdir())


def test_hard_links_can_be_refused(make_bench: MakeBench) -> None:
    """A file with a second name is a failure then; others go on."""
    bench = make_bench(hard_links="refuse")
    bench.start()
    (bench.folder / "elsewhere.png").write_bytes(picture())
    (bench.inbox / "f").mkdir()
    (bench.inbox / "f" / "linked.png").hardlink_to(bench.folder / "elsewhere.png")
    bench.drop("f/own.png")
    bench.until_closed()
    assert {"linked.png": "!hard-link", "own.png": LABEL} == bench.other.images()


def test_special_files_named_like_results_are_replaced_or_told(bench: Workbench) -> None:
    """A pipe where `results.csv` goes is put aside and never waited for."""
    (bench.inbox / "f").mkdir()
    os.mkfifo(bench.inbox / "f" / "results.csv")
    os.mkfifo(bench.inbox / "f" / ".results.csv.unfinished")
    bench.drop("f/1.png")
    bench.until_closed()
    bench.until((bench.inbox / "f" / "results.csv").is_file)
    assert "1.png" in (bench.inbox / "f" / "results.csv").read_text()
