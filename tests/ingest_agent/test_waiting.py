"""Files that are not whole yet, and how long to wait for them."""

from ingest_agent.reading import Stat
from ingest_agent.waiting import HOLD_S, Patience, WaitingRoom


def test_file_is_due_once_for_each_time_it_is_put() -> None:
    """Putting it twice to the same time makes it due once."""
    room = WaitingRoom()
    room.put(b"f/a", 1.0, 0.0)
    room.put(b"f/a", 1.0, 0.0)
    assert [b"f/a"] == [file.relative for file in room.due(1.0, 10)]
    assert [] == room.due(2.0, 10)
    assert b"f/a" in room


def test_latest_time_counts() -> None:
    """A file that was put off is not due before."""
    room = WaitingRoom()
    room.put(b"a", 1.0, 0.0)
    room.put(b"a", 5.0, 0.0)
    assert (5.0, []) == (room.next_due(), room.due(4.0, 10))


def test_first_sight_is_kept() -> None:
    """Putting a file again does not make it younger."""
    room = WaitingRoom()
    room.put(b"a", 1.0, 0.0)
    again = room.put(b"a", 9.0, 8.0)
    assert again is not None
    assert (0.0, 0.0) == (again.first_seen, again.since)


def test_full_room_turns_away() -> None:
    """What is in stays in; what is turned away is noted."""
    room = WaitingRoom(places=2)
    assert all(room.put(name, 1.0, 0.0) for name in (b"a", b"b"))
    assert room.put(b"c", 1.0, 0.0) is None
    assert room.put(b"a", 2.0, 0.0) is not None
    assert (True, 2) == (room.turned_away, len(room))


def test_folder_is_held_by_its_files_for_a_while() -> None:
    """A file that never comes to rest does not hold its folder's job for ever."""
    room = WaitingRoom()
    room.put(b"f/a", 1.0, 0.0)
    assert (True, False) == (room.holds(b"f", 1.0), room.holds(b"g", 1.0))
    assert not room.holds(b"f", HOLD_S)
    room.remove(b"f/a")
    room.put(b"loose", 1.0, 0.0)
    assert (False, True) == (room.holds(b"f", 1.0), room.holds(b"", 1.0))


def test_removed_file_is_never_due() -> None:
    """Its places in the order are passed over."""
    room = WaitingRoom()
    room.put(b"a", 1.0, 0.0)
    room.remove(b"a")
    assert ([], None, 0) == (room.due(2.0, 10), room.next_due(), len(room))
    assert room.remove(b"a") is None


def test_stillness_is_what_was_seen_or_what_the_clock_says() -> None:
    """An old file need not be watched; a file from the future must be."""
    patience = Patience(settle_s=1.0, give_up_s=5.0)
    old, future = Stat(1, 990 * 10**9, 1), Stat(1, 2000 * 10**9, 1)
    assert 10.0 == patience.still_s(old, since=50.0, now=50.0, wall_s=1000.0)
    assert 3.0 == patience.still_s(future, since=50.0, now=53.0, wall_s=1000.0)


def test_clock_of_a_file_server_is_trusted_less() -> None:
    """With a margin of a minute, ten seconds of age are none."""
    patience = Patience(1.0, 5.0, clock_margin_s=60.0)
    assert 0.0 == patience.still_s(Stat(1, 990 * 10**9, 1), since=50.0, now=50.0, wall_s=1000.0)


def test_patience_has_two_ends() -> None:
    """Settled after one second, hopeless after five."""
    patience = Patience(1.0, 5.0)
    assert [False, True, True] == [patience.is_settled(s) for s in (0.9, 1.0, 5.0)]
    assert [False, False, True] == [patience.is_hopeless(s) for s in (0.9, 1.0, 5.0)]
