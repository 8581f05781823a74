"""Paths below the inbox, and which names are nobody's image."""

import pytest

from broker.places import Ignored, folder_and_name, has_image_suffix, is_ours, relative_path
from broker.settings import IngestAgent


@pytest.mark.parametrize(
    ("relative", "folder", "name"),
    [(b"a.png", b"", b"a.png"), (b"f/a.png", b"f", b"a.png"), (b"f/g/a.png", b"f", b"g/a.png")],
)
def test_path_is_folder_and_name(relative: bytes, folder: bytes, name: bytes) -> None:
    """The first level is the job's folder; both put together give the path."""
    assert (folder, name) == folder_and_name(relative)
    assert relative == relative_path(folder, name)


@pytest.mark.parametrize(
    "relative",
    [
        b".a.png",
        b"f/.hidden/a.png",
        b"a.part",
        b"a.PART",
        b"f/Thumbs.db",
        b"f/thumbs.db",
        b"__MACOSX/a.png",
        b"a.png~",
        b"results.csv",
        b"f/results.csv",
        b"f/.results.csv.unfinished",
    ],
)
def test_default_patterns_ignore(relative: bytes) -> None:
    """Hidden, unfinished and system files, and the agent's own."""
    assert Ignored(IngestAgent().ignore).path(relative)


@pytest.mark.parametrize("relative", [b"a.png", b"f/g/results.csv", b"f/party.png", b"apart", b"f/tmp/a.png"])
def test_default_patterns_pass(relative: bytes) -> None:
    """Everything else is looked at; a deeper results.csv is somebody else's."""
    assert not Ignored(IngestAgent().ignore).path(relative)


def test_no_pattern_ignores_nothing_but_our_own() -> None:
    """With an empty list only results.csv is passed over."""
    ignored = Ignored(())
    assert (False, True) == (ignored.path(b".a.png"), ignored.path(b"f/results.csv"))


def test_name_that_is_not_utf8_can_be_matched() -> None:
    """Patterns work on bytes."""
    assert Ignored(("*.part",)).name(b"\xff.part")


@pytest.mark.parametrize(("name", "expected"), [(b"x.PNG", True), (b"x.jpeg", True), (b"x.txt", False)])
def test_image_suffix(name: bytes, expected: bool) -> None:  # noqa: FBT001 - a parameter
    """A directory with such a name is a mistake worth telling."""
    assert expected == has_image_suffix(name)


def test_unfinished_results_are_ours_only_at_the_top() -> None:
    """Two levels, no more."""
    assert [True, True, False] == [is_ours(p) for p in (b"results.csv", b"f/results.csv", b"f/g/results.csv")]
