"""When something is not as it should be, by rule."""

import pytest

from broker.settings import Monitor
from store.estimates import Sums
from store.rules import Figures, Judgement, OneClass, judged

EXPECTED = {
    "accuracy": 0.95,
    "calibration_error": 0.01,
    "classes": {"Bag": {"accuracy": 0.98, "share": 0.5}, "Shirt": {"accuracy": 0.8, "share": 0.5}},
    "statistics": {"brightness": {"edges": [1, 2], "classes": {"Bag": [0.5, 0.3, 0.2]}}},
}


def sums(images: int, confidence: float) -> Sums:
    """Return the sums of images that are all equally sure."""
    return Sums(images, images * confidence, images * confidence * (1 - confidence))


def verdicts(figures: Figures, **bounds: object) -> dict[tuple[str, str], bool]:
    """Return whether each judged subject is bad."""
    return {word.key: word.bad for word in judged(figures, Monitor(**bounds))}  # type: ignore[arg-type]


def only(rule: str, figures: Figures, **bounds: object) -> Judgement:
    """Return the one judgement of a rule."""
    (found,) = [word for word in judged(figures, Monitor(**bounds)) if word.rule == rule]  # type: ignore[arg-type]
    return found


def test_nothing_is_judged_without_data() -> None:
    """A new database has no alert, whatever the bounds; reviews are counted from the first model on."""
    assert [] == judged(Figures(), Monitor())
    assert {("retrain", ""): False} == verdicts(Figures(model="m1", expectations=EXPECTED))


def test_expected_accuracy_is_held_to_the_bundle() -> None:
    """Bad is an interval that lies wholly below what validation gave, less the margin; suspects are apart."""
    good = Figures(images=200, classes={"Bag": sums(200, 0.93)}, expectations=EXPECTED)
    bad = Figures(images=200, classes={"Bag": sums(200, 0.8)}, expectations=EXPECTED)

    assert verdicts(good)["expected-accuracy", ""] is False
    found = only("expected-accuracy", bad)
    assert found.bad
    assert [0.8, 0.9] == pytest.approx([found.value, found.bound])
    assert "expected accuracy 80.0 % (73.5 % to 86.5 %) of 200 images, below 90.0 %" == found.detail.replace(
        "%", " %"
    )


def test_too_few_images_are_no_alert() -> None:
    """Below the least the rule says nothing: neither that it is bad nor that it is well."""
    few = Figures(images=49, classes={"Bag": sums(49, 0.3)}, expectations=EXPECTED)

    assert ("expected-accuracy", "") not in verdicts(few)


def test_class_has_its_own_threshold() -> None:
    """A shirt may be doubtful where a bag may not; the configuration wins over the bundle."""
    figures = Figures(
        images=400, classes={"Bag": sums(200, 0.8), "Shirt": sums(200, 0.8)}, expectations=EXPECTED
    )

    found = verdicts(figures)
    assert (True, False) == (found["class-accuracy", "Bag"], found["class-accuracy", "Shirt"])
    found = verdicts(figures, class_accuracy=("Bag=0.7", "Shirt=0.95"))
    assert (False, True) == (found["class-accuracy", "Bag"], found["class-accuracy", "Shirt"])


def test_without_expectations_only_configured_bounds_count() -> None:
    """A bundle that does not say what it reached cannot fall below it."""
    figures = Figures(images=200, classes={"Bag": sums(200, 0.5)})

    assert ("expected-accuracy", "") not in verdicts(figures)
    assert verdicts(figures, expected_accuracy=0.9)["expected-accuracy", ""] is True


def test_suspects_and_failures_above_their_share() -> None:
    """Failures count against all images seen, suspects against those with an answer."""
    figures = Figures(images=80, suspect=20, failed=20)

    found = {word.rule: (word.value, word.bad) for word in judged(figures, Monitor())}
    assert (0.25, True) == found["suspect-share"]
    assert (0.2, True) == found["failure-share"]
    assert "suspect-share" not in {word.rule for word in judged(figures, Monitor(suspect_share=0))}


def test_class_that_swallows_a_job() -> None:
    """The alert names the source and the job; a small job says nothing."""
    job = OneClass("j1", "autumn", "Bag", 0.9, 30)

    found = only("one-class", Figures(largest={"shop": job}))
    assert ("shop", True, "j1") == (found.subject, found.bad, found.job_id)
    assert {} == verdicts(Figures(largest={"shop": OneClass("j1", "autumn", "Bag", 1.0, 29)}))


def test_pixels_that_are_unlike_validation_drift() -> None:
    """The reference is that of the labels that came, so that a folder of bags is no drift by itself."""
    found = [
        verdicts(Figures(statistics={"brightness": counts}, labels={"Bag": 100}, expectations=EXPECTED))
        for counts in ([50, 30, 20], [0, 0, 100])
    ]

    assert [False, True] == [one["input-drift", "brightness"] for one in found]


def test_mix_of_classes_is_held_to_what_came_before() -> None:
    """As soon as there is a window's worth of images before the window."""
    before = {"Bag": 300, "Shirt": 300}
    turned = Figures(before=before, labels={"Bag": 5, "Shirt": 95})

    assert verdicts(turned)["mix-drift", ""] is True
    assert verdicts(Figures(before=before, labels={"Bag": 48, "Shirt": 52}))["mix-drift", ""] is False
    assert {} == verdicts(Figures(before={"Bag": 300}, labels={"Shirt": 100}))


def test_times_above_their_bounds() -> None:
    """Per source: the canary's way, its absence, and images that wait."""
    figures = Figures(
        latencies_s={"shop": 61.0}, canaries_s={"shop": 10.0, "till": 500.0}, backlog_s={"shop": 0.0}
    )

    assert {
        ("latency", "shop"): True,
        ("canary-late", "shop"): False,
        ("canary-late", "till"): True,
        ("backlog", "shop"): False,
    } == verdicts(figures)


def test_disk_is_told_before_the_store_stops() -> None:
    """At twice the room at which it stops."""
    assert verdicts(Figures(free_mb=399.0, least_free_mb=200.0))["disk", ""] is True
    assert verdicts(Figures(free_mb=401.0, least_free_mb=200.0))["disk", ""] is False


def test_enough_reviews_propose_a_candidate() -> None:
    """With the command to type; never means never."""
    figures = Figures(model="m1", reviews=200)

    assert "./tailorbird train --with-reviews" in only("retrain", figures).detail
    assert only("retrain", figures).bad
    assert {} == verdicts(figures, retrain="never")
