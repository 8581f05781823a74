"""What the page of quality is made of: one question to the database, and from it the plots by section."""

from dataclasses import dataclass
from functools import cached_property

from broker.settings import Monitor
from dashboard import quality_plots as common
from dashboard import trend_plots
from dashboard.plotted import Plot
from dashboard.quality_alerts import ByPlot, by_plot
from dashboard.words import count
from store.queries import Connection
from store.report_contents import Quality, quality
from store.report_figures import Scope
from store.trends import Trends, models, sources, trends


@dataclass(frozen=True)
class Found:
    """What the database says of the choice, and what else could be chosen."""

    quality: Quality
    trends: Trends
    monitor: Monitor
    sources: list[str]
    models: list[str]

    @cached_property
    def alerts(self) -> ByPlot:
        """The alerts by the plot that they are about."""
        return by_plot(self.quality.alerts)


@dataclass(frozen=True)
class Section:
    """Plots below a heading; `empty` says what is to be reviewed before there can be more."""

    title: str
    note: str
    plots: list[Plot]
    empty: str = ""


def ask(connection: Connection, scope: Scope, monitor: Monitor) -> Found:
    """Gather all that the page shows, from sums."""
    found = quality(connection, scope, monitor)
    return Found(found, trends(connection, found, monitor), monitor, sources(connection), models(connection))


def sections(found: Found) -> list[Section]:
    """Return the page's plots in their order."""
    return [_right(found), _sure(found), _reviewed(found), _came(found), _quick(found)]


def _right(found: Found) -> Section:
    given = found.quality, found.trends, found.monitor, found.alerts
    drawn = [trend_plots.expected(*given), trend_plots.suspect(*given), trend_plots.failed(*given)]
    said = "Estimated from confidence; what people say stands below."
    return Section("How right it probably is", said, drawn)


def _sure(found: Found) -> Section:
    said = (
        "Mean confidence of the images that are not suspect: the accuracy to expect of them. An alert opens"
        " when the latest images lie below the dashed threshold by more than chance."
    )
    drawn = [common.confidence_panels(found.quality, found.alerts)] if found.quality.classes else []
    return Section("How sure it is of each class", said, drawn)


def _reviewed(found: Found) -> Section:
    reviewed = found.quality.reviewed
    drawn = [trend_plots.confusion_matrix(reviewed), common.reliability(reviewed)]
    missing = common.LEAST_REVIEWED - reviewed.drawn
    least = f"Reliability needs {count(common.LEAST_REVIEWED, 'reviews')} of images that chance drew"
    empty = f"{least}: {reviewed.drawn} are there, {missing} are missing." if missing > 0 else ""
    return Section("What people say", "", [one for one in drawn if one is not None], empty)


def _came(found: Found) -> Section:
    given = found.quality, found.trends, found.monitor, found.alerts
    mix = [common.mix_shares(found.quality, found.alerts)] if found.quality.classes else []
    drawn = [*mix, trend_plots.mix_drift(*given), trend_plots.pixels(*given)]
    said = "Drift is the population stability index, less what chance alone gives: 0 is no change."
    return Section("What came in, and how alike it is", said, drawn)


def _quick(found: Found) -> Section:
    latency = [common.latency(found.quality, found.alerts)] if found.quality.parts else []
    speed = [common.speed(found.quality, found.alerts)] if found.quality.speed else []
    return Section("How quickly", "", [*latency, *speed])
