"""Tests of how a folder comes into the inbox."""

import os
from pathlib import Path

import pytest

from broker import mounts
from broker.settings import Settings
from cli.dropping import pack
from cli.errors import CannotRun


def fill(folder: Path, *names: str) -> Path:
    """Make a folder with small files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def test_parcel_keeps_sub_folders_and_leaves_out_what_is_ignored(tmp_path: Path, settings: Settings) -> None:
    """Dot files, unfinished files and an old results.csv are no images."""
    source = fill(
        tmp_path / "spring", "a.png", "coats/b.png", ".hidden", "c.part", "results.csv", ".git/d.png"
    )
    parcel = pack(source, settings)
    assert frozenset({"a.png", "coats/b.png"}) == parcel.images
    assert ("spring", settings.ingest_agent.inbox / "spring") == (parcel.folder, parcel.target)


def test_drop_brings_the_whole_folder_at_once(tmp_path: Path, settings: Settings) -> None:
    """Before it nothing of it is in the inbox, after it nothing is left beside."""
    parcel = pack(fill(tmp_path / "spring", "a.png"), settings)
    assert [] == list(settings.ingest_agent.inbox.iterdir())
    parcel.drop()
    assert b"a.png" == (settings.ingest_agent.inbox / "spring" / "a.png").read_bytes()
    assert [] == [path for path in settings.paths.state.iterdir() if path.name.startswith(".drop-")]


def test_original_that_is_overwritten_later_is_no_change_in_the_inbox(
    tmp_path: Path, settings: Settings
) -> None:
    """The inbox has a copy; a link would be the same file, and a new image for the agent."""
    source = fill(tmp_path / "spring", "a.png")
    pack(source, settings).drop()
    dropped = settings.ingest_agent.inbox / "spring" / "a.png"
    before = dropped.stat()
    with (source / "a.png").open("wb") as original:
        original.write(b"retouched")
    assert b"a.png" == dropped.read_bytes()
    assert (before.st_mtime_ns, before.st_ctime_ns) == (
        dropped.stat().st_mtime_ns,
        dropped.stat().st_ctime_ns,
    )


def test_folder_of_a_name_that_is_taken_gets_a_number(tmp_path: Path, settings: Settings) -> None:
    """Two folders called `spring` are two jobs."""
    source = fill(tmp_path / "spring", "a.png")
    pack(source, settings).drop()
    assert "spring-2" == pack(source, settings).folder


def test_name_that_is_not_utf8_is_brought_and_named_reversibly(tmp_path: Path, settings: Settings) -> None:
    """As it will stand in messages and tables."""
    source = fill(tmp_path / "spring", "a.png")
    with open(os.fsencode(source) + b"/\xe4.png", "wb"):  # noqa: PTH123 - the name is bytes
        pass
    assert frozenset({"a.png", r"\xe4.png"}) == pack(source, settings).images


def test_pipes_and_dead_links_are_left_out(tmp_path: Path, settings: Settings) -> None:
    """Only files are dropped; a link to a file is followed."""
    source = fill(tmp_path / "spring", "a.png")
    os.mkfifo(source / "pipe.png")
    (source / "dead.png").symlink_to("nowhere")
    (source / "link.png").symlink_to("a.png")
    parcel = pack(source, settings)
    assert frozenset({"a.png", "link.png"}) == parcel.images
    assert not (parcel.waiting / "link.png").is_symlink()


def test_folder_without_files_is_refused(tmp_path: Path, settings: Settings) -> None:
    """There would be nothing to wait for."""
    with pytest.raises(CannotRun, match="holds no file"):
        pack(tmp_path, settings)


def test_parcel_that_is_interrupted_leaves_nothing(tmp_path: Path, settings: Settings) -> None:
    """Ctrl-C while ten thousand files are copied."""

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(fill(tmp_path / "spring", "a.png"), settings, interrupt)
    assert [] == [path for path in settings.paths.state.iterdir() if path.name.startswith(".drop-")]


def test_inbox_on_a_mount_of_its_own_is_where_the_parcel_waits(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No rename leads from one mount to another, be they of one disk."""
    monkeypatch.setattr(mounts, "mount_now", str)
    parcel = pack(fill(tmp_path / "spring", "a.png"), settings)
    assert settings.ingest_agent.inbox == parcel.waiting.parent.parent
    parcel.drop()
    assert ["spring"] == [path.name for path in settings.ingest_agent.inbox.iterdir()]
