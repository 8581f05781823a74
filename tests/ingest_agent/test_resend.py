"""The resend timer follows RFC 6298."""

from hypothesis import given
from hypothesis import strategies as st

from ingest_agent.resend import JITTER, RoundTrip

SECONDS = st.floats(0.0, 1000.0)


def even() -> float:
    """Return the chance that makes no jitter."""
    return 0.5


@given(st.lists(SECONDS), st.integers(0, 50), st.floats(0, 1, exclude_max=True))
def test_timeout_stays_in_its_bounds(samples: list[float], timeouts: int, chance: float) -> None:
    """Whatever was measured, it is between the shortest and the longest, give or take a quarter."""
    timer = RoundTrip(1.0, 60.0, lambda: chance)
    for sample in samples:
        timer.measured(sample)
    assert 1.0 * (1 - JITTER) <= timer.timeout_s(timeouts) <= 60.0 * (1 + JITTER)


@given(st.lists(SECONDS, min_size=1))
def test_smoothed_mean_stays_among_the_samples(samples: list[float]) -> None:
    """The mean is a mean."""
    timer = RoundTrip(1.0, 60.0)
    for sample in samples:
        timer.measured(sample)
    assert timer.srtt_s is not None
    assert min(samples) - 1e-6 <= timer.srtt_s <= max(samples) + 1e-6


def test_first_sample_counts_fully() -> None:
    """RFC 6298, 2.2: SRTT is R, RTTVAR is R/2, so the timeout is three times the round trip."""
    timer = RoundTrip(0.1, 60.0, even)
    timer.measured(2.0)
    assert (2.0, 1.0, 6.0) == (timer.srtt_s, timer.rttvar_s, timer.timeout_s())


def test_second_sample_is_smoothed() -> None:
    """RFC 6298, 2.3, with an eighth and a quarter."""
    timer = RoundTrip(0.1, 60.0, even)
    timer.measured(2.0)
    timer.measured(4.0)
    assert (2.25, 1.25) == (timer.srtt_s, timer.rttvar_s)


def test_timeout_doubles_up_to_the_longest() -> None:
    """1, 2, 4, ... 60 seconds."""
    timer = RoundTrip(1.0, 60.0, even)
    assert [1, 2, 4, 8, 16, 32, 60, 60] == [timer.timeout_s(n) for n in range(8)]


def test_doubling_stays_until_a_valid_sample() -> None:
    """Karn: after a timeout the next batches wait longer as well, until one is answered at once."""
    timer = RoundTrip(1.0, 60.0, even)
    timer.timed_out(3)
    assert 8.0 == timer.timeout_s()
    timer.measured(0.01)
    assert 1.0 == timer.timeout_s()


def test_fresh_start_forgets_the_doubling() -> None:
    """Whoever did not answer is there again."""
    timer = RoundTrip(1.0, 60.0, even)
    timer.timed_out(5)
    timer.fresh_start()
    assert 1.0 == timer.timeout_s()
