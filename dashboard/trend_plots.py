"""The page's plots that no report has: expected accuracy against its bound, doubts, drift, and confusion."""

from collections.abc import Sequence

from markupsafe import Markup

from broker.settings import Monitor
from broker.spreadsheet import Cell
from dashboard import plots
from dashboard.plots import Aside, Axes, Frame
from dashboard.plotted import Drift, Plot, Share, share
from dashboard.quality_alerts import ByPlot, anchor, marks
from dashboard.quality_plots import ACROSS, confusion, floor, series_of, step_texts
from store.estimates import Estimate
from store.report_contents import Quality
from store.report_figures import DAY, HOUR, JOB, MONTH
from store.report_reviews import Reviewed
from store.trends import Trends

NONE = Markup("")
PIXELS = {
    "brightness": "the mean of all pixels",
    "dark": "the share of pixels that are all but black",
    "extent": "the longest side of what is not black",
    "roughness": "the mean step between neighbouring pixels",
}
"""What the statistics of the pixels measure."""
WITHIN = {MONTH: "month", DAY: "day", HOUR: "hour", JOB: "job"}


def expected(contents: Quality, trends: Trends, monitor: Monitor, alerts: ByPlot) -> Plot:
    """Return the expected accuracy over time, with its interval, against its bound."""
    estimates, bound = list(trends.expected.values()), trends.bound or None
    keys, steps = list(trends.expected), step_texts(trends.expected)
    title, across = "Expected accuracy", ACROSS[contents.step]
    least = f"{monitor.least_images} images of one {WITHIN[contents.step]} that are not suspect"
    if not any(one.enough for one in estimates):
        return Plot(title, NONE, name="expected-accuracy", note=f"It takes {least}.")
    rows: list[list[Cell]] = [
        [
            step,
            *map(share, (one.value, one.low, one.high, bound)),
            one.images,
            stands(one, trusted=trends.trusted[key], least=monitor.least_images),
        ]
        for key, step, one in zip(keys, steps, estimates, strict=True)
    ]
    lows = [one.low for one in estimates if one.low is not None]
    aside = Aside(
        band=[None if one.low is None or one.high is None else (one.low, one.high) for one in estimates],
        marks=marks(alerts.get("expected-accuracy", ()), keys),
        hollow=[not trends.trusted[key] for key in keys],
    )
    frame = Frame(floor([*lows, *([bound] if bound else [])]), 1, len(steps))
    axes = Axes(title, "share that is probably right", across, percent=True)
    values = [one.value for one in estimates]
    known = f"Dashed: the {Share(bound)} that are expected. " if bound else ""
    few = sum(not one.enough for one in estimates)
    missing = f" Fewer than {least}: no estimate, in {few:,} of {len(estimates):,}." if few else ""
    unsure = not all(trends.trusted[key] for key, one in zip(keys, estimates, strict=True) if one.enough)
    hollow = " Hollow: unreliable, as there were many suspects, or unusual pixels." if unsure else ""
    return Plot(
        title,
        plots.lines(axes, steps, values, frame, bound=bound, aside=aside),
        note=f"{known}The band holds the truth in 95 of 100 cases, as long as the images are like those that"
        f" the model was validated on.{hollow}{missing}",
        name="expected-accuracy",
        columns=[across, "expected", "low", "high", "bound", "images", "estimate"],
        rows=rows,
        keys=keys,
    )


def stands(one: Estimate, *, trusted: bool, least: int) -> str:
    """Say whether an estimate is one to go by, and if not, why."""
    if not one.enough:
        return f"none: fewer than {least} images"
    return "reliable" if trusted else "unreliable: many suspects, or unusual pixels"


def suspect(contents: Quality, trends: Trends, monitor: Monitor, alerts: ByPlot) -> Plot:
    """Return the share of suspect images over time."""
    values = [one.suspect_share for one in trends.counts.values()]
    totals = [one.stored for one in trends.counts.values()]
    title, up = "Suspect images", "share of the predictions"
    return _shares("suspect", (title, up), contents, trends, values, totals, monitor.suspect_share, alerts)


def failed(contents: Quality, trends: Trends, monitor: Monitor, alerts: ByPlot) -> Plot:
    """Return the share of files that became no prediction, over time."""
    values = [one.failed_share for one in trends.counts.values()]
    totals = [one.stored + one.failed for one in trends.counts.values()]
    title, up = "Failed files", "share of the files"
    return _shares("failed", (title, up), contents, trends, values, totals, monitor.failure_share, alerts)


def _shares(
    name: str,
    words: tuple[str, str],
    contents: Quality,
    trends: Trends,
    values: Sequence[float | None],
    totals: Sequence[int],
    limit: float,
    alerts: ByPlot,
) -> Plot:
    title, up = words
    keys, steps, bound = list(trends.counts), step_texts(trends.counts), limit or None
    high = min(1.0, plots.bound_above(max([limit, *(value or 0.0 for value in values)])))
    axes = Axes(title, up, ACROSS[contents.step], percent=True)
    aside = Aside(marks=marks(alerts.get(name, ()), keys))
    picture = plots.lines(axes, steps, values, Frame(0, high, len(steps)), bound=bound, aside=aside)
    return Plot(
        title,
        picture,
        note=f"Dashed: the bound, {Share(bound)}." if bound else "No bound is set.",
        name=name,
        columns=[ACROSS[contents.step], "share", "bound", "of"],
        rows=[
            [step, share(value), share(bound), total]
            for step, value, total in zip(steps, values, totals, strict=True)
        ],
        keys=keys,
    )


def mix_drift(contents: Quality, trends: Trends, monitor: Monitor, alerts: ByPlot) -> Plot:
    """Return how far each step's mix lies from all steps before it, and what each class adds."""
    title, across, limit = "Drift of the class mix", ACROSS[contents.step], monitor.mix_drift or None
    parts = list(trends.mix.values())
    if not any(part is not None for part in parts):
        enough = f"{monitor.least_images} of one {WITHIN[contents.step]}"
        note = f"It takes {monitor.window_images} earlier images, and {enough}."
        return Plot(title, NONE, name="mix-drift", note=note)
    labels = sorted({label for part in parts for label in part or ()}, key=series_of)
    keys, steps = list(trends.mix), step_texts(trends.mix)
    sums = [None if part is None else sum(part.values()) for part in parts]
    series = [(label, [None if part is None else part.get(label, 0.0) for part in parts]) for label in labels]
    frame = Frame(0, plots.bound_above(max([limit or 0.0, *(one or 0.0 for one in sums)])), len(steps))
    picture = plots.stacks(
        Axes(title, "population stability index", across),
        steps,
        series,
        frame,
        colours=list(map(series_of, labels)),
        bound=limit,
        marks=marks(alerts.get("mix-drift", ()), keys),
    )
    rows: list[list[Cell]] = [
        [step, *(_drift(values[at]) for _, values in series), _drift(sums[at]), _drift(limit)]
        for at, step in enumerate(steps)
    ]
    return Plot(
        title,
        picture,
        note="Against all earlier images of the period; each class's part of it."
        + (f" Dashed: the bound, {limit:g}." if limit else ""),
        legend=[(label, series_of(label)) for label in labels],
        name="mix-drift",
        columns=[across, *labels, "sum", "bound"],
        rows=rows,
        keys=keys,
    )


def pixels(contents: Quality, trends: Trends, monitor: Monitor, alerts: ByPlot) -> Plot:
    """Return how far the pixels lie from the validation images of the same labels, by statistic."""
    title, limit = "Drift of the pixels", monitor.input_drift or None
    known = {
        name: steps for name, steps in trends.pixels.items() if any(v is not None for v in steps.values())
    }
    if not known:
        enough = f"It takes {monitor.least_images} images of one {WITHIN[contents.step]}"
        note = f"{enough}, and a model that says what it was validated on."
        return Plot(title, NONE, name="pixels", note=note)
    keys = sorted({key for steps in known.values() for key in steps})
    steps = step_texts(keys)
    highest = max(value or 0.0 for values in known.values() for value in values.values())
    frame = plots.small(Frame(0, plots.bound_above(max(highest, limit or 0.0)), len(steps)))
    across = ACROSS[contents.step]
    panels = []
    for name, values in known.items():
        place = anchor("pixels", name)
        axes = Axes(f"Drift of {name}", "stability index", across)
        aside = Aside(marks=marks(alerts.get(place, ()), keys))
        row = [values.get(key) for key in keys]
        picture = plots.lines(axes, steps, row, frame, bound=limit, series=2, aside=aside)
        panels.append(Plot(name.capitalize(), picture, note=PIXELS.get(name, ""), name=place))
    rows: list[list[Cell]] = [
        [step, *(_drift(values.get(key)) for values in known.values()), _drift(limit)]
        for key, step in zip(keys, steps, strict=True)
    ]
    return Plot(
        title,
        NONE,
        note=f"Against the validation images of model {trends.model}, of the same labels."
        + (f" Dashed: the bound, {limit:g}." if limit else ""),
        name="pixels",
        panels=panels,
        columns=[across, *known, "bound"],
        rows=rows,
        keys=keys,
    )


def _drift(value: float | None) -> Drift | None:
    return None if value is None else Drift(value)


def confusion_matrix(reviewed: Reviewed) -> Plot | None:
    """Return what people say over what the model said; None where nobody has said anything."""
    if not reviewed.images:
        return None
    labels, found = confusion(reviewed)
    return Plot(
        "Confusion in reviews, in images",
        matrix(labels, found),
        note="Rows: what people say that it is. Columns: what the model said. Blue, on the diagonal, is"
        " right; orange is wrong. All answers count, those that somebody chose to correct as well.",
        name="confusion",
        is_table=True,
        columns=["is / was called", *labels],
        rows=[[right, *(count for count, _ in cells)] for right, cells in found],
    )


def matrix(labels: Sequence[str], rows: Sequence[tuple[str, Sequence[tuple[int, float]]]]) -> Markup:
    """Return a table of counts, each as dark as its share of the row, the diagonal in another colour."""
    head = Markup("").join(Markup('<th scope="col"><span>{}</span></th>').format(label) for label in labels)
    body = Markup("").join(_row(labels, right, cells) for right, cells in rows)
    return Markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix">'
        '<table class="confusion"><thead><tr><th scope="col">is / was called</th>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>"
    ).format(head, body)


def _row(labels: Sequence[str], right: str, cells: Sequence[tuple[int, float]]) -> Markup:
    each = Markup("").join(
        Markup('<td class="{}" style="--depth: {:.0f}%">{}</td>').format(
            "right" if label == right else "wrong", 80 * part, count or ""
        )
        for label, (count, part) in zip(labels, cells, strict=True)
    )
    return Markup('<tr><th scope="row">{}</th>{}</tr>').format(right, each)
