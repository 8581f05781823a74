"""What is dropped, however it comes: pictures become rows, everything else becomes failures with a reason."""

import os
import socket
import time
from pathlib import Path

import pytest

from broker.names import text_of
from ingest_agent.waiting import Patience
from model.preprocessing import InputSpec
from tests.ingest_agent.conftest import MakeBench
from tests.ingest_agent.workbench import LABEL, Workbench, be_quiet, picture

TRUNCATED = picture()[:-20]


def test_folder_dropped_whole_becomes_rows(bench: Workbench) -> None:
    """Every picture has one row, and the job's counts agree."""
    bench.drop_folder("shirts", 300)
    (job,) = bench.until_closed()
    assert {f"{n:05d}.png": LABEL for n in range(300)} == bench.other.images()
    assert ("shirts", 300, 300, 300, 0) == (job.folder, job.seen, job.sent, job.stored, job.failed)


def test_folder_that_was_there_before_the_start_becomes_rows(make_bench: MakeBench) -> None:
    """The scan at the start finds what no event told."""
    bench = make_bench()
    bench.inbox.mkdir()
    bench.drop_folder("shirts", 10)
    bench.start()
    (job,) = bench.until_closed()
    assert 10 == job.stored


def test_loose_file_belongs_to_the_folder_without_a_name(bench: Workbench) -> None:
    """A file in the inbox's root is an image of the job "", and results.csv stands beside it."""
    bench.drop("one.png")
    (job,) = bench.until_closed()
    assert ("", 1) == (job.folder, job.stored)
    assert (bench.inbox / "results.csv").exists()


def test_same_names_in_different_folders_are_different_images(bench: Workbench) -> None:
    """The name is the path below the job's folder."""
    for name in ("a/1.png", "b/1.png", "b/deep/1.png", "1.png"):
        bench.drop(name)
    jobs = bench.until_closed(3)
    names = {(job.folder, image) for job in jobs for known, image in bench.other.rows if known == job.job_id}
    assert {("a", "1.png"), ("b", "1.png"), ("b", "deep/1.png"), ("", "1.png")} == names


def test_sub_folders_created_and_filled_at_once_are_not_missed(bench: Workbench) -> None:
    """Folders appear faster than they can be watched; all their files are found."""
    for number in range(60):
        folder = bench.inbox / "tree" / f"{number % 7}" / f"{number}"
        folder.mkdir(parents=True)
        (folder / "p.png").write_bytes(picture(number))
    bench.until(lambda: len(bench.other.rows) == 60)


@pytest.mark.parametrize(
    "name", [b"na\xffme.png", b"new\nline.png", "grün \U0001f457.png".encode(), b"a\\b.png"]
)
def test_name_of_any_bytes_travels_as_text(bench: Workbench, name: bytes) -> None:
    """Names survive the way to the database, to results.csv and back."""
    bench.drop(b"f/" + name)
    bench.until_closed()
    assert {text_of(name): LABEL} == bench.other.images()
    assert text_of(name) in (bench.inbox / "f" / "results.csv").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.png", b"", "empty"),
        ("half.png", TRUNCATED, "truncated"),
        ("notes.txt", b"shopping: milk", "not-an-image"),
        ("wrong.jpg", b"%PDF-1.7 not a picture", "unsupported-format"),
        ("flipped.png", picture()[:60] + b"\x00\x01\x02" + picture()[63:], "not-an-image"),
    ],
)
def test_file_that_is_no_picture_becomes_a_failure(
    bench: Workbench, name: str, content: bytes, reason: str
) -> None:
    """It gets a row with the reason and an event, and its neighbours go on."""
    bench.drop(f"f/{name}", content)
    bench.drop("f/good.png")
    (job,) = bench.until_closed()
    assert {name: f"!{reason}", "good.png": LABEL} == bench.other.images()
    assert (2, 1, 1) == (job.seen, job.stored, job.failed)
    assert any(name in detail and reason in detail for detail in bench.other.told("image-failed"))


def test_wrong_extension_is_read_all_the_same(bench: Workbench) -> None:
    """What counts is the bytes: a PNG that is called .jpg is a PNG."""
    bench.drop("f/called.jpg")
    bench.until_closed()
    assert {"called.jpg": LABEL} == bench.other.images()


def test_what_is_no_regular_file_becomes_a_failure(bench: Workbench) -> None:
    """Pipes, sockets, links and a directory with a picture's name; the latter's content is taken."""
    folder = bench.inbox / "f"
    folder.mkdir()
    os.mkfifo(folder / "pipe.png")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(folder / "socket.png"))
        (folder / "inside.png").symlink_to(bench.drop("g/real.png"))
        (folder / "outside.png").symlink_to("/etc/passwd")
        (folder / "linked").symlink_to("/tmp")
        (folder / "x.png").mkdir()
        (folder / "x.png" / "within.png").write_bytes(picture())
        bench.until_closed(2)
    assert {
        "pipe.png": "!not-a-regular-file",
        "socket.png": "!not-a-regular-file",
        "x.png": "!not-a-regular-file",
        "inside.png": "!symlink",
        "outside.png": "!symlink",
        "linked": "!symlink",
        "x.png/within.png": LABEL,
        "real.png": LABEL,
    } == bench.other.images()


def test_file_that_is_too_large_becomes_a_failure(make_bench: MakeBench) -> None:
    """The input spec's limit holds before anything is read."""
    bench = make_bench()
    bench.other.announce(spec=InputSpec(max_bytes=1000))
    bench.start()
    bench.drop("f/huge.png", picture() + b"\0" * 1000)
    bench.until_closed()
    assert {"huge.png": "!too-large"} == bench.other.images()


def test_name_that_no_message_takes_becomes_a_failure(bench: Workbench) -> None:
    """A path of thousands of characters fails under a shortened name."""
    deep = b"/".join([b"\xff" * 250] * 6)
    bench.drop(b"f/" + deep + b"/p.png")
    bench.until_closed()
    assert ["!name-too-long"] == list(bench.other.images().values())


def test_ignored_names_are_passed_over(bench: Workbench) -> None:
    """Hidden and unfinished files, and what lies in hidden folders, are nobody's images."""
    for name in (".hidden.png", "a.part", "b.tmp", "Thumbs.db", "THUMBS.DB", ".cache/c.png", "d.png~"):
        bench.drop(f"f/{name}")
    bench.drop("f/good.png")
    (job,) = bench.until_closed()
    assert (["good.png"], 1) == (list(bench.other.images()), job.seen)


def test_half_written_file_waits_until_it_is_whole(make_bench: MakeBench) -> None:
    """One that grows is taken once, when all of it is there; another beside it as ever."""
    bench = make_bench(give_up_s=30.0, quiet_s=60.0)
    agent = bench.start()
    (bench.inbox / "f").mkdir()
    whole = picture(3)
    with (bench.inbox / "f" / "slow.png").open("wb") as file:
        for start in range(0, len(whole), 200):
            file.write(whole[start : start + 200])
            file.flush()
            bench.for_a_while(0.1)
        bench.drop("f/other.png")
    bench.until(lambda: len(bench.other.rows) == 2)
    be_quiet(agent)
    (job,) = bench.until_closed()
    assert {"slow.png": LABEL, "other.png": LABEL} == bench.other.images()
    assert (2, 2) == (job.seen, job.stored)


def test_file_that_is_never_finished_is_given_up(bench: Workbench) -> None:
    """What stays half-written for `give_up_s` is a failure, though it is still open."""
    (bench.inbox / "f").mkdir()
    with (bench.inbox / "f" / "half.png").open("wb") as file:
        file.write(TRUNCATED)
        file.flush()
        bench.until(lambda: bench.other.images() == {"half.png": "!truncated"})


def test_file_that_vanishes_unfinished_is_a_failure(make_bench: MakeBench) -> None:
    """It was read, was not whole, and went away: that is told."""
    bench = make_bench(give_up_s=30.0)
    agent = bench.start()
    path = bench.drop("f/half.png", TRUNCATED)
    bench.until(lambda: (file := agent._intake.waiting.get(b"f/half.png")) and file.attempts)
    path.unlink()
    bench.until_closed()
    assert {"half.png": "!vanished"} == bench.other.images()


def test_file_that_vanishes_before_it_was_read_is_none(make_bench: MakeBench) -> None:
    """Whoever takes his file back in time has dropped nothing."""
    bench = make_bench(settle_s=30.0)
    agent = bench.start()
    (bench.inbox / "f").mkdir()
    with (bench.inbox / "f" / "open.png").open("wb") as file:
        file.write(TRUNCATED)
        file.flush()
        bench.until(lambda: agent._intake.waiting.get(b"f/open.png"))
        (bench.inbox / "f" / "open.png").unlink()
    bench.drop("f/good.png")
    bench.until_closed()
    assert {"good.png": LABEL} == bench.other.images()


def test_overwritten_file_that_vanishes_leaves_nothing_behind(bench: Workbench) -> None:
    """Neither among the waiting ones nor among the changed ones."""
    path = bench.drop("p.png")
    bench.until_closed()
    agent = bench.agent
    assert agent is not None
    agent._intake.use(Patience(30.0, 30.0), inodes=True)
    with path.open("ab") as file:
        file.write(b"more")
        file.flush()
        agent._intake.rounds.begin(0.0, set())
        bench.until(lambda: agent._intake._changed)
        path.unlink()
        bench.until(lambda: not agent._intake.waiting)
    assert {} == agent._intake._changed


def test_file_renamed_within_the_inbox_is_a_new_image(bench: Workbench) -> None:
    """The new name has no row yet; the old one keeps its own."""
    path = bench.drop("f/before.png")
    bench.until(lambda: "before.png" in bench.other.images())
    path.rename(path.with_name("after.png"))
    bench.until(lambda: "after.png" in bench.other.images())
    bench.until_closed()
    assert {"before.png": LABEL, "after.png": LABEL} == bench.other.images()


def test_file_overwritten_after_it_was_taken_belongs_to_the_next_job(bench: Workbench) -> None:
    """The first version keeps its row, the second one gets its own in the folder's next job."""
    path = bench.drop("f/p.png", picture(1))
    bench.until(bench.other.images)
    bench.drop("f/p.png", picture(2))
    first, second = bench.until_closed(2)
    assert {(first.job_id, "p.png"), (second.job_id, "p.png")} == set(bench.other.rows)
    assert ("f", "f") == (first.folder, second.folder)
    assert path.exists()


@pytest.mark.parametrize("content", [None, b"shopping: milk"])
def test_file_that_is_only_touched_stays_the_image_it_was(bench: Workbench, content: bytes | None) -> None:
    """Other times are another version with the same content: no second row, now or after a restart."""
    path = bench.drop("f/p.png", content)
    bench.until_closed()
    os.utime(path, ns=(time.time_ns(), time.time_ns() - 10**9))
    path.open("ab").close()  # an event, as a writer would cause it
    bench.drop("f/q.png")
    bench.until_closed(2)
    bench.end()
    bench.start()
    bench.drop("f/r.png")
    jobs = bench.until_closed(3)
    assert [1, 1, 1] == [job.seen for job in jobs]
    assert ["p.png", "q.png", "r.png"] == sorted(image for _, image in bench.other.rows)


def test_file_copied_over_itself_stays_the_image_it_was(bench: Workbench) -> None:
    """The same bytes under another inode are no new image."""
    bench.drop("f/p.png", picture(1))
    bench.until_closed()
    bench.drop("f/p.png", picture(1))
    bench.drop("f/q.png")
    bench.until_closed(2)
    assert ["p.png", "q.png"] == sorted(image for _, image in bench.other.rows)


def test_files_that_come_later_open_the_next_job_and_results_cover_the_folder(bench: Workbench) -> None:
    """`results.csv` always tells of the whole folder."""
    bench.drop("f/1.png")
    bench.until_closed(1)
    bench.drop("f/2.png")
    first, second = bench.until_closed(2)
    assert (1, 1) == (first.seen, second.seen)
    lines = (bench.inbox / "f" / "results.csv").read_text("utf-8").splitlines()
    assert ["image", "1.png", "2.png"] == [line.split(",")[0] for line in lines]


def test_time_of_change_beyond_what_sqlite_holds_is_taken(bench: Workbench) -> None:
    """A file from the year 2400 is a file like others."""
    aside = bench.folder / "late.png"
    aside.write_bytes(picture())
    os.utime(aside, (13_569_465_600, 13_569_465_600))
    (bench.inbox / "f").mkdir()
    aside.rename(bench.inbox / "f" / "late.png")
    bench.until_closed()
    assert {"late.png": LABEL} == bench.other.images()


def test_spec_from_the_bundle_serves_until_a_model_is_announced(
    make_bench: MakeBench, tmp_path: Path
) -> None:
    """Without an announcement and without a bundle the agent waits, and says so once."""
    bench = make_bench()
    bench.inbox.mkdir()
    bench.start_agent()
    bench.drop("f/p.png")
    bench.until(lambda: bench.other.told("no-input-spec"))
    bench.for_a_while(0.3)
    assert ({}, 1) == (bench.other.images(), len(bench.other.told("no-input-spec")))
    bench.other.announce()
    bench.until_closed()
    assert 1 == len(bench.other.told("no-input-spec-over"))


def test_new_input_spec_shapes_the_next_batches(bench: Workbench) -> None:
    """A batch is of one shape; what is read after the announcement has the new one."""
    bench.drop("f/1.png")
    bench.until(lambda: len(bench.other.rows) == 1)
    bench.other.announce("m2", InputSpec(version="other", height=14, width=14))
    bench.until(lambda: bench.other.told("input-spec")[1:])
    bench.drop("f/2.png")
    bench.until(lambda: len(bench.other.rows) == 2)
    assert [(1, 28, 28), (1, 14, 14)] == list(bench.other.shapes.values())
