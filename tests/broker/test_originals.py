"""Which files of the inbox count as the photo of an image."""

import os
from pathlib import Path

import pytest

from broker.originals import opened, original
from broker.settings import Settings
from tests.conftest import MakeSettings


@pytest.fixture
def inbox(settings: Settings) -> Path:
    """An inbox with one photo, and a secret beside it."""
    found = settings.ingest_agent.inbox
    (found / "spring" / "bags").mkdir(parents=True)
    (found / "spring" / "bags" / "a.png").write_bytes(b"photo")
    (found.parent / "secret.png").write_bytes(b"secret")
    return found


def test_photo_lies_below_its_folder(settings: Settings, inbox: Path) -> None:
    """At any depth; a folder's name that is no text is met by its bytes."""
    assert inbox / "spring" / "bags" / "a.png" == original(settings, "shop", "spring", "bags/a.png")
    os.rename(inbox / "spring", os.fsencode(inbox) + b"/spr\xffng")  # noqa: PTH104 - the name is bytes
    descriptor = opened(settings, "shop", r"spr\xffng", "bags/a.png")
    assert b"photo" == os.read(descriptor, 100)
    os.close(descriptor)


@pytest.mark.parametrize(
    ("folder", "image"),
    [
        ("spring", "../../secret.png"),
        ("..", "secret.png"),
        ("spring", r"\x2e\x2e/\x2e\x2e/secret.png"),
        ("spring", "bags"),
        ("spring", "pipe.png"),
        ("spring", "link.png"),
        ("spring", "linked/secret.png"),
        ("linked", "secret.png"),
        ("spring", ""),
        ("spring", ".."),
        ("spring", r"bags/a.png\x00"),
        ("", "/etc/passwd"),
    ],
)
def test_nothing_else_is_opened(settings: Settings, inbox: Path, folder: str, image: str) -> None:
    """No way up, no link in any place, no folder, no pipe, whatever the tables say."""
    (inbox / "spring" / "link.png").symlink_to(inbox.parent / "secret.png")
    for name in ("spring/linked", "linked"):
        (inbox / name).symlink_to(inbox.parent)
    os.mkfifo(inbox / "spring" / "pipe.png")
    with pytest.raises(OSError, match=r"."):
        opened(settings, "shop", folder, image)
    assert original(settings, "shop", folder, image) is None


def test_photo_of_another_agent_is_not_here(settings: Settings, inbox: Path) -> None:
    """Though a folder here may be called the same."""
    assert inbox.is_dir()
    assert original(settings, "hall", "spring", "bags/a.png") is None


def test_second_name_of_a_file_is_shown_only_where_it_is_read(
    settings: Settings, inbox: Path, make_settings: MakeSettings
) -> None:
    """`hard_links = "refuse"` holds for who looks as for the agent."""
    (inbox / "spring" / "hard.png").hardlink_to(inbox.parent / "secret.png")
    refusing = make_settings(ingest_agent={"hard_links": "refuse"})
    assert original(settings, "shop", "spring", "hard.png") is not None
    assert original(refusing, "shop", "spring", "hard.png") is None
