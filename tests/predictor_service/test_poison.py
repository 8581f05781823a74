"""The notes about batches that failed."""

import errno
import os
import time
from pathlib import Path

import pytest

from predictor_service.poison import KEPT_S, PoisonNotes


def test_poison_an_error_is_forgiven_once(tmp_path: Path) -> None:
    """A batch is put aside at its second error, not at its first."""
    with PoisonNotes(tmp_path, "1") as notes:
        notes.failed("a")
        assert (True, False) == (notes.suspicious("a"), notes.poisonous("a"))
        notes.failed("a")
        assert notes.poisonous("a")


def test_poison_three_deaths_put_a_batch_aside(tmp_path: Path) -> None:
    """What was being predicted when the process died is remembered by the next process."""
    seen = []
    for _ in range(3):
        dying = PoisonNotes(tmp_path, "1").__enter__()
        dying.begin(["a", "b"])
        del dying  # no __exit__: the process is gone
        with PoisonNotes(tmp_path, "1") as notes:
            seen.append(notes.poisonous("a"))
    assert [False, False, True] == seen


def test_poison_done_before_death_is_innocent(tmp_path: Path) -> None:
    """A batch that was finished before the process died has no mark."""
    dying = PoisonNotes(tmp_path, "1").__enter__()
    dying.begin(["a"])
    dying.done()
    with PoisonNotes(tmp_path, "1") as notes:
        assert not notes.suspicious("a")


def test_poison_is_shared_by_the_predictors_of_a_machine(tmp_path: Path) -> None:
    """The second error may happen in another predictor."""
    with PoisonNotes(tmp_path, "1") as one, PoisonNotes(tmp_path, "2") as two:
        one.failed("a")
        two.failed("a")
        assert one.poisonous("a")


def test_poison_is_forgiven_after_success(tmp_path: Path) -> None:
    """A batch that was predicted after all starts afresh."""
    with PoisonNotes(tmp_path, "1") as notes:
        notes.failed("a")
        notes.forgive("a")
        assert not notes.suspicious("a")


def test_poison_half_a_note_is_no_note(tmp_path: Path) -> None:
    """A note that the process died writing names nobody."""
    (tmp_path / "1.busy").write_bytes(b'["a", "b')
    with PoisonNotes(tmp_path, "1") as notes:
        assert not notes.suspicious("a")


def test_poison_old_marks_are_forgotten(tmp_path: Path) -> None:
    """Marks older than a day are removed at start."""
    with PoisonNotes(tmp_path, "1") as notes:
        notes.failed("a")
    old = time.time() - KEPT_S - 1
    os.utime(tmp_path / "failed" / "a", (old, old))
    with PoisonNotes(tmp_path, "1") as notes:
        assert not notes.suspicious("a")


def test_poison_without_a_disk_counts_what_it_sees(tmp_path: Path) -> None:
    """Notes that cannot be written stop nothing, are told, and are written again when they can be."""
    (tmp_path / "notes").write_text("a file where the folder should be")
    with PoisonNotes(tmp_path / "notes", "1") as notes:
        assert notes.trouble is not None
        notes.begin(["a"])
        notes.failed("a")
        assert (True, False) == (notes.suspicious("a"), notes.poisonous("a"))
        notes.failed("a")
        assert notes.poisonous("a")
        (tmp_path / "notes").unlink()
        notes.begin(["b"])
        assert notes.trouble is None


def test_poison_a_full_disk_costs_no_mark(tmp_path: Path) -> None:
    """Where the next mark finds no room, the marks that are there stay for the next process."""
    with PoisonNotes(tmp_path, "1") as notes:
        notes.failed("a")
        (tmp_path / "failed" / ".1").symlink_to("/dev/full")
        notes.failed("a")
        assert (True, True) == (notes.poisonous("a"), notes.trouble is not None)
    with PoisonNotes(tmp_path, "2") as notes:
        assert (True, False) == (notes.suspicious("a"), notes.poisonous("a"))


def test_poison_done_that_cannot_be_noted_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails at the end of a group ends no process."""

    def failing(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with PoisonNotes(tmp_path, "1") as notes:
        notes.begin(["a"])
        monkeypatch.setattr(os, "ftruncate", failing)
        notes.done()
        assert f"{tmp_path}: Input/output error" == notes.trouble
