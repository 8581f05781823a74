"""Walking the inbox: everything is found, nothing is held."""

import os
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker import descent
from broker.places import Ignored
from ingest_agent import scanner
from ingest_agent.scanner import Found, Unreadable, Walk


def walk(root: Path, start: bytes = b"", patterns: tuple[str, ...] = (".*",)) -> Walk:
    """Return a walk."""
    return Walk(os.fsencode(root), Ignored(patterns), start)


def found(root: Path, start: bytes = b"") -> set[bytes]:
    """Return what a walk finds."""
    return {entry.relative for entry in walk(root, start) if isinstance(entry, Found)}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small inbox, with room for something beside it."""
    tmp_path /= "in"
    tmp_path.mkdir()
    for name in (
        "loose.png",
        "f/a.png",
        "f/g/b.png",
        "f/results.csv",
        ".hidden/c.png",
        "f/.d.png",
        "x.png/e.png",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "link").symlink_to(tmp_path / "f")
    return tmp_path


def test_walk_finds_files_and_directories_called_like_images(tree: Path) -> None:
    """Hidden ones and results.csv are passed over; a link is found, not followed."""
    assert {b"loose.png", b"f/a.png", b"f/g/b.png", b"x.png", b"x.png/e.png", b"link"} == found(tree)


def test_walk_begins_where_it_is_told(tree: Path) -> None:
    """Paths stay those below the inbox."""
    assert {b"f/a.png", b"f/g/b.png"} == found(tree, b"f")
    assert {b"f/g/b.png"} == found(tree, b"f/g")
    assert set() == found(tree, b"missing")


def test_walk_tells_where_it_is(tree: Path) -> None:
    """While it is in a job's folder, that folder's name; "" at the top."""
    entries = walk(tree)
    places = {entry.relative: entries.folder for entry in entries}
    assert (b"f", b"x.png") == (places[b"f/g/b.png"], places[b"x.png/e.png"])
    started = walk(tree, b"f/g")
    assert [b"f"] == [started.folder for _ in started]


def test_walk_holds_a_portion_of_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three thousand files cost no more memory than a hundred; each portion comes sorted."""
    monkeypatch.setattr(scanner, "NAMES_AT_ONCE", 100)
    for number in range(3000):
        (tmp_path / f"{number}.png").touch()
    tracemalloc.start()
    names = [entry.relative for entry in walk(tmp_path)]
    size = sum(map(sys.getsizeof, names)) + sys.getsizeof(names)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 3000 == len(set(names))
    assert all(
        names[start : start + 100] == sorted(names[start : start + 100]) for start in range(0, 3000, 100)
    )
    assert peak - size < 200_000


def test_directory_that_cannot_be_read_is_told(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the walk goes on."""
    list_folder = descent.list_folder

    def refuse(name: bytes, parent: int | None) -> int:
        if name == b"f":
            raise PermissionError(13, "Permission denied")
        return list_folder(name, parent)

    monkeypatch.setattr(scanner, "list_folder", refuse)
    entries = list(walk(tree))
    assert [b"f"] == [entry.relative for entry in entries if isinstance(entry, Unreadable)]
    assert b"x.png/e.png" in {entry.relative for entry in entries}


@pytest.mark.parametrize("swapped", ["f", "f/g"])
def test_folder_that_becomes_a_link_during_the_walk_is_not_left_through(tree: Path, swapped: str) -> None:
    """It was a folder when it was found, and leads out of the inbox when it is entered."""
    (tree.parent / "outside" / "g").mkdir(parents=True)
    for name in ("secret.png", "g/secret.png"):
        (tree.parent / "outside" / name).touch()
    entries = walk(tree)
    visit = entries._visit

    def swap_then_visit(path: bytes, entry: "os.DirEntry[str]") -> Iterator[Found | Unreadable]:
        visiting = visit(path, entry)
        if path == os.fsencode(swapped):
            entry.stat(follow_symlinks=False)  # it still says that it is a folder
            (tree / swapped).rename(tree.parent / "moved")
            (tree / swapped).symlink_to(tree.parent / "outside")
        yield from visiting

    entries._visit = swap_then_visit  # type: ignore[method-assign]
    assert not any(b"secret" in entry.relative for entry in entries)


@pytest.mark.parametrize("start", [b"out", b"out/g", b"f/../../outside"])
def test_walk_does_not_begin_behind_a_link(tree: Path, start: bytes) -> None:
    """Nor above the inbox."""
    (tree.parent / "outside" / "g").mkdir(parents=True)
    (tree.parent / "outside" / "g" / "secret.png").touch()
    (tree / "out").symlink_to(tree.parent / "outside")
    assert set() == found(tree, start)


def test_walk_that_is_left_gives_its_directories_back(tree: Path) -> None:
    """An unfinished walk can be closed."""
    started = walk(tree)
    entries = iter(started)
    next(entries)
    started.close()
    assert [] == started._stack
