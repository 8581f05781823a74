"""A plot as it stands on a page: picture, legend, note, alerts, the link to its CSV, and its table."""

from collections.abc import Callable, Sequence

from markupsafe import Markup, escape

from broker.spreadsheet import Cell
from dashboard.plotted import Plot
from dashboard.quality_alerts import ByPlot, title_of
from store.queries import AlertRow

Address = Callable[[str], str]
"""Returns where the CSV of a plot is, by the plot's name."""


def figure(plot: Plot, csv: Address, alerts: ByPlot) -> Markup:
    """Return a plot as HTML, every text of it escaped."""
    parts = [
        _caption(plot, csv),
        plot.picture,
        _panels(plot.panels, alerts),
        _legend(plot.legend),
        Markup("<p>{}</p>").format(plot.note) if plot.note else Markup(""),
        _alerts(alerts.get(plot.name, ())),
        _table(plot) if plot.rows and not plot.is_table else Markup(""),
    ]
    kind = "plot wide-plot" if plot.panels else "plot"
    start = Markup('<figure class="{}" id="{}" tabindex="-1">').format(kind, plot.name)
    return start + Markup("").join(parts) + Markup("</figure>")


def _caption(plot: Plot, csv: Address) -> Markup:
    link = Markup("")
    if plot.rows:
        link = Markup(' <a class="csv" href="{}" download aria-label="CSV of {}">CSV</a>').format(
            csv(plot.name), plot.title
        )
    return Markup("<figcaption>{}{}</figcaption>").format(plot.title, link)


def _panels(panels: Sequence[Plot], alerts: ByPlot) -> Markup:
    if not panels:
        return Markup("")
    each = [
        Markup(
            '<figure class="plot" id="{}" tabindex="-1"><figcaption>{}</figcaption>{}<p>{}</p>{}</figure>'
        ).format(one.name, one.title, one.picture, one.note, _alerts(alerts.get(one.name, ())))
        for one in panels
    ]
    return Markup('<div class="panels">{}</div>').format(Markup("").join(each))


def _legend(legend: Sequence[tuple[str, int]]) -> Markup:
    if not legend:
        return Markup("")
    names = [Markup('<li><i class="s{}"></i>{}</li>').format(series, name) for name, series in legend]
    return Markup('<ul class="legend">{}</ul>').format(Markup("").join(names))


def _alerts(alerts: Sequence[AlertRow]) -> Markup:
    if not alerts:
        return Markup("")
    links = [
        Markup('<a href="#alert-{}">\N{WARNING SIGN} {}, {}</a>').format(
            one.alert_id, title_of(one), one.state
        )
        for one in alerts
    ]
    return Markup('<p class="alerts">{}</p>').format(Markup(" ").join(links))


def _table(plot: Plot) -> Markup:
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(name) for name in plot.columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in plot.rows)
    return Markup(
        '<details><summary>Figures</summary><div class="scroll" tabindex="0" role="region" aria-label="{}">'
        '<table class="figures"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div></details>'
    ).format(f"Figures of {plot.title}", head, Markup(body))  # noqa: S704 - of cells that are escaped


def _cell(cell: Cell) -> str:
    text = f"{cell:,}" if type(cell) is int else "" if cell is None else str(cell)
    return f"<td>{escape(text)}</td>"
