"""Alerts on the page of quality: what each means, what to do, and which plot it is about."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dashboard.plots import Mark
from store.queries import AlertRow

ByPlot = Mapping[str, Sequence[AlertRow]]


@dataclass(frozen=True)
class Rule:
    """A kind of alert: its name for people, its plot ("" for none), what it means, what next, and where."""

    name: str
    plot: str
    means: str
    next: str
    page: str = ""
    address: str = ""


REVIEW = ("Review", "/review")
JOBS = ("Jobs", "/jobs")
TODAY = ("Today", "/")
RULES = {
    "expected-accuracy": Rule(
        "Expected accuracy",
        "expected-accuracy",
        "The model is less sure of the latest images than it was right on its validation images.",
        "Answer some questions: only people's answers tell whether it is wrong as often as that.",
        *REVIEW,
    ),
    "class-accuracy": Rule(
        "Accuracy of a class",
        "confidence",
        "The model is less sure of images with this label than it was right on its validation images.",
        "Answer questions about this class, and look which other label it is confused with.",
        *REVIEW,
    ),
    "suspect-share": Rule(
        "Suspect images",
        "suspect",
        "More images than usual do not look like a photo of one garment.",
        "Open the latest job and choose Suspect: each image says what is doubted.",
        *JOBS,
    ),
    "failure-share": Rule(
        "Failed files",
        "failed",
        "More files than usual could not become a prediction.",
        "Open the latest job: its failures stand there with their reasons.",
        *JOBS,
    ),
    "one-class": Rule(
        "One class",
        "mix",
        "One label took nearly all images of a job: so it looks when the model is fed what it never saw.",
        "Look at the job's images. If they are what the label says, all is well.",
        *JOBS,
    ),
    "input-drift": Rule(
        "Pixels have drifted",
        "pixels",
        "The pixels differ from the validation images of the same labels: another camera, light or ground.",
        "Look at the latest images as the model saw them, and answer some questions about them.",
        *REVIEW,
    ),
    "mix-drift": Rule(
        "Mix has drifted",
        "mix-drift",
        "Other classes come in than before, or the model calls them otherwise.",
        "If the assortment has changed, all is well. If not, look at the classes that grew.",
        *JOBS,
    ),
    "latency": Rule("Latency", "latency", "A known picture took too long for the whole way.",
                    "See what waits.", *TODAY),
    "backlog": Rule("Backlog", "speed", "Images have waited too long for their row.",
                    "See which service is not well.", *TODAY),
    "canary-late": Rule("Canary is late", "", "A known picture has not come back: images do not flow.",
                        "See which service is not well.", *TODAY),
    "disk": Rule("Disk", "", "The database's disk has little room left.",
                 "Make room, or keep less: [upkeep] says how.", "System", "/system"),
    "retrain": Rule("Time to retrain", "", "People gave enough answers for a better model to learn from.",
                    "Train a candidate with the command above; the gate compares it.", "Models", "/models"),
}  # fmt: skip
UNKNOWN = Rule("Alert", "", "", "")


def rule_of(alert: AlertRow) -> Rule:
    """Return what is known of an alert's rule."""
    return RULES.get(alert.rule, UNKNOWN)


def title_of(alert: AlertRow) -> str:
    """Return an alert's name: its rule, and what it is about."""
    name = rule_of(alert).name if alert.rule in RULES else alert.rule
    return f"{name}: {alert.subject}" if alert.subject else name


def anchor(name: str, part: str = "") -> str:
    """Return the place of a plot, or of one panel of it, on the page."""
    return name + ("-" + re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") if part else "")


def place_of(alert: AlertRow) -> str:
    """Return the place of the plot that an alert is about, "" for none."""
    plot = rule_of(alert).plot
    return anchor(plot, alert.subject if plot in {"confidence", "pixels"} else "") if plot else ""


def by_plot(alerts: Iterable[AlertRow]) -> ByPlot:
    """Return the alerts by the place of the plot that they are about."""
    found: dict[str, list[AlertRow]] = defaultdict(list)
    for one in alerts:
        if place := place_of(one):
            found[place].append(one)
    return found


def marks(alerts: Sequence[AlertRow], steps: Sequence[str]) -> list[Mark]:
    """Return the columns during which each alert was open, where there are steps; the first before all."""
    if not steps:
        return []
    return [
        Mark(
            _column(one.opened_at, steps),
            _column(one.closed_at, steps) if one.closed_at else len(steps) - 1,
            f"{title_of(one)}, {one.state}: {one.detail}",
            f"#alert-{one.alert_id}",
        )
        for one in alerts
    ]


def _column(at: str, steps: Sequence[str]) -> int:
    """Return the last column that had begun by then, the first where none had."""
    return max(0, sum(step <= at[: len(step)] for step in steps) - 1)
