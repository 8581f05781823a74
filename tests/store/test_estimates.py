"""Expected accuracy: its interval, the state *not enough data*, and what counts as drift."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.estimates import (
    DRIFTED,
    DRIFTING,
    Estimate,
    Sums,
    chance_stability,
    drift,
    expected_accuracy,
    mixed,
    population_stability,
    to_be_trusted,
)

TENTHS = [0.1] * 10


def sums_of(confidences: list[float]) -> Sums:
    """What the store keeps of these images."""
    return Sums(len(confidences), sum(confidences), sum(p * (1 - p) for p in confidences))


def test_expected_accuracy_is_the_mean_confidence() -> None:
    """The interval is 1.96 standard deviations of the Poisson binomial, and the calibration error beside."""
    found = expected_accuracy(sums_of([0.9] * 400), calibration_error=0.01, least_images=30)
    assert found.value == pytest.approx(0.9)
    assert found.low == pytest.approx(0.9 - 1.96 * 0.015 - 0.01)
    assert found.high == pytest.approx(0.9 + 1.96 * 0.015 + 0.01)
    assert found.images == 400
    assert found.enough


@pytest.mark.parametrize(("images", "least"), [(29, 30), (0, 0)])
def test_expected_accuracy_of_few_images(images: int, least: int) -> None:
    """Below the least, and of no image at all, there is not enough data."""
    found = expected_accuracy(sums_of([0.9] * images), calibration_error=0.01, least_images=least)
    assert Estimate(None, None, None, images) == found
    assert not found.enough


def test_expected_accuracy_more_images_leave_the_calibration_error() -> None:
    """A million images narrow chance away; what calibration misses stays."""
    found = expected_accuracy(Sums(1_000_000, 900_000, 90_000), calibration_error=0.02, least_images=30)
    assert found.low == pytest.approx(0.88, abs=0.001)
    assert found.high == pytest.approx(0.92, abs=0.001)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50), st.floats(0, 1))
def test_expected_accuracy_stays_a_share(confidences: list[float], error: float) -> None:
    """Whatever the confidences are, 0 <= low <= value <= high <= 1."""
    found = expected_accuracy(sums_of(confidences), calibration_error=error, least_images=1)
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.value <= found.high <= 1


@given(st.lists(st.floats(0, 1), max_size=20), st.lists(st.floats(0, 1), max_size=20))
def test_sums_add_up(ones: list[float], others: list[float]) -> None:
    """The sums of two jobs together are the sums of all their images."""
    together, all_at_once = sums_of(ones) + sums_of(others), sums_of(ones + others)
    assert together.images == all_at_once.images
    assert together.confidence == pytest.approx(all_at_once.confidence)
    assert together.variance == pytest.approx(all_at_once.variance)


def test_expected_accuracy_covers_the_truth() -> None:
    """Of 1,000 calibrated jobs about 95 % have their true accuracy in the interval, without a widening."""
    rng = random.Random(1)
    inside = 0
    for _ in range(1000):
        confidences = [1 - 0.5 * rng.betavariate(0.3, 2) for _ in range(200)]
        truth = sum(rng.random() < p for p in confidences) / 200
        found = expected_accuracy(sums_of(confidences), calibration_error=0.0, least_images=30)
        inside += (found.low or 0) <= truth <= (found.high or 0)
    assert 900 <= inside <= 990


def test_population_stability_of_the_same_shares() -> None:
    """Equal shares have an index of 0, empty bins on both sides included."""
    assert population_stability([0.5, 0.5, 0.0], [70, 70, 0]) == pytest.approx(0)


def test_population_stability_by_hand() -> None:
    """The index is sum (a - r) ln(a / r), half an image more in each bin hardly moves it."""
    assert population_stability([0.5, 0.5], [60_000, 40_000]) == pytest.approx(0.0405, abs=0.0001)


def test_population_stability_of_an_empty_bin_is_finite() -> None:
    """A class that has vanished is a large drift, not an infinite one."""
    assert DRIFTED < population_stability([0.5, 0.5], [100, 0]) < 10


def test_population_stability_of_other_bins() -> None:
    """Counts of other bins than the reference's are refused."""
    with pytest.raises(ValueError, match="zip"):
        population_stability([0.5, 0.5], [1, 2, 3])


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=12), st.data())
def test_population_stability_is_never_negative(counts: list[int], data: st.DataObject) -> None:
    """No pair of distributions has an index below 0."""
    share = st.floats(0, 1)
    reference = data.draw(st.lists(share, min_size=len(counts), max_size=len(counts)))
    assert population_stability(reference, counts) >= 0


def counted(rng: random.Random, images: int) -> list[int]:
    """Counts of a sample of the reference itself."""
    places = [rng.randrange(10) for _ in range(images)]
    return [places.count(place) for place in range(10)]


@pytest.mark.parametrize("images", [100, 1000])
def test_population_stability_by_chance(images: int) -> None:
    """Samples of the reference itself have on average the index that chance is said to give."""
    rng = random.Random(2)
    found = [population_stability(TENTHS, counted(rng, images)) for _ in range(300)]
    assert sum(found) / 300 == pytest.approx(chance_stability(10, images), rel=0.15)


def test_drift_of_a_small_sample_is_none() -> None:
    """A hundred images of the same kind are hardly ever called drifting, though their index often is."""
    rng = random.Random(3)
    samples = [counted(rng, 100) for _ in range(300)]
    called = sum((drift(TENTHS, counts, least_images=30) or 0) > DRIFTING for counts in samples)
    assert called <= 12
    assert sum(population_stability(TENTHS, counts) > DRIFTING for counts in samples) > 60


def test_drift_of_few_images() -> None:
    """Below the least there is no figure; of the same shares it is 0."""
    assert drift(TENTHS, [1] * 10, least_images=30) is None
    assert drift(TENTHS, [0] * 10, least_images=0) is None
    assert drift(TENTHS, [3] * 10, least_images=30) == 0


def test_drift_of_another_kind() -> None:
    """Images of half the bins only are another population."""
    assert (drift(TENTHS, [20] * 5 + [0] * 5, least_images=30) or 0) > DRIFTED


def test_mixed_reference_follows_the_labels() -> None:
    """A folder of bags is compared with bags: the class mix is taken out; unknown labels do not count."""
    references = {"Bag": [0.2, 0.8], "Coat": [1.0, 0.0]}
    assert mixed(references, {"Bag": 10, "Coat": 0}) == [0.2, 0.8]
    assert mixed(references, {"Bag": 10, "Coat": 10, "Hat": 5}) == pytest.approx([0.6, 0.4])
    assert mixed(references, {"Hat": 5}) == []


def test_to_be_trusted() -> None:
    """Many suspects or a drift beyond the bound forbid belief; a drift nobody could measure does not."""
    assert to_be_trusted(0.1, [None, 0.25])
    assert not to_be_trusted(0.11, [])
    assert not to_be_trusted(0.0, [None, 0.26])
