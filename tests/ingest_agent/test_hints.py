"""Hints: bounded, thread-safe, and honest about what was lost."""

import time

from ingest_agent.hints import Hints


class Calls:
    """Counts how often the loop was woken."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        """Count."""
        self.count += 1


def test_finished_file_is_no_longer_only_there() -> None:
    """Closing after writing takes a file out of those that have only appeared."""
    hints = Hints(Calls())
    hints.created(b"a")
    hints.finished(b"a")
    hints.created(b"a")
    assert [] == hints.take_created(time.monotonic() + 1, 10)
    assert [b"a"] == hints.take_finished(10)


def test_file_that_appeared_is_told_later() -> None:
    """Whoever is still writing gets a moment."""
    hints = Hints(Calls())
    before = time.monotonic()
    hints.created(b"a")
    assert (False, []) == (hints.has_any(before - 1), hints.take_created(before - 1, 10))
    assert hints.has_any(time.monotonic())
    assert [b"a"] == hints.take_created(time.monotonic(), 10)


def test_full_set_means_that_something_is_lost() -> None:
    """Told once; what is in stays in."""
    hints = Hints(Calls(), limit=2)
    for name in (b"a", b"b", b"c"):
        hints.finished(name)
    assert (True, False) == (hints.take_lost(), hints.take_lost())
    assert [b"a"] == hints.take_finished(1)
    assert [b"b"] == hints.take_finished(5)


def test_folder_that_was_renamed_in_stays_whole() -> None:
    """A second hint at it does not take that back."""
    hints = Hints(Calls())
    hints.folder(b"f", whole=True)
    hints.folder(b"f")
    hints.folder(b"g")
    assert {b"f": True, b"g": False} == hints.take_folders()
    assert {} == hints.take_folders()


def test_loop_is_woken_once_until_it_looks() -> None:
    """A storm of events wakes once."""
    calls = Calls()
    hints = Hints(calls)
    for number in range(100):
        hints.finished(b"%d" % number)
    assert 1 == calls.count
    hints.take_finished(1)
    hints.lost()
    assert 2 == calls.count


def test_mention_knows_the_folder() -> None:
    """A file in it, the folder itself, or a loose file for the folder without a name."""
    hints = Hints(Calls())
    hints.finished(b"f/a")
    hints.created(b"loose")
    hints.folder(b"g/deep")
    assert [True, True, True, False] == [hints.mention(folder) for folder in (b"f", b"", b"g", b"h")]
