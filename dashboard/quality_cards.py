"""The headline figures of the page of quality."""

from nicegui import html

from dashboard.frame import card
from dashboard.quality_sections import Found
from dashboard.words import NONE, count, percent
from store.estimates import Estimate
from store.review_queue import Standing
from store.sampling import LEAST_ASKED

REVIEWED = "Accuracy in reviews"
GOAL = 0.01


def first(found: Found) -> None:
    """Make the card of the expected accuracy."""
    estimate, bound = found.quality.expected, found.trends.bound
    if not estimate.enough:
        least = found.monitor.least_images
        card(
            "Expected accuracy",
            NONE,
            f"{count(estimate.images, 'images')} that are not suspect; it takes {least}",
        )
        return
    side = "" if not bound else "; above" if (estimate.value or 0) >= bound else "; below"
    known = f"{side} the {percent(bound)} that are expected" if bound else ""
    whole = f"{_interval(estimate)}, all {count(estimate.images, 'images')} together"
    card("Expected accuracy", percent(estimate.value), f"{whole}{known}")


def others(found: Found) -> None:
    """Make the other cards."""
    h, alerts = found.quality.headline, found.quality.alerts
    opened = sum(one.state == "open" for one in alerts)
    sign, kind = ("\N{WARNING SIGN} ", "bad") if opened else ("", "")
    card("Open alerts", f"{sign}{count(opened)}", f"{count(len(alerts) - opened)} closed in the period", kind)
    card("Images answered", count(h.stored), f"of {count(h.images)} seen, in {count(h.jobs, 'jobs')}")
    card("Suspect", count(h.suspect), f"{percent(h.suspect / h.stored)} of them" if h.stored else "")
    answered = h.stored + h.failed
    card("Failed", count(h.failed), f"{percent(h.failed / answered)} of the files" if answered else "")
    timed = list(found.quality.speed.values())
    images, seconds = sum(one.images for one in timed), sum(one.process_s for one in timed)
    if seconds:
        card("Speed", count(round(images / seconds), "images/s"), "from first seen to last answered")


def before_counting(found: Found, *, counting: bool) -> None:
    """Fill the card of the true accuracy with what is known at once."""
    reviewed, scope = found.quality.reviewed, found.quality.scope
    if counting:
        _fill("\N{HORIZONTAL ELLIPSIS}", "counting the images")
    elif not reviewed.images:
        _fill(NONE, f"nobody has looked: {LEAST_ASKED} answers are needed")
        html.dd().classes("more")
        html.a("Review", href="/review")
    else:
        right = f"{count(reviewed.right)} of {count(reviewed.images, 'reviewed images')}"
        why = "one source" if scope.source else "a period with an end"
        _fill(percent(reviewed.right / reviewed.images), f"{right}; for all images it is not told of {why}")


def counted(found: Found, standing: Standing | None) -> None:
    """Fill it with what the answers say of all images."""
    if standing is None:
        _fill(NONE, "it could not be counted: load the page again")
        return
    estimate, needed = standing.accuracy, standing.needed(GOAL)
    more = f"about {count(needed)} more make it ± 1 %" if needed else "as sure as ± 1 %"
    if estimate.enough:
        _fill(
            percent(estimate.value), f"{_interval(estimate)}, by {count(estimate.images, 'answers')}; {more}"
        )
        return
    right = found.quality.reviewed
    _fill(NONE, f"{count(right.drawn)} of {LEAST_ASKED} answers that chance draws; {more}")


def _fill(value: str, more: str) -> None:
    html.dt(REVIEWED)
    html.dd(value)
    html.dd(more).classes("more")


def _interval(estimate: Estimate) -> str:
    return f"{percent(estimate.low)} to {percent(estimate.high)}"
