"""When the inbox is walked, and what waits for it."""

import os
from pathlib import Path

import pytest

from broker.places import Ignored
from ingest_agent.rounds import Rounds
from ingest_agent.scanner import Walk


@pytest.fixture
def rounds(tmp_path: Path) -> Rounds:
    """Rounds every 30 s through a tree of two folders with two files each."""
    for folder in "fg":
        (tmp_path / folder).mkdir()
        for name in "ab":
            (tmp_path / folder / name).touch()
    return Rounds(lambda start: Walk(os.fsencode(tmp_path), Ignored(()), start), 30.0)


def paths(rounds: Rounds, room: int, now: float) -> list[bytes]:
    """Walk on and return what came."""
    return [entry.relative for entry in rounds.step(room, now)]


def test_nothing_is_walked_before_the_beginning(rounds: Rounds) -> None:
    """No inbox, no round."""
    assert ([], False, None) == (paths(rounds, 10, 0.0), rounds.walking, rounds.next_due())


def test_round_goes_through_everything_in_steps(rounds: Rounds) -> None:
    """As far as there is room; the next one comes after its time."""
    rounds.begin(0.0, set())
    assert 3 == len(paths(rounds, 3, 0.0))
    assert rounds.walking
    assert 1 == len(paths(rounds, 10, 1.0))
    assert (1, 31.0, False) == (rounds.rounds, rounds.next_due(), rounds.walking)


def test_dear_rounds_are_rare(rounds: Rounds) -> None:
    """A round of four seconds rests for eighty: a twentieth of the time at most."""
    rounds.begin(0.0, set())
    paths(rounds, 2, 0.0)
    rounds.spent(4.0)
    paths(rounds, 10, 5.0)
    assert 85.0 == rounds.next_due()


def test_single_folders_come_first(rounds: Rounds) -> None:
    """One that was renamed in has whole files."""
    rounds.begin(0.0, set())
    rounds.look_into(b"g", whole=True)
    rounds.look_into(b"g", whole=False)
    steps = rounds.step(2, 0.0)
    assert next(steps).relative.startswith(b"g/")
    assert rounds.in_whole_folder
    assert 1 == len(list(steps))
    assert 4 == len(paths(rounds, 10, 0.0))
    assert not rounds.in_whole_folder


def test_folders_wait_until_the_walk_has_passed(rounds: Rounds) -> None:
    """Their jobs do not close while a walk may still find files in them."""
    rounds.begin(0.0, {b"f", b"g"})
    assert rounds.may_find_in(b"f")
    first = paths(rounds, 3, 0.0)[0][:1]
    other = b"g" if first == b"f" else b"f"
    assert (False, True) == (rounds.may_find_in(first), rounds.may_find_in(other))
    paths(rounds, 10, 0.0)
    assert not rounds.may_find_in(other)


def test_loss_during_a_round_wants_another_one(rounds: Rounds) -> None:
    """What was passed already counts as not visited."""
    rounds.begin(0.0, set())
    paths(rounds, 3, 0.0)
    rounds.begin(0.5, {b"f", b"g"})
    paths(rounds, 1, 0.6)
    paths(rounds, 0, 0.6)
    assert rounds.may_find_in(b"f")
    assert rounds.may_find_in(b"g")
    paths(rounds, 10, 0.7)
    assert 2 == rounds.rounds
    assert not rounds.may_find_in(b"f")


def test_haste_brings_the_next_round_forward(rounds: Rounds) -> None:
    """And never puts it off."""
    rounds.begin(0.0, set())
    paths(rounds, 10, 0.0)
    rounds.hasten(5.0)
    rounds.hasten(50.0)
    assert 5.0 == rounds.next_due()


def test_haste_does_not_make_dear_rounds_frequent(rounds: Rounds) -> None:
    """A folder that cannot be read must not cost more than a twentieth of the time either."""
    rounds.begin(0.0, set())
    paths(rounds, 2, 0.0)
    rounds.spent(1.0)
    paths(rounds, 10, 0.0)
    rounds.hasten(5.0)
    assert 20.0 == rounds.next_due()


def test_halt_leaves_everything(rounds: Rounds) -> None:
    """The inbox is gone: nothing is walked until the next beginning."""
    rounds.begin(0.0, set())
    rounds.look_into(b"f", whole=False)
    paths(rounds, 1, 0.0)
    rounds.halt()
    assert ([], False, None) == (paths(rounds, 10, 99.0), rounds.walking, rounds.next_due())


def test_walks_after_trouble_come_less_and_less_often(rounds: Rounds) -> None:
    """Each wait is twice the one before, a minute at most; after a calm minute the first is short again."""
    now, waits = 0.0, []
    for _ in range(9):
        rounds.begin_after_trouble(now)
        rounds.begin_after_trouble(now + 0.1)  # no new wait while one is under way
        due = rounds.next_due()
        assert due is not None
        waits.append(due - now)
        now = due
    assert [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0] == waits
    rounds.begin_after_trouble(now + 61.0)
    assert now + 61.5 == rounds.next_due()
