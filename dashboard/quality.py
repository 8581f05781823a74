"""Quality: how sure the model is, how right where people looked, how alike the images are, how quick."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import FastAPI, Query
from fastapi.responses import PlainTextResponse, Response
from nicegui import events, html, ui

from broker.errors import SettingsError
from broker.settings import Settings
from dashboard import quality_cards
from dashboard.access import UNREADABLE, trouble
from dashboard.downloads import csv_text
from dashboard.fields import VALUE
from dashboard.figures import figure
from dashboard.frame import frame, note, nothing_yet, page_at
from dashboard.plots import STYLE
from dashboard.plotted import csv_lines
from dashboard.populations import standing_of
from dashboard.quality_alert_cards import alert_cards
from dashboard.quality_choice import PERIODS, Choice, choice_of, day_of
from dashboard.quality_sections import Found, Section, ask, sections
from dashboard.site import Site
from store import queries
from store.report_reviews import among_of

TO_ITS_PLACE = """
(() => {
  const go = () => {
    const found = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!found) return;
    if (found.tagName === "DETAILS") found.open = true;
    found.scrollIntoView();
    (found.querySelector("summary") || found).focus({preventScroll: true});
  };
  window.addEventListener("hashchange", go);
  go();
})();
"""
"""Opens what an address ends with: the page's parts come after the browser looked for it."""
From = Annotated[str, Query(alias="from")]
To = Annotated[str, Query(alias="to")]


def add(made: FastAPI, site: Site) -> None:
    """Add the page, as its address wants it, and the CSV of each plot."""

    @page_at("/quality")
    async def page_quality(
        period: str = "", first: From = "", last: To = "", source: str = "", model: str = ""
    ) -> None:
        await _quality(site, choice_of(period, first, last, source, model))

    @made.get("/quality.csv")
    def quality_csv(
        plot: str, period: str = "", first: From = "", last: To = "", source: str = "", model: str = ""
    ) -> Response:
        choice = choice_of(period, first, last, source, model)
        try:
            found = _found(site.settings, choice, datetime.now(UTC))
        except SettingsError:
            return PlainTextResponse(f"{UNREADABLE}\n", status_code=503)
        drawn = {one.name: one for section in sections(found) for one in section.plots}
        if plot not in drawn:
            return PlainTextResponse("The page has no such plot.\n", status_code=404)
        return csv_text(f"quality-{plot}.csv", "".join(csv_lines(drawn[plot])))


def _found(settings: Settings, choice: Choice, now: datetime) -> Found:
    with queries.reading(settings.store) as connection:
        return ask(connection, choice.scope(now), settings.monitor)


async def _quality(site: Site, choice: Choice) -> None:
    settings, now = site.settings, datetime.now(UTC)
    ui.add_css(STYLE)
    with frame("Quality", "/quality"):
        try:
            found = await asyncio.to_thread(_found, settings, choice, now)
        except SettingsError as problem:
            note(trouble(problem), "trouble")
            return
        _choices(choice, found)
        html.p(_told(choice, found, now)).classes("faint")
        if found.quality.headline.jobs:
            _Accuracy(site, found).make()
        else:
            _empty(settings, found)
        _show(found, choice, now)
    await ui.context.client.connected()
    ui.run_javascript(TO_ITS_PLACE)


def _show(found: Found, choice: Choice, now: datetime) -> None:
    parts = sections(found) if found.quality.headline.jobs else []
    plots = [one for section in parts for one in section.plots]
    ui.html(alert_cards(found.quality.alerts, plots, now), sanitize=False)
    for section in parts:
        _section(section, found, choice)


def _section(section: Section, found: Found, choice: Choice) -> None:
    html.h2(section.title)
    if section.note:
        html.p(section.note).classes("faint")
    if section.empty:
        with html.p(section.empty).classes("box empty"):
            html.a("Review", href="/review").style("margin-left: 6px")
    drawn = [
        figure(one, lambda name: choice.address("/quality.csv", plot=name), found.alerts)
        for one in section.plots
    ]
    if drawn:
        # Ours, and escaped: sanitizing would take the plots' own elements out.
        ui.html("".join(drawn), sanitize=False).classes("plots")


def _told(choice: Choice, found: Found, now: datetime) -> str:
    scope = found.quality.scope
    since = f"from {scope.since:%Y-%m-%d %H:%M}" if scope.since else ""
    until = f"before {scope.until:%Y-%m-%d %H:%M}" if scope.until else f"to {now:%Y-%m-%d %H:%M}"
    model = " A model's jobs are those that it worked on, whole." if choice.model else ""
    alerts = " Alerts are of all sources and models." if choice.model or choice.source else ""
    whose = "Jobs" if scope.since or scope.until else "All jobs"
    return f"{whose} opened {since} {until}, UTC.{model}{alerts}".replace("  ", " ")


def _empty(settings: Settings, found: Found) -> None:
    if found.sources:
        note("No job is like that: choose a longer period, another source, or another model.", "empty")
    else:
        nothing_yet("job", settings)


def _choices(choice: Choice, found: Found) -> None:
    with html.div().classes("bar-row"):
        with html.div().classes("choice").props('role=group aria-label="Period"'):
            for period, words in PERIODS.items():
                link = html.a(words, href=choice.of_period(period).address("/quality")).classes("plain")
                if choice.period == period:
                    link.props("aria-current=true")
        _days(choice)
        with html.div().classes("bar-row together"):
            _select("Source", "source", choice, found.sources)
            _select("Model", "model", choice, found.models)


def _days(choice: Choice) -> None:
    """Make the fields for two days, and what takes them over: a day half typed is none."""
    chosen: dict[str, Any] = {"first": choice.first, "last": choice.last}

    def changed(name: str, event: events.GenericEventArguments) -> None:
        chosen[name] = day_of(str(event.args))

    def show() -> None:
        days = replace(choice, period="", **chosen) if any(chosen.values()) else choice.of_period("all")
        ui.navigate.to(days.address("/quality"))

    for name, words in (("first", "From"), ("last", "to")):
        with html.label():
            html.span(words)
            box = html.input_().classes("plain").props("type=date")
            box.props["value"] = str(chosen[name] or "")
            box.props["aria-label"] = {"first": "First day", "last": "Last day, included"}[name]
            box.on("change", lambda event, name=name: changed(name, event), js_handler=VALUE)
    html.button("Show these days").classes("plain").props("type=button").on("click", show)


def _select(words: str, name: str, choice: Choice, values: list[str]) -> None:
    chosen: str = getattr(choice, name)

    def changed(event: events.GenericEventArguments) -> None:
        given: dict[str, Any] = {name: str(event.args)}
        ui.navigate.to(replace(choice, **given).address("/quality"))

    with html.label():
        html.span(words)
        with html.select().classes("plain").on("change", changed, js_handler=VALUE):
            for value in dict.fromkeys(("", *values, chosen)):
                option = html.option(value or "all", value=value)
                if value == chosen:
                    option.props("selected")


class _Accuracy:
    """The headline's cards. What reviews say of all images may take seconds: it comes when it is counted."""

    def __init__(self, site: Site, found: Found) -> None:
        self._site = site
        self._found = found

    def make(self) -> None:
        """Make the cards."""
        among = among_of(self._found.quality.scope)
        counting = among is not None and self._found.quality.reviewed.images > 0
        with html.dl().classes("cards"):
            quality_cards.first(self._found)
            self._card = html.div().classes("card")
            quality_cards.others(self._found)
        with self._card:
            quality_cards.before_counting(self._found, counting=counting)
        if counting:
            ui.timer(0.01, self._count, once=True)

    async def _count(self) -> None:
        among = among_of(self._found.quality.scope)
        try:
            standing = None if among is None else await standing_of(self._site, among)
        except SettingsError:
            standing = None
        self._card.clear()
        with self._card:
            quality_cards.counted(self._found, standing)
