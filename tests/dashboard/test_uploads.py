"""Uploads on their way into the inbox: whole or not at all."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker import mounts
from broker.settings import Settings
from dashboard import uploads as module
from dashboard.arriving import receive
from dashboard.declared import Refused
from dashboard.uploads import PREFIX, Upload, Uploads
from tests.conftest import MakeSettings
from tests.running import run

ANNA, BERT = "anna", "bert"


@pytest.fixture
def inbox(settings: Settings) -> Path:
    """The inbox, as the agent made it."""
    settings.ingest_agent.inbox.mkdir(parents=True)
    return settings.ingest_agent.inbox


@pytest.fixture
def uploads(settings: Settings, inbox: Path) -> Uploads:
    """Those of a page."""
    assert inbox.is_dir()
    return Uploads(settings)


async def pieces(*bodies: bytes) -> AsyncIterator[bytes]:
    """Yield a request's body."""
    for body in bodies:
        yield body


def send(uploads: Uploads, upload: Upload, number: int, *bodies: bytes) -> None:
    """Send a file."""
    run(receive(uploads, upload, number, pieces(*bodies)))


def names(folder: Path) -> list[str]:
    """Return what lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def left_over(folder: Path) -> list[str]:
    """Return the hidden folders that are there."""
    return [name for name in names(folder) if name.startswith(PREFIX)]


def test_folder_appears_whole_and_under_a_free_name(uploads: Uploads, inbox: Path) -> None:
    """Nothing is in the inbox before; afterwards nothing lies beside it."""
    (inbox / "spring").mkdir()
    upload = uploads.begin(ANNA, "spring", [("bags/a.png", 3), ("b.png", 4), ("results.csv", 1)])
    send(uploads, upload, 0, b"a", b"bc")
    with pytest.raises(Refused, match="1 files have not come yet"):
        uploads.finish(upload)
    send(uploads, upload, 1, b"abcd")
    assert ["spring"] == names(inbox)
    told = uploads.finish(upload)
    assert ("spring-2", ANNA, 2, 7) == (told.folder, told.who, told.files, told.size)
    assert b"abc" == (inbox / "spring-2" / "bags" / "a.png").read_bytes()
    assert [] == left_over(inbox.parent)
    assert [told] == list(uploads.lately)


def test_file_that_is_sent_again_is_the_same_file(uploads: Uploads, inbox: Path) -> None:
    """Whoever lost the answer sends it anew."""
    upload = uploads.begin(ANNA, "spring", [("a.png", 3)])
    for _ in range(2):
        send(uploads, upload, 0, b"abc")
    uploads.finish(upload)
    assert ["a.png"] == names(inbox / "spring")


@pytest.mark.parametrize(
    ("bodies", "status"), [([b"ab"], 400), ([b"ab", b"cd"], 413), ([b"x" * 5_000_000], 413), ([], 400)]
)
def test_file_of_another_size_leaves_nothing(uploads: Uploads, bodies: list[bytes], status: int) -> None:
    """It was cut off, or somebody sends more than was announced: refused while it streams."""
    upload = uploads.begin(ANNA, "spring", [("a.png", 3)])
    with pytest.raises(Refused) as refused:
        send(uploads, upload, 0, *bodies)
    assert status == refused.value.status
    assert ["parcel"] == names(upload.place)
    assert [] == names(upload.parcel)


def test_file_larger_than_a_piece_is_written_as_it_comes(uploads: Uploads, inbox: Path) -> None:
    """And is what was sent."""
    whole = os.urandom(3_000_001)
    upload = uploads.begin(ANNA, "spring", [("a.png", len(whole))])
    send(uploads, upload, 0, *[whole[at : at + 65_536] for at in range(0, len(whole), 65_536)])
    uploads.finish(upload)
    assert whole == (inbox / "spring" / "a.png").read_bytes()


def test_upload_is_its_owners_own(uploads: Uploads) -> None:
    """Another person's key opens nothing, nor does one that is made up."""
    upload = uploads.begin(ANNA, "spring", [("a.png", 3)])
    assert upload is uploads.of(upload.key, ANNA)
    for key, who in ((upload.key, BERT), ("../x", ANNA)):
        with pytest.raises(Refused, match="not under way"):
            uploads.of(key, who)


def test_cancelled_upload_leaves_nothing(uploads: Uploads, inbox: Path) -> None:
    """And cannot be gone on with."""
    upload = uploads.begin(ANNA, "spring", [("a.png", 3)])
    send(uploads, upload, 0, b"abc")
    uploads.discard(upload)
    assert [] == left_over(inbox.parent)
    with pytest.raises(Refused):
        uploads.finish(upload)
    assert [] == names(inbox)


def test_uploads_at_a_time_are_bounded_until_one_is_given_up(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several people share the page; those who went away make room."""
    who = [ANNA] * module.MOST_EACH + [""] * (module.MOST - module.MOST_EACH)
    first = [uploads.begin(one, "spring", [("a.png", 3)]) for one in who[:-1]]
    with pytest.raises(Refused, match="of your uploads are under way"):
        uploads.begin(ANNA, "summer", [("a.png", 3)])
    first.append(uploads.begin("", "spring", [("a.png", 3)]))
    with pytest.raises(Refused, match="try again when one is through"):
        uploads.begin(BERT, "summer", [("a.png", 3)])
    monkeypatch.setattr(module, "IDLE_S", -1.0)
    uploads.begin(BERT, "summer", [("a.png", 3)])
    assert not any(upload.place.exists() for upload in first)


def test_what_a_dead_page_left_is_cleared_away_by_its_age(settings: Settings, inbox: Path) -> None:
    """What is younger may be another page's."""
    for name, age_s in (("old", 2 * module.ABANDONED_S), ("young", 0.0)):
        (inbox.parent / f"{PREFIX}{name}" / "parcel").mkdir(parents=True)
        before = (inbox.parent / f"{PREFIX}{name}").stat().st_mtime - age_s
        os.utime(inbox.parent / f"{PREFIX}{name}", (before, before))
    Uploads(settings).sweep()
    assert [f"{PREFIX}young"] == left_over(inbox.parent)


def test_disk_keeps_the_room_that_the_store_needs(
    uploads: Uploads, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others announced counts as used; a file that no longer fits is refused as it comes."""
    spare = settings.store.min_free_mb * 1_000_000
    usage = shutil.disk_usage(settings.ingest_agent.inbox)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=spare + 1000))
    upload = uploads.begin(ANNA, "spring", [("a.png", 600)])
    with pytest.raises(Refused, match=r"The disk has room for 1\skB more, this is 1\skB\."):
        uploads.begin(BERT, "summer", [("a.png", 600)])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=spare + 100))
    with pytest.raises(Refused, match=r"room for 100\sbytes"):
        send(uploads, upload, 0, b"x" * 600)


def test_inbox_that_is_not_there_is_said(uploads: Uploads, inbox: Path) -> None:
    """And is not made: a mount may be missing."""
    inbox.rmdir()
    with pytest.raises(Refused, match=r"The inbox .* cannot be written: No such file or directory\."):
        uploads.begin(ANNA, "spring", [("a.png", 3)])
    assert not inbox.exists()


def test_inbox_on_a_mount_of_its_own_hides_what_is_half_there(
    make_settings: MakeSettings, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No rename leads from one mount to another, be they of one disk; hidden names are not looked into."""
    monkeypatch.setattr(mounts, "mount_now", str)
    upload = Uploads(make_settings()).begin(ANNA, "spring", [("a.png", 3)])
    assert inbox == upload.place.parent
    with pytest.raises(Refused, match=r"no longer holds `\.\*`"):
        Uploads(make_settings(ingest_agent={"ignore": "*.part"})).begin(ANNA, "spring", [("a.png", 3)])
