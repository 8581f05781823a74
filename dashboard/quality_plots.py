"""The plots of a report and of the page, with their tables: figures become pictures, and stay figures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from markupsafe import Markup

from broker.spreadsheet import Cell
from dashboard import plots
from dashboard.plots import Aside, Axes, Frame
from dashboard.plotted import Amount, Plot, Share, share
from dashboard.quality_alerts import ByPlot, anchor, marks
from store.report_contents import Quality
from store.report_figures import DAY, HOUR, JOB, MONTH, PARTS
from store.report_reviews import BINS, Reviewed
from store.schema import CLASSES

ACROSS = {MONTH: "month", DAY: "day, UTC", HOUR: "hour, UTC", JOB: "opening of the job, UTC"}
LEAST_REVIEWED = 30
"""With fewer answers a share of right ones says too little."""

NO_ALERTS: ByPlot = {}


def labels_of(contents: Quality) -> list[str]:
    """Return the labels that were given, in the order of the schema's classes, others behind them."""
    seen = {label for step in contents.classes.values() for label in step}
    return [*(label for label in CLASSES if label in seen), *sorted(seen - set(CLASSES))]


def series_of(label: str) -> int:
    """Return a label's colour, the same in every plot."""
    return CLASSES.index(label) if label in CLASSES else len(CLASSES) - 1


def step_texts(steps: Iterable[str]) -> list[str]:
    """Return steps of time as they stand below an axis: no year, and no day that all share."""
    found = list(steps)
    one_day = len({step[:DAY] for step in found}) == 1
    return [_step_text(step, one_day=one_day) for step in found]


def _step_text(step: str, *, one_day: bool) -> str:
    if len(step) == JOB:
        return step[11:19] if one_day else f"{step[5:10]} {step[11:16]}"
    return {MONTH: step, DAY: step[5:]}.get(len(step), f"{step[5:10]} {step[11:]}h")


def confidence(contents: Quality, alerts: ByPlot = NO_ALERTS) -> list[Plot]:
    """Return a plot for each label: its mean confidence over time, with its threshold."""
    labels = labels_of(contents)
    means = {label: _means(contents, label) for label in labels}
    bounds = [contents.bounds[label] for label in labels if label in contents.bounds]
    low = floor([value for row in means.values() for value in row if value is not None] + bounds)
    steps = step_texts(contents.classes)
    frame = plots.small(Frame(low, 1, len(steps)))
    return [_confidence(label, contents, steps, frame, alerts) for label in labels]


def _means(contents: Quality, label: str) -> list[float | None]:
    return [row[label].mean if label in row else None for row in contents.classes.values()]


def _confidence(label: str, contents: Quality, steps: Sequence[str], frame: Frame, alerts: ByPlot) -> Plot:
    bound, name = contents.bounds.get(label), anchor("confidence", label)
    axes = Axes(f"Mean confidence of {label}", "mean confidence", ACROSS[contents.step], percent=True)
    aside = Aside(marks=marks(alerts.get(name, ()), list(contents.classes)))
    picture = plots.lines(
        axes, steps, _means(contents, label), frame, bound=bound, series=series_of(label), aside=aside
    )
    note = "no threshold known" if bound is None else f"threshold {Share(bound)}"
    return Plot(label, picture, note=note, name=name)


def floor(values: Sequence[float]) -> float:
    """Return where the axis begins: a fifth below which nothing lies."""
    return max(0.0, int((min(values, default=0.0) - 1e-9) * 5) / 5) if values else 0.0


def confidence_table(contents: Quality) -> tuple[list[str], list[list[Cell]]]:
    """Return the figures of `confidence`: a row for each step."""
    labels = labels_of(contents)
    rows: list[list[Cell]] = [
        [step, *(share(row[label].mean) if label in row else None for label in labels)]
        for step, row in zip(step_texts(contents.classes), contents.classes.values(), strict=True)
    ]
    return [ACROSS[contents.step], *labels], rows


def confidence_panels(contents: Quality, alerts: ByPlot) -> Plot:
    """Return the plots of `confidence` as one, with the thresholds among its figures."""
    columns, rows = confidence_table(contents)
    bounds = {label: contents.bounds[label] for label in labels_of(contents) if label in contents.bounds}
    return Plot(
        "Mean confidence of each class",
        Markup(""),
        name="confidence",
        panels=confidence(contents, alerts),
        columns=[*columns, *(f"threshold of {label}" for label in bounds)],
        rows=[[*row, *map(Share, bounds.values())] for row in rows],
        keys=list(contents.classes),
    )


def mix(contents: Quality, alerts: ByPlot = NO_ALERTS) -> Plot:
    """Return the share of each label over time."""
    labels, steps = labels_of(contents), step_texts(contents.classes)
    wholes = [sum(one.images for one in row.values()) for row in contents.classes.values()]
    counts = {
        label: [row[label].images if label in row else 0 for row in contents.classes.values()]
        for label in labels
    }
    series = [
        (label, [count / whole for count, whole in zip(counts[label], wholes, strict=True)])
        for label in labels
    ]
    axes = Axes("Class mix over time", "share of the images", ACROSS[contents.step], percent=True)
    rows: list[list[Cell]] = [
        [step, *(counts[label][i] for label in labels), wholes[i]] for i, step in enumerate(steps)
    ]
    return Plot(
        axes.title,
        plots.stacks(
            axes,
            steps,
            series,
            Frame(0, 1, len(steps)),
            colours=list(map(series_of, labels)),
            marks=marks(alerts.get("mix", ()), list(contents.classes)),
        ),
        name="mix",
        keys=list(contents.classes),
        legend=[(label, series_of(label)) for label in labels],
        columns=[ACROSS[contents.step], *labels, "images"],
        rows=rows,
    )


def mix_shares(contents: Quality, alerts: ByPlot) -> Plot:
    """Return `mix` with shares as its figures, as they are drawn; the report counts images."""
    drawn = mix(contents, alerts)
    rows: list[list[Cell]] = [
        [row[0], *(Share(int(count or 0) / int(row[-1] or 1)) for count in row[1:-1]), row[-1]]
        for row in drawn.rows
    ]
    return replace(drawn, rows=rows)


def latency(contents: Quality, alerts: ByPlot = NO_ALERTS) -> Plot:
    """Return how many milliseconds a batch takes on average, by part, over time."""
    steps = step_texts(contents.parts)
    means: Mapping[str, list[float]] = {
        part: [1000 * sums.seconds[part] / sums.batches for sums in contents.parts.values()] for part in PARTS
    }
    wholes = [sum(means[part][i] for part in PARTS) for i in range(len(steps))]
    axes = Axes("Latency of a batch by part", "ms, mean of a batch", ACROSS[contents.step])
    frame = Frame(0, plots.bound_above(max(wholes)), len(steps))
    rows: list[list[Cell]] = [
        [step, *(Amount(means[part][i]) for part in PARTS), Amount(wholes[i])] for i, step in enumerate(steps)
    ]
    return Plot(
        axes.title,
        plots.stacks(
            axes,
            steps,
            list(means.items()),
            frame,
            marks=marks(alerts.get("latency", ()), list(contents.parts)),
        ),
        name="latency",
        keys=list(contents.parts),
        note="read and prepare: the agent; wait: until the batch is full; predict: the model; store: from the"
        " prediction to the row.",
        legend=[(part, number) for number, part in enumerate(PARTS)],
        columns=[ACROSS[contents.step], *(f"{part}, ms" for part in PARTS), "sum, ms"],
        rows=rows,
    )


def speed(contents: Quality, alerts: ByPlot = NO_ALERTS) -> Plot:
    """Return images per second over time."""
    steps = step_texts(contents.speed)
    rates = [one.images / one.process_s for one in contents.speed.values()]
    axes = Axes("Speed", "images/s, first seen to last answered", ACROSS[contents.step])
    frame = Frame(0, plots.bound_above(max(rates)), len(steps))
    rows: list[list[Cell]] = [
        [step, one.images, Amount(one.process_s), Amount(one.images / one.process_s)]
        for step, one in zip(steps, contents.speed.values(), strict=True)
    ]
    columns = [ACROSS[contents.step], "images", "seconds", "images/s"]
    marked = marks(alerts.get("speed", ()), list(contents.speed))
    picture = plots.stacks(axes, steps, [("images/s", rates)], frame, marks=marked)
    keys = list(contents.speed)
    return Plot(axes.title, picture, columns=columns, rows=rows, name="speed", keys=keys)


def reliability(reviewed: Reviewed) -> Plot | None:
    """Return accuracy over confidence as people found it; None of too few reviews."""
    if reviewed.drawn < LEAST_REVIEWED:
        return None
    bins = [
        (one.images, one.confidence / one.images, one.right / one.images) if one.images else (0, 0.0, 0.0)
        for one in reviewed.bins
    ]
    axes = Axes("Reliability", "share that was right", "confidence", percent=True)
    rows: list[list[Cell]] = [
        [f"{i / BINS:.0%} to {(i + 1) / BINS:.0%}", images, Share(mean), Share(right)]
        for i, (images, mean, right) in enumerate(bins)
        if images
    ]
    return Plot(
        axes.title,
        plots.reliability(axes, bins),
        note="Bars: the share that was right. Dots: the same at the images' mean confidence; on the"
        " dashed line confidence means what it says. Numbers: the images, answers that"
        " chance drew, without suspects.",
        name="reliability",
        columns=["confidence", "images", "mean confidence", "right"],
        rows=rows,
    )


def confusion(reviewed: Reviewed) -> tuple[list[str], list[tuple[str, list[tuple[int, float]]]]]:
    """Return the labels, and for each right one the images by label given: count, and share of the row."""
    seen = {label for pair in reviewed.pairs for label in pair}
    labels = [*(label for label in CLASSES if label in seen), *sorted(seen - set(CLASSES))]
    rows = []
    for right in labels:
        counts = [reviewed.pairs[right, label] for label in labels]
        rows.append((right, [(count, count / (sum(counts) or 1)) for count in counts]))
    return labels, rows
