"""The alerts of a period as HTML: each says what it saw, what that means, what next, and shows its plot."""

from collections.abc import Sequence
from datetime import datetime

from markupsafe import Markup

from dashboard.plotted import Plot
from dashboard.quality_alerts import place_of, rule_of, title_of
from dashboard.words import lasting
from store.queries import AlertRow

PICTURES = 12
"""So many have their plot beside them; the others lead to it."""
EMPTY = Markup("")


def alert_cards(alerts: Sequence[AlertRow], plots: Sequence[Plot], now: datetime) -> Markup:
    """Return the alerts, the open ones first and unfolded."""
    head = Markup('<h2 id="alerts">Alerts</h2>')
    if not alerts:
        return head + Markup('<p class="faint">\N{CHECK MARK} None was open in this period.</p>')
    known = {one.name: one for plot in plots for one in (plot, *plot.panels)}
    ordered = sorted(alerts, key=lambda one: one.state != "open")
    cards = [_card(one, known.get(place_of(one)), now, drawn=at < PICTURES) for at, one in enumerate(ordered)]
    return head + Markup("").join(cards)


def _card(alert: AlertRow, plot: Plot | None, now: datetime, *, drawn: bool) -> Markup:
    opened = alert.state == "open"
    until = f" to {_time(alert.closed_at)}" if alert.closed_at else ""
    start = Markup('<details class="alert {}" id="alert-{}"{}>').format(
        alert.state, alert.alert_id, Markup(" open") if opened else EMPTY
    )
    summary = Markup(
        '<summary><span class="state">{}</span> <strong>{}</strong> '
        '<span class="faint">{}{} UTC, {}</span></summary>'
    ).format(
        "\N{WARNING SIGN} open" if opened else "\N{CHECK MARK} closed",
        title_of(alert),
        _time(alert.opened_at),
        until,
        lasting(alert.lasted_s(now)),
    )
    picture = plot.picture if plot is not None and drawn else EMPTY
    shown = Markup('<div class="plot">{}</div>').format(picture) if picture else EMPTY
    return (
        start
        + summary
        + Markup('<div class="what"><div>{}</div>{}</div></details>').format(_words(alert, plot), shown)
    )


def _words(alert: AlertRow, plot: Plot | None) -> Markup:
    rule = rule_of(alert)
    parts = [Markup("<p>When it opened: {}.</p>").format(alert.detail)]
    if rule.means:
        parts.append(Markup('<p class="faint">{} {}</p>').format(rule.means, rule.next))
    links = [
        *([("#" + plot.name, f"The plot: {plot.title}")] if plot else []),
        *([(f"/job?job_id={alert.job_id}", "The job")] if alert.job_id else []),
        *([(rule.address, rule.page)] if rule.address else []),
    ]
    each = [Markup('<a href="{}">{}</a>').format(href, words) for href, words in links]
    return Markup("").join([*parts, Markup('<p class="links">{}</p>').format(Markup(" ").join(each))])


def _time(stamp: str | None) -> str:
    return (stamp or "")[:16].replace("T", " ")
