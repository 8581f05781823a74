"""Real events from the kernel become hints."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from watchdog.observers.inotify_c import InotifyFD

from ingest_agent.hints import Hints
from ingest_agent.watcher import Watcher
from tests.waiting import until


class Watched:
    """A watched folder and its hints."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.hints = Hints(lambda: None)
        self.watcher = Watcher(self.hints)
        self.watcher.start(os.fsencode(root))

    def until_finished(self, *names: bytes) -> None:
        """Wait until these files are told as finished."""
        until(lambda: set(names) <= set(self.hints._finished))


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """A watched folder."""
    (tmp_path / "in").mkdir()
    watched = Watched(tmp_path / "in")
    yield watched
    watched.watcher.stop()


def test_file_is_finished_when_it_is_closed(watched: Watched) -> None:
    """Not when it is created."""
    with (watched.root / "a.png").open("wb") as file:
        file.write(b"x")
        until(lambda: b"a.png" in watched.hints._created)
        assert [] == watched.hints.take_finished(10)
    watched.until_finished(b"a.png")


def test_file_renamed_in_or_within_is_finished(watched: Watched, tmp_path: Path) -> None:
    """From outside, and from another name."""
    (tmp_path / "outside").touch()
    (tmp_path / "outside").rename(watched.root / "in.png")
    (watched.root / "in.png").rename(watched.root / "again.png")
    watched.until_finished(b"in.png", b"again.png")


def test_folder_swapped_for_a_link_is_not_watched(watched: Watched, tmp_path: Path) -> None:
    """What happens outside the inbox is told by nobody."""
    (tmp_path / "outside" / "g").mkdir(parents=True)
    (watched.root / "f").symlink_to(tmp_path / "outside")
    group = watched.watcher._group
    assert group is not None
    group._add_all_callbacks(os.fsencode(watched.root / "f"))  # as if it had been listed as a folder
    for file in (
        tmp_path / "outside" / "a.png",
        tmp_path / "outside" / "g" / "a.png",
        watched.root / "a.png",
    ):
        file.touch()
    watched.until_finished(b"a.png")
    assert [b"a.png"] == watched.hints.take_finished(10)


def test_link_and_pipe_only_appear(watched: Watched) -> None:
    """Nobody closes them after writing."""
    (watched.root / "link").symlink_to("/etc/passwd")
    os.mkfifo(watched.root / "pipe")
    until(lambda: {b"link", b"pipe"} <= set(watched.hints._created))


def test_new_folder_is_hinted_at_and_watched(watched: Watched) -> None:
    """Its files are finished later, or found by walking the folder."""
    (watched.root / "f" / "g").mkdir(parents=True)
    until(lambda: b"f" in watched.hints._folders)
    until(lambda: b"f/g" in watched.hints._folders or watched.watcher.alive)
    (watched.root / "f" / "late.png").touch()
    watched.until_finished(b"f/late.png")


def test_folder_renamed_in_is_whole_and_watched(watched: Watched, tmp_path: Path) -> None:
    """Its content is not told file by file; what comes later is."""
    (tmp_path / "drop" / "deep").mkdir(parents=True)
    (tmp_path / "drop").rename(watched.root / "drop")
    until(lambda: b"drop" in watched.hints._folders)
    assert {b"drop": True} == watched.hints.take_folders()
    (watched.root / "drop" / "deep" / "a.png").touch()
    watched.until_finished(b"drop/deep/a.png")


def test_folder_renamed_within_keeps_its_watch_under_the_new_name(watched: Watched) -> None:
    """Events in it are told with the new path."""
    (watched.root / "old").mkdir()
    until(lambda: b"old" in watched.hints._folders)
    (watched.root / "old").rename(watched.root / "new")
    until(lambda: b"new" in watched.hints._folders)
    (watched.root / "new" / "a.png").touch()
    watched.until_finished(b"new/a.png")


def test_storm_of_folders_is_watched(watched: Watched) -> None:
    """Folders appear faster than they can be watched; the last file of each is told in the end."""
    for number in range(100):
        (watched.root / f"{number % 5}" / f"{number}" / "deep").mkdir(parents=True)
    names = [b"%d/%d/deep/a.png" % (number % 5, number) for number in range(100)]
    for name in names:
        (watched.root / os.fsdecode(name)).touch()
    until(lambda: all(_is_told(watched, name) for name in names))
    assert watched.watcher.alive


def _is_told(watched: Watched, name: bytes) -> bool:
    """Tell whether a file, or a folder above it, is hinted at."""
    parents = [name.rsplit(b"/", level)[0] for level in range(1, name.count(b"/") + 1)]
    return name in watched.hints._finished or any(path in watched.hints._folders for path in parents)


def test_own_results_are_not_told(watched: Watched) -> None:
    """A hint at them would keep their job open."""
    (watched.root / "results.csv").touch()
    (watched.root / "a.png").touch()
    watched.until_finished(b"a.png")
    assert [b"a.png"] == watched.hints.take_finished(10)


def test_overflow_of_the_kernels_queue_is_told(watched: Watched) -> None:
    """As lost events, and the watching goes on."""
    assert watched.watcher._group is not None
    watched.watcher._group.on_queue_overflow()
    assert watched.hints.take_lost()
    (watched.root / "a.png").touch()
    watched.until_finished(b"a.png")


def test_watcher_can_be_started_again(watched: Watched, tmp_path: Path) -> None:
    """On another folder; the first one is left."""
    (tmp_path / "other").mkdir()
    watched.watcher.start(os.fsencode(tmp_path / "other"))
    (tmp_path / "other" / "a.png").touch()
    (watched.root / "b.png").touch()
    watched.until_finished(b"a.png")
    assert [b"a.png"] == watched.hints.take_finished(10)


def test_kernels_limit_is_noted(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sub-folder that may not be watched is no error, and known."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "inotify watch limit reached")

    monkeypatch.setattr(InotifyFD, "_get_or_create_watch", refuse)
    (watched.root / "f").mkdir()
    until(lambda: watched.watcher.is_limited)
    assert watched.watcher.alive


def test_root_that_cannot_be_watched_is_an_error(tmp_path: Path) -> None:
    """And leaves nothing running."""
    watcher = Watcher(Hints(lambda: None))
    with pytest.raises(OSError, match="No such file"):
        watcher.start(os.fsencode(tmp_path / "missing"))
    assert not watcher.alive
