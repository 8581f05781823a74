"""The waits between tries."""

import random

from broker.backoff import Backoff


class Middle(random.Random):
    """A die that always falls in the middle."""

    def uniform(self, a: float, b: float) -> float:
        """Return the middle."""
        return (a + b) / 2


def test_waits_double_to_the_longest_and_begin_again_after_a_reset() -> None:
    """1, 2, 4 … 60 seconds, and 1 again when it went well."""
    backoff = Backoff(dice=Middle())
    assert [1, 2, 4, 8, 16, 32, 60, 60] == [backoff.next_s() for _ in range(8)]
    backoff.reset()
    assert 1 == backoff.next_s()


def test_slow_down_takes_the_longest_wait() -> None:
    """Two clients that fight for one id meet at most once a minute."""
    backoff = Backoff(dice=Middle())
    backoff.slow_down()
    assert 60 == backoff.next_s()


def test_at_most_shortens_a_long_wait_and_leaves_a_short_one() -> None:
    """What was accepted, if only for a moment, is tried again soon."""
    backoff = Backoff(dice=Middle())
    backoff.at_most(4)
    assert [1, 2, 4, 8] == [backoff.next_s() for _ in range(4)]
    backoff.at_most(4)
    assert [4, 8] == [backoff.next_s(), backoff.next_s()]


def test_waits_are_spread_by_a_quarter() -> None:
    """A thousand clients do not come back in the same moment."""
    waits = [Backoff(dice=random.Random(seed)).next_s() for seed in range(1000)]
    assert 0.75 <= min(waits) < 0.8
    assert 1.2 < max(waits) <= 1.25
