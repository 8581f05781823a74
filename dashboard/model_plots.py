"""What a bundle recorded of its training and of its validation, as plots; a manifest is somebody's file."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

from markupsafe import Markup

from broker.logs import for_the_wire
from dashboard import plots
from dashboard.plots import Axes, Frame
from dashboard.plotted import Plot, Share
from dashboard.trend_plots import matrix
from model.manifest import Manifest

Drawn = Callable[[Manifest], Plot | None]
STEPS = 20
"""The axis of a curve begins at a whole twentieth."""
POINTS, NETWORKS, NAME_CHARS, BINS = 500, 4, 40, 100
"""What a page can show: more than that nobody records."""


def training(made: Manifest) -> Plot | None:
    """Return the validation accuracy over the training, of each network; None where nothing was recorded."""
    told = made.code.get("history")
    points = [one for one in told[:POINTS] if _is_point(one)] if isinstance(told, list) else []
    if not points:
        return None
    networks: dict[str, list[Mapping[str, Any]]] = {}
    for one in points:
        networks.setdefault(for_the_wire(str(one.get("network", "")))[:NAME_CHARS], []).append(one)
    lowest = min(float(one["validation_accuracy"]) for one in points)
    low = min(int(STEPS * lowest), STEPS - 1) / STEPS
    return Plot(
        "Validation accuracy while it was trained",
        Markup(""),
        name="training",
        panels=[_curve(name, of, low) for name, of in list(networks.items())[:NETWORKS]],
        columns=["network", "trained", "validation accuracy"],
        rows=[
            [name, step, Share(one["validation_accuracy"])]
            for name, of in list(networks.items())[:NETWORKS]
            for step, one in zip(_steps(of), of, strict=True)
        ],
    )


def _curve(name: str, points: Sequence[Mapping[str, Any]], low: float) -> Plot:
    title = f"The {name} network" if name else "The network"
    axes = Axes(title, "validation accuracy", "trained", percent=True)
    values = [float(one["validation_accuracy"]) for one in points]
    frame = plots.small(Frame(low, 1, len(points)))
    return Plot(title, plots.lines(axes, _steps(points), values, frame, bound=None))


def _steps(points: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return how far the training was: as a share where that was recorded, else the epoch."""
    return [
        f"{one['done']:.0%}" if _is_share(one.get("done")) else str(number)
        for number, one in enumerate(points, start=1)
    ]


def confusion(made: Manifest) -> Plot | None:
    """Return the confusion on the validation images; None where none of that shape was recorded."""
    rows, labels = made.validation.get("confusion"), list(made.classes)
    if not _is_square(rows, len(labels)):
        return None
    cells = [[(count, count / (sum(row) or 1)) for count in row] for row in rows]
    return Plot(
        "Confusion, in validation images",
        matrix(labels, list(zip(labels, cells, strict=True))),
        name="confusion",
        note="Rows: what it is. Columns: what the model said, in full precision.",
        is_table=True,
        columns=["is / was called", *labels],
        rows=[[label, *row] for label, row in zip(labels, rows, strict=True)],
    )


def reliability(made: Manifest) -> Plot | None:
    """Return accuracy over confidence on the validation images; None where that was not recorded."""
    bins = made.validation.get("reliability")
    if not _are_bins(bins):
        return None
    found = [(count, float(sure), float(right)) for count, sure, right in bins]
    edges = [f"{number / len(found):.1%} to {(number + 1) / len(found):.1%}" for number in range(len(found))]
    return Plot(
        "Reliability on the validation images",
        plots.reliability(Axes("Reliability", "share that is right", "confidence", percent=True), found),
        name="reliability",
        note="On the dashed line confidence means what it says. How many images each bar stands for is in the"
        " figures.",
        columns=["confidence", "images", "mean confidence", "right"],
        rows=[
            [edge, count, Share(sure), Share(right)]
            for edge, (count, sure, right) in zip(edges, found, strict=True)
            if count
        ],
    )


KINDS: dict[str, Drawn] = {"training": training, "confusion": confusion, "reliability": reliability}
"""The plots of a bundle, by the name of their CSV."""


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= sys.maxsize


def _is_point(one: object) -> bool:
    return isinstance(one, dict) and _is_share(one.get("validation_accuracy"))


def _is_square(rows: object, size: int) -> TypeGuard[list[list[int]]]:
    return _is_list(rows, size) and all(_is_list(row, size) and all(map(_is_count, row)) for row in rows)


def _are_bins(bins: object) -> TypeGuard[list[tuple[int, float, float]]]:
    return (
        isinstance(bins, list)
        and 0 < len(bins) <= BINS
        and all(_is_list(one, 3) and _is_count(one[0]) and all(map(_is_share, one[1:])) for one in bins)
    )


def _is_list(value: object, size: int) -> TypeGuard[list[Any]]:
    return isinstance(value, list) and len(value) == size
