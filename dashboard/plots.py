"""Plots as inline SVG: pure functions from figures to markup, which escapes every text that it is given.

Colours, dashes and dark mode are the page's style sheet's; a plot only names classes (`s0`, `s1`, … for its
series). Why no library draws them: docs/decisions/0005-plots-as-own-svg.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from markupsafe import Markup, escape

STYLE = Markup(Path(__file__).with_name("plots.css").read_text("utf-8"))  # noqa: S704 - a file of ours
"""What plots look like, but for the colours of ink and paper, which are the page's own."""

LETTER = 7
"""The width of a letter below an axis, in SVG units: texts must not run into each other."""

GAP = 0.16
"""The part of a bar's place that stays empty."""

THINNEST = 0.25
"""SVG units: nobody sees a thinner bar, and a long period has thousands. The figures have its value."""

COUNTED_BARS = 10
"""So many bars are wide enough for a number above each."""

COLOURS = 10
"""Series that the page's style sheet tells apart."""

Values = Sequence[float | None]


@dataclass(frozen=True)
class Frame:
    """Where values lie: from `low` to `high` upwards, `columns` places across; sizes are SVG units."""

    low: float
    high: float
    columns: float
    width: float = 440
    height: float = 240
    left: float = 54
    right: float = 18
    top: float = 26
    bottom: float = 38

    def x(self, column: float) -> float:
        """Return where a column's left edge is."""
        return self.left + (self.width - self.left - self.right) * column / self.columns

    def y(self, value: float) -> float:
        """Return where a value is."""
        share = (value - self.low) / (self.high - self.low)
        return self.height - self.bottom - (self.height - self.top - self.bottom) * share


@dataclass(frozen=True)
class Axes:
    """What stands beside a plot: its title, what goes up and across, and the unit of what goes up."""

    title: str
    up: str
    across: str
    percent: bool = False

    def tick(self, value: float) -> str:
        """Return a value as it stands beside the axis."""
        if self.percent:
            return f"{f'{100 * value:.1f}'.removesuffix('.0')} %"
        return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


@dataclass(frozen=True)
class Mark:
    """Columns, from first to last, of which something is told behind the link."""

    first: int
    last: int
    told: str
    href: str


@dataclass(frozen=True)
class Aside:
    """What is drawn beside the values: a band around them, marked columns, and values not to be believed."""

    band: Sequence[tuple[float, float] | None] = ()
    marks: Sequence[Mark] = ()
    hollow: Sequence[bool] = ()


NOTHING = Aside()


def bound_above(value: float) -> float:
    """Return a round number of four even steps that is at least `value`."""
    if value <= 0:
        return 1.0
    size = 1.0
    while size >= value:
        size /= 10
    while size * 10 < value:
        size *= 10
    return next(size * step for step in (1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10) if size * step >= value)


def lines(
    axes: Axes,
    steps: Sequence[str],
    values: Values,
    frame: Frame,
    *,
    bound: float | None,
    series: int = 0,
    aside: Aside = NOTHING,
) -> Markup:
    """Draw one series over time, with a dashed line at `bound`. A step without a value breaks the line."""
    parts = _marks(frame, aside.marks) + ([_dashes(frame, bound)] if bound is not None else [])
    points = [
        None if value is None else (frame.x(column + 0.5), frame.y(value))
        for column, value in enumerate(values)
    ]
    parts += _bands(frame, aside.band, series)
    parts += [_line(run, series) for run in _runs(points)]
    hollow = list(aside.hollow) or [False] * len(steps)
    parts += [
        _dot(*point, series, f"{step}: {axes.tick(value)}", hollow=unsure)
        for step, value, point, unsure in zip(steps, values, points, hollow, strict=True)
        if point is not None and value is not None
    ]
    return _drawn(axes, frame, steps, parts)


def stacks(
    axes: Axes,
    steps: Sequence[str],
    series: Sequence[tuple[str, Values]],
    frame: Frame,
    *,
    colours: Sequence[int] = range(COLOURS),
    bound: float | None = None,
    marks: Sequence[Mark] = (),
) -> Markup:
    """Draw a bar for each step, the series' values on each other, the first at the bottom.

    What is too thin to be seen is not drawn.
    """
    parts = _marks(frame, marks)
    below = [0.0] * len(steps)
    for number, (name, values) in zip(colours, series, strict=False):
        for column, value in enumerate(values):
            if value and frame.y(0) - frame.y(value) >= THINNEST:
                told = f"{steps[column]}, {name}: {axes.tick(value)}"
                parts.append(_bar(frame, column, below[column], below[column] + value, number, told))
            below[column] += value or 0.0
    return _drawn(axes, frame, steps, parts + ([_dashes(frame, bound)] if bound is not None else []))


def reliability(axes: Axes, bins: Sequence[tuple[int, float, float]]) -> Markup:
    """Draw the accuracy of bins over confidence: (images, mean confidence, accuracy) of each, 0..1.

    On the diagonal a confidence means what it says. The images stand above their bar, where there is room.
    """
    frame = Frame(0, 1, len(bins))
    parts = []
    for column, (images, confidence, accuracy) in enumerate(bins):
        if images:
            told = f"{images:,} images, confidence {confidence:.1%}, right {accuracy:.1%}"
            parts.append(_bar(frame, column, 0, accuracy, 0, told))
            if len(bins) <= COUNTED_BARS:
                parts.append(_text(frame.x(column + 0.5), frame.top - 3, f"{images:,}", "middle", "count"))
            parts.append(_dot(frame.x(confidence * len(bins)), frame.y(accuracy), 1, told))
    ends = (frame.x(0), frame.y(0), frame.x(len(bins)), frame.y(1))
    parts.append(Markup('<line class="dash" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(*ends))
    edges = [f"{column / len(bins):.0%}" for column in range(len(bins) + 1)]
    return _drawn(axes, frame, edges, parts, within=0)


def small(frame: Frame) -> Frame:
    """Return a frame for one of many small plots."""
    return replace(frame, width=240, height=150, left=44, bottom=36)


Point = TypeVar("Point")


def _runs(points: Iterable[Point | None], least: int = 2) -> list[list[Point]]:
    """Return the points between the gaps, where there are so many."""
    runs: list[list[Point]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run for run in runs if len(run) >= least]


def _drawn(
    axes: Axes, frame: Frame, steps: Sequence[str], parts: Iterable[Markup], *, within: float = 0.5
) -> Markup:
    """Return the whole picture: its names for those who cannot see it, the axes, and what stands in them.

    The steps' texts stand so far within their columns: 0 is the left edge.
    """
    kind = "small" if frame.width < Frame.width else "usual"
    begin = Markup(
        '<svg class="{}" viewBox="0 0 {:g} {:g}" role="img" aria-label="{}"><title>{}</title>'
    ).format(kind, frame.width, frame.height, f"{axes.title}: {axes.up} over {axes.across}", axes.title)
    names = [
        _text(2, 12, axes.up, "start", "name"),
        _text(frame.width - frame.right, frame.height - 4, axes.across, "end", "name"),
    ]
    return _made(
        "".join([begin, *_grid(axes, frame), *_steps(frame, steps, within), *names, *parts, "</svg>"])
    )


def _grid(axes: Axes, frame: Frame) -> list[Markup]:
    found = []
    for quarter in range(5):
        value = frame.low + (frame.high - frame.low) * quarter / 4
        y = frame.y(value)
        ends = (frame.left, y, frame.width - frame.right, y)
        line = _made('<line class="grid" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>'.format(*ends))
        found += [line, _text(frame.left - 6, y + 4, axes.tick(value), "end")]
    return found


def _steps(frame: Frame, steps: Sequence[str], within: float) -> list[Markup]:
    """Return the texts below the axis, no more than fit."""
    letters = max(map(len, steps), default=0) + 2
    every = -(-len(steps) * letters * LETTER // int(frame.width - frame.left)) or 1
    y = frame.height - frame.bottom + 15
    return [_text(frame.x(i + within), y, steps[i], "middle") for i in range(0, len(steps), every)]


def _text(x: float, y: float, text: str, anchor: str, kind: str = "tick") -> Markup:
    start = f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
    return _made(f"{start}{escape(text)}</text>")


def _made(text: str) -> Markup:
    """Return markup of figures of ours and of texts that were escaped: a plot is thousands of such parts."""
    return Markup(text)  # noqa: S704 - that it is so


def _dashes(frame: Frame, value: float) -> Markup:
    y = frame.y(min(max(value, frame.low), frame.high))
    ends = (frame.left, y, frame.width - frame.right, y)
    return Markup('<line class="dash" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(*ends)


def _line(points: Iterable[tuple[float, float]], series: int) -> Markup:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return Markup('<polyline class="line s{}" points="{}"/>').format(series, path)


def _dot(x: float, y: float, series: int, told: str, *, hollow: bool = False) -> Markup:
    kind = f"dot s{series} hollow" if hollow else f"dot s{series}"
    title = f"<title>{escape(told)}</title>"
    return _made(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="3">{title}</circle>')


def _bands(frame: Frame, band: Sequence[tuple[float, float] | None], series: int) -> list[Markup]:
    """Return what lies between low and high: an area for columns beside each other, a bar for one alone."""
    edges = [
        None if one is None else (frame.x(column + 0.5), frame.y(one[0]), frame.y(one[1]))
        for column, one in enumerate(band)
    ]
    found = []
    for run in _runs(edges, least=1):
        wide = run if len(run) > 1 else [(run[0][0] + side, *run[0][1:]) for side in (-3, 3)]
        around = [(x, high) for x, _, high in wide] + [(x, low) for x, low, _ in reversed(wide)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in around)
        found.append(Markup('<polygon class="band s{}" points="{}"/>').format(series, path))
    return found


def _marks(frame: Frame, marks: Sequence[Mark]) -> list[Markup]:
    """Return marked columns: a ground, and a sign above it, that lead a click to what is told of them."""
    top, bottom = frame.top, frame.height - frame.bottom
    drawn = Markup(
        '<a href="{}" tabindex="-1"><title>{}</title><rect class="mark" x="{:.1f}" y="{:.1f}" width="{:.1f}"'
        ' height="{:.1f}"/><text class="sign" x="{:.1f}" y="{:.1f}" text-anchor="middle">'
        "\N{WARNING SIGN}</text></a>"
    )
    found = []
    for one in marks:
        left, right = frame.x(one.first), frame.x(one.last + 1)
        place = (left, top, right - left, bottom - top, (left + right) / 2, top - 2)
        found.append(drawn.format(one.href, one.told, *place))
    return found


def _bar(frame: Frame, column: int, low: float, high: float, series: int, told: str) -> Markup:
    left, right = frame.x(column + GAP / 2), frame.x(column + 1 - GAP / 2)
    y, height = frame.y(high), frame.y(low) - frame.y(high)
    place = f'x="{left:.1f}" y="{y:.1f}" width="{right - left:.1f}" height="{height:.2f}"'
    return _made(f'<rect class="bar s{series}" {place}><title>{escape(told)}</title></rect>')
