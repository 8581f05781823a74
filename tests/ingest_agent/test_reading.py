"""Reading one file: pixels, not yet, or never."""

import os
import socket
from pathlib import Path

import cv2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_agent import reading
from ingest_agent.reading import LARGEST, NotYet, Outcome, Pixels, Stat, Unfit, read_image, stat_of
from model.preprocessing import InputSpec
from tests.ingest_agent.workbench import picture

SPEC = InputSpec()


def read(path: Path, spec: InputSpec = SPEC) -> Outcome:
    """Read a file."""
    return read_image(os.fsencode(path), spec)


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

    def fail(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

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

    monkeypatch.setattr(reading, "prepare", fail)
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
