"""Whom to ask about next, and what the answers say of all images."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.estimates import Estimate
from store.sampling import (
    STRATA,
    Stratum,
    answers_needed,
    next_stratum,
    shares,
    stratum_of,
    true_accuracy,
)

Image = tuple[int, float, bool]
"""An image of a simulation: its stratum, its confidence, whether its label is right."""


def garments(rng: random.Random, images: int, too_confident: float = 0.0) -> list[Image]:
    """A skewed population: most images clear, few doubtful, 3 % suspect and worse than they say."""
    made = []
    for _ in range(images):
        confidence = 1 - 0.55 * rng.betavariate(0.25, 2)
        suspect, disagreed = rng.random() < 0.03, rng.random() < (0.3 if confidence < 0.9 else 0.005)
        truly = confidence - too_confident * (1 - confidence) - 0.3 * suspect
        place = stratum_of(confidence, suspect=suspect, disagreed=disagreed)
        made.append((place, confidence, rng.random() < truly))
    return made


def unanswered(images: list[Image]) -> list[Stratum]:
    """The strata before anybody was asked."""
    return [
        Stratum(sum(place == index for place, _, _ in images), sum(p for at, p, _ in images if at == index))
        for index in range(len(STRATA))
    ]


def review(
    rng: random.Random, images: list[Image], stop: Callable[[list[Stratum]], bool]
) -> tuple[list[Stratum], Estimate]:
    """Ask as the review page does, until `stop` says so or everything was asked."""
    waiting = [[right for place, _, right in images if place == index] for index in range(len(STRATA))]
    for some in waiting:
        rng.shuffle(some)
    strata = unanswered(images)
    while not stop(strata) and (index := next_stratum(strata)) is not None:
        one = strata[index]
        strata[index] = replace(one, asked=one.asked + 1, right=one.right + waiting[index].pop())
    return strata, true_accuracy(strata)


def after(answers: int) -> Callable[[list[Stratum]], bool]:
    """Stop after so many answers."""
    return lambda strata: sum(one.asked for one in strata) >= answers


def within_two_points(strata: list[Stratum]) -> bool:
    """Stop at an interval of ± 0.02."""
    found = true_accuracy(strata)
    return found.enough and (found.value or 0) - (found.low or 0) <= 0.02


@pytest.mark.parametrize(
    ("confidence", "suspect", "disagreed", "name"),
    [
        (0.99, True, True, "disagreement"),
        (0.99, True, False, "suspect"),
        (0.0, False, False, "below 0.5"),
        (0.5, False, False, "0.5-0.7"),
        (0.7, False, False, "0.7-0.9"),
        (0.9, False, False, "0.9-0.98"),
        (0.98, False, False, "0.98-1"),
        (1.0, False, False, "0.98-1"),
    ],
)
def test_stratum_of(confidence: float, suspect: bool, disagreed: bool, name: str) -> None:  # noqa: FBT001
    """A disagreement comes before a suspicion, a suspicion before any confidence."""
    assert name == STRATA[stratum_of(confidence, suspect=suspect, disagreed=disagreed)]


def test_shares_follow_neyman() -> None:
    """Twice the images get twice the questions, clear ones fewer, empty ones none."""
    found = shares([Stratum(1000, 500), Stratum(2000, 1000), Stratum(), Stratum(1000, 990)])
    assert sum(found) == pytest.approx(1)
    assert found[2] == 0
    assert found[1] > 1.8 * found[0]
    assert found[0] > 1.5 * found[3] > 0


def test_shares_follow_the_answers() -> None:
    """A stratum that turns out worse than its confidence gets more questions."""
    before = shares([Stratum(1000, 990), Stratum(1000, 800)])
    answered = shares([Stratum(1000, 990, asked=50, right=25), Stratum(1000, 800)])
    assert answered[0] > before[0]


def test_next_stratum_is_the_one_furthest_behind() -> None:
    """The answers fill the shares, and a stratum without an image left is passed over."""
    doubtful, clear = Stratum(100, 60), Stratum(100, 99)
    assert next_stratum([clear, doubtful]) == 1
    assert next_stratum([clear, replace(doubtful, asked=50, right=30)]) == 0
    assert next_stratum([replace(clear, asked=100, right=99), replace(doubtful, asked=99, right=60)]) == 1


def test_next_stratum_when_everything_was_asked() -> None:
    """There is nothing to ask of nothing, nor of images that all have their answer."""
    assert next_stratum([]) is None
    assert next_stratum([Stratum(), Stratum(5, 4.0, 5, 4)]) is None


def test_every_stratum_is_asked() -> None:
    """However clear a stratum looks, two hundred answers reach it."""
    strata, _ = review(random.Random(1), garments(random.Random(1), 3000), after(200))
    assert [] == [one for one in strata if one.images and not one.asked]


def test_true_accuracy_below_thirty_answers() -> None:
    """Twenty-nine answers are not enough data, thirty are."""
    assert Estimate(None, None, None, 29) == true_accuracy([Stratum(100, 90, 29, 29)])
    assert true_accuracy([Stratum(100, 90, 30, 30)]).enough
    assert Estimate(None, None, None, 0) == true_accuracy([])


def test_true_accuracy_weighs_strata_by_their_images() -> None:
    """Ten times as many answers about the doubtful images do not make all images doubtful."""
    found = true_accuracy([Stratum(100, 60, 50, 25), Stratum(900, 890, 20, 20)])
    assert found.value == pytest.approx(0.95)
    assert found.images == 70


def test_true_accuracy_of_images_all_asked() -> None:
    """An interval over images that all have their answer is closed, also below thirty."""
    assert Estimate(0.8, 0.8, 0.8, 10) == true_accuracy([Stratum(10, 9.0, 10, 8)])


def test_true_accuracy_with_known_labels() -> None:
    """Labels known by choice count for their own images and leave the others' estimate alone."""
    strata = [Stratum(900, 890, 100, 90)]
    alone, found = true_accuracy(strata), true_accuracy(strata, known_images=100, known_right=0)
    assert found.value == pytest.approx(0.9 * 0.9)
    assert found.images == 200
    assert (found.high or 0) - (found.low or 0) == pytest.approx(
        0.9 * ((alone.high or 0) - (alone.low or 0)), rel=0.01
    )


def test_true_accuracy_of_a_stratum_without_answers() -> None:
    """It stands in with its confidence, and as uncertain as after one answer."""
    found = true_accuracy([Stratum(500, 450, 200, 180), Stratum(500, 450)])
    assert found.value == pytest.approx(0.9)
    assert (found.value or 0) - (found.low or 0) > 0.4


def test_right_answers_only_leave_a_width() -> None:
    """Thirty right answers of thirty do not prove that all images are right."""
    found = true_accuracy([Stratum(10_000, 9900, 30, 30)])
    assert found.value == 1
    assert 0.9 < (found.low or 0) < 0.98


@pytest.mark.parametrize("too_confident", [0.0, 1.0])
@pytest.mark.parametrize("answers", [60, 250])
def test_true_accuracy_covers_the_truth(too_confident: float, answers: int) -> None:
    """About 95 % of intervals hold the truth, asked by strata, whether or not the confidence is honest."""
    rng = random.Random(4)
    inside, runs = 0, 100
    for _ in range(runs):
        images = garments(rng, 1500, too_confident)
        _, found = review(rng, images, after(answers))
        truth = sum(right for _, _, right in images) / len(images)
        inside += (found.low or 0) <= truth <= (found.high or 0)
    assert inside >= 0.9 * runs


def test_true_accuracy_is_hardly_biased() -> None:
    """Asking by strata while answers shift the shares moves the estimate by less than half a point."""
    rng = random.Random(5)
    off = []
    for _ in range(100):
        images = garments(rng, 1500, 1.0)
        _, found = review(rng, images, after(200))
        off.append((found.value or 0) - sum(right for _, _, right in images) / len(images))
    assert abs(sum(off) / len(off)) < 0.005


def test_strata_need_fewer_answers_than_chance() -> None:
    """For ± 2 points, strata need less than three quarters of what a plain random sample needs."""
    rng = random.Random(6)
    images = garments(rng, 6000)
    accuracy = sum(right for _, _, right in images) / len(images)
    endless = 1.96**2 * accuracy * (1 - accuracy) / 0.02**2
    plain = endless / (1 + endless / len(images))

    strata, _ = review(rng, images, within_two_points)
    assert sum(one.asked for one in strata) < 0.75 * plain


def test_answers_needed_are_what_it_takes() -> None:
    """A forecast made after sixty answers is right within a sixth on average; single ones scatter."""
    forecast, taken = 0, 0
    for seed in range(20):
        rng = random.Random(seed)
        images = garments(rng, 2000)
        strata, _ = review(rng, images, after(60))
        forecast += answers_needed(strata, 0.02)
        strata, _ = review(rng, images, within_two_points)
        taken += sum(one.asked for one in strata) - 60
    assert forecast == pytest.approx(taken, rel=1 / 6)


def test_answers_needed_when_there_are_enough() -> None:
    """Nothing is needed for a width that is reached; below thirty answers at least the rest of them."""
    assert answers_needed([Stratum(1000, 900, 500, 450)], 0.05) == 0
    assert answers_needed([Stratum(1000, 900, 10, 9)], 0.5) == 20
    assert answers_needed([]) == 0


@given(
    st.lists(st.tuples(st.integers(0, 5000), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)), max_size=7),
    st.floats(0.001, 0.2),
)
def test_answers_needed_suffice(drawn: list[tuple[int, float, float, float]], half_width: float) -> None:
    """The forecast never exceeds the images not asked, and a wider interval never needs more answers."""
    strata = []
    for images, confidence, asked, right in drawn:
        answers = int(images * asked)
        strata.append(Stratum(images, images * confidence, answers, int(answers * right)))
    found = answers_needed(strata, half_width)
    assert 0 <= found <= sum(one.unasked for one in strata)
    assert found >= answers_needed(strata, 2 * half_width)
    chosen = next_stratum(strata)
    assert (chosen is None) == (not any(one.unasked for one in strata))
