"""Reading one file: pixels, not yet, or never."""

import os
import socket
from pathlib import Path
from typing import Any

import cv2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_agent import preparing, reading
from ingest_agent.preparing import InThisProcess
from ingest_agent.readers import Progress, read_portion
from ingest_agent.reading import LARGEST, NotYet, Outcome, Pixels, Rules, Stat, Unfit, stat_of
from model.preprocessing import InputSpec
from tests.ingest_agent.workbench import picture

SPEC = InputSpec()


def read(
    path: Path, spec: InputSpec = SPEC, *, inbox: Path | None = None, hard_links: bool = True
) -> Outcome:
    """Read a file; `inbox` is the folder that it lies in."""
    inbox = inbox or path.parent
    rules = Rules(spec.max_bytes, hard_links=hard_links)
    relative = os.fsencode(path.relative_to(inbox))
    (outcome,) = read_portion(os.fsencode(inbox), [relative], spec, rules, InThisProcess(), Progress(0.0))
    return outcome


def test_picture_becomes_pixels(tmp_path: Path) -> None:
    """28x28 bytes, and the version that was read."""
    path = tmp_path / "a.png"
    path.write_bytes(picture())
    outcome = read(path)
    assert isinstance(outcome, Pixels)
    assert (784, stat_of(path.stat())) == (len(outcome.pixels), outcome.stat)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"hello", "not-an-image"), (picture()[:-9], "truncated"), (b"GIF8", "truncated")],
)
def test_bytes_that_are_no_picture_may_become_one(tmp_path: Path, content: bytes, reason: str) -> None:
    """The reason is preprocessing's; whether to give up is decided elsewhere."""
    path = tmp_path / "a.png"
    path.write_bytes(content)
    outcome = read(path)
    assert isinstance(outcome, NotYet)
    assert (reason, stat_of(path.stat()), False) == (outcome.reason, outcome.stat, outcome.gone)


@given(st.binary(max_size=300))
def test_any_bytes_become_an_outcome(content: bytes) -> None:
    """Nothing is raised, whatever a file holds."""
    path = Path("/dev/shm" if Path("/dev/shm").is_dir() else ".") / f"tailorbird-{os.getpid()}.bin"
    path.write_bytes(content)
    try:
        assert isinstance(read(path), Pixels | NotYet)
    finally:
        path.unlink()


def test_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    """The size is looked at first."""
    path = tmp_path / "a.png"
    path.write_bytes(picture())
    outcome = read(path, InputSpec(max_bytes=100))
    assert isinstance(outcome, NotYet)
    assert "too-large" == outcome.reason


def test_missing_file_is_gone(tmp_path: Path) -> None:
    """As is one whose folder is no folder any more."""
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "missing.png", tmp_path / "file" / "a.png"):
        outcome = read(path)
        assert isinstance(outcome, NotYet)
        assert outcome.gone


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    """A pipe is not read from, a link is not followed."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/etc/passwd")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket"))
        found = {name: read(tmp_path / name) for name in ("pipe", "folder", "link", "socket")}
    found["device"] = read(Path("/dev/null"))
    reasons = {name: outcome.reason for name, outcome in found.items() if isinstance(outcome, Unfit)}
    expected = dict.fromkeys(("pipe", "folder", "socket", "device"), "not-a-regular-file")
    assert {**expected, "link": "symlink"} == reasons


@pytest.mark.parametrize("link", ["f", "f/g", "f/g/a.png"])
def test_nothing_is_read_through_a_link(tmp_path: Path, link: str) -> None:
    """Whichever level of the path below the inbox is one; what lies outside leaves no trace."""
    outside = tmp_path / "outside" / "g"
    outside.mkdir(parents=True)
    (outside / "a.png").write_bytes(picture())
    inbox = tmp_path / "in"
    (inbox / link).parent.mkdir(parents=True)
    target = {"f": outside.parent, "f/g": outside, "f/g/a.png": outside / "a.png"}[link]
    (inbox / link).symlink_to(target)
    outcome = read(inbox / "f" / "g" / "a.png", inbox=inbox)
    assert not isinstance(outcome, Pixels)
    assert outcome.reason == ("symlink" if link.endswith("png") else "vanished")


def test_inbox_itself_may_be_a_link(tmp_path: Path) -> None:
    """Whoever configured it chose it."""
    (tmp_path / "real" / "f").mkdir(parents=True)
    (tmp_path / "real" / "f" / "a.png").write_bytes(picture())
    (tmp_path / "in").symlink_to(tmp_path / "real")
    assert isinstance(read(tmp_path / "in" / "f" / "a.png", inbox=tmp_path / "in"), Pixels)


def test_nothing_above_the_inbox_is_read(tmp_path: Path) -> None:
    """A path that climbs leads nowhere."""
    (tmp_path / "in").mkdir()
    (tmp_path / "a.png").write_bytes(picture())
    (outcome,) = read_portion(
        os.fsencode(tmp_path / "in"),
        [b"../a.png"],
        SPEC,
        Rules(SPEC.max_bytes),
        InThisProcess(),
        Progress(0.0),
    )
    assert isinstance(outcome, NotYet)
    assert outcome.gone


@pytest.mark.parametrize("hard_links", [True, False])
def test_file_with_a_second_name_is_read_or_refused(tmp_path: Path, hard_links: bool) -> None:  # noqa: FBT001
    """As the configuration wants it; it may lose its other name and be read after all."""
    (tmp_path / "b.png").write_bytes(picture())
    (tmp_path / "a.png").hardlink_to(tmp_path / "b.png")
    outcome = read(tmp_path / "a.png", hard_links=hard_links)
    if hard_links:
        assert isinstance(outcome, Pixels)
        return
    assert isinstance(outcome, NotYet)
    assert ("hard-link", False) == (outcome.reason, outcome.world)
    (tmp_path / "b.png").unlink()
    assert isinstance(read(tmp_path / "a.png", hard_links=False), Pixels)


def test_file_that_grows_while_it_is_read_is_not_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stat before and after must be the same."""
    path = tmp_path / "a.png"
    path.write_bytes(picture())
    read_all = reading._read_all

    def grow(descriptor: int, size: int) -> bytes:
        data = read_all(descriptor, size)
        with path.open("ab") as file:
            file.write(b"more")
        return data

    monkeypatch.setattr(reading, "_read_all", grow)
    outcome = read(path)
    assert isinstance(outcome, NotYet)
    assert ("truncated", stat_of(path.stat())) == (outcome.reason, outcome.stat)


@pytest.mark.parametrize(("number", "world"), [(13, False), (5, False), (24, True), (116, True)])
def test_error_is_the_files_or_the_worlds(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    world: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Rights and bad sectors may be given up; too many open files and a stale mount are waited out."""
    path = tmp_path / "a.png"
    path.write_bytes(picture())

    opens = os.open

    def fail(name: bytes, *rest: Any, **more: Any) -> int:
        if name == b"a.png":
            raise OSError(number, os.strerror(number))
        return opens(name, *rest, **more)

    monkeypatch.setattr(os, "open", fail)
    outcome = read(path)
    assert isinstance(outcome, NotYet)
    assert ("unreadable", world) == (outcome.reason, outcome.world)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "too-many-pixels"),
        (cv2.error("OpenCV: (-215:Assertion failed)\n  in function 'resize'"), "not-an-image"),
        (ValueError("a bound"), "not-an-image"),
    ],
)
def test_picture_that_breaks_its_preparation_becomes_an_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    """In one line and with the file's version, so that it can be given up."""
    path = tmp_path / "a.png"
    path.write_bytes(picture())

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(preparing, "prepare", fail)
    outcome = read(path)
    assert isinstance(outcome, NotYet)
    assert (reason, stat_of(path.stat()), False) == (outcome.reason, outcome.stat, outcome.world)
    assert "\n" not in outcome.detail


def test_file_that_does_not_fit_into_the_memory_becomes_an_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its version, so that it can be given up; unless it is gone."""
    path = tmp_path / "a.png"
    path.write_bytes(picture())

    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(reading, "_read_all", fail)
    outcome = read(path)
    assert isinstance(outcome, NotYet)
    assert ("too-large", stat_of(path.stat())) == (outcome.reason, outcome.stat)


def test_versions_are_told_apart_by_size_time_and_inode() -> None:
    """An inode of 0 is unknown and fits every other."""
    one = Stat(1, 2, 3)
    assert one.same_as(Stat(1, 2, 0))
    assert not any(one.same_as(other) for other in (Stat(2, 2, 3), Stat(1, 1, 3), Stat(1, 2, 4)))


def test_version_fits_into_sqlite(tmp_path: Path) -> None:
    """A time of change in the year 2400 is cut, and stays the same from look to look."""
    path = tmp_path / "a"
    path.touch()
    os.utime(path, (13_569_465_600, 13_569_465_600))
    assert LARGEST == stat_of(path.stat()).mtime_ns
    assert 0 == stat_of(path.stat(), inodes=False).inode
