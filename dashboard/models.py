"""Models: the bundles side by side, which one serves, and what the gate says of another."""

import asyncio
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, Response
from nicegui import events, html, ui

from broker.errors import SettingsError
from broker.settings import Settings
from dashboard import disputes
from dashboard.access import Role, here, trouble
from dashboard.bundles import Shelf, look, serving
from dashboard.compared import answered_rows, bundle_lines
from dashboard.downloads import csv_answer, csv_text
from dashboard.fields import VALUE
from dashboard.frame import address, frame, note, page_at
from dashboard.model_desk import Desk
from dashboard.model_plots import KINDS
from dashboard.model_tables import BUNDLES, bundle_row, compared_table, figures, recorded_plots
from dashboard.plots import STYLE
from dashboard.plotted import csv_lines
from dashboard.populations import standing_of
from dashboard.promotion import Panel
from dashboard.site import Site
from dashboard.words import count
from store import queries
from store.disagreements import disputed_lines, pair_lines
from store.estimates import Estimate, not_enough
from store.model_figures import Answered, answered, has_reviews
from store.review_scope import Scope

LOOK_S = 1.0
UNREAD = "Not every bundle can be read; an administrator sees why."


def add(made: FastAPI, site: Site) -> None:
    """Add the page and its CSV files."""
    settings, desk = site.settings, Desk(site.settings)

    @page_at("/models")
    async def page_models(a: str = "", b: str = "") -> None:
        ui.add_css(STYLE)
        with frame("Models", "/models"):
            page = _Models(site, desk, a, b)
            await page.show()
        ui.timer(LOOK_S, page.look, immediate=False)
        ui.timer(0.05, page.count, once=True)

    @made.get("/models.csv")
    def models_csv() -> Response:
        def lines(connection: queries.Connection) -> Iterator[str]:
            return bundle_lines(look(settings.model), answered(connection))

        return csv_answer(settings, "models.csv", lines)

    @made.get("/disagreements.csv")
    def disagreements_csv(a: str = "", b: str = "") -> Response:
        name = f"disagreements {a} {b}.csv"
        return csv_answer(settings, name, lambda connection: disputed_lines(connection, a, b))

    @made.get("/disagreement-pairs.csv")
    def pairs_csv(a: str = "", b: str = "") -> Response:
        return csv_answer(settings, f"pairs {a} {b}.csv", lambda connection: pair_lines(connection, a, b))

    @made.get("/model.csv")
    def model_csv(version: str, plot: str) -> Response:
        found = look(settings.model).named(version)
        drawn = KINDS[plot](found.manifest) if found is not None and plot in KINDS else None
        if drawn is None:
            return PlainTextResponse("No bundle of that name has recorded that.\n", status_code=404)
        return csv_text(f"{plot} {version}.csv", "".join(csv_lines(drawn)))


def chosen_of(shelf: Shelf, a: str, b: str) -> list[str]:
    """Return the one or two versions to show: as asked for, else the one that serves and the newest other."""
    known = [one.version for one in shelf.bundles]
    first = next((one for one in (a, shelf.current, *known) if one in known), "")
    second = next((one for one in (b, *known) if one in known and one != first), "")
    return [one for one in (first, second) if one]


class _Models:
    """The page's parts. The address follows the choice, so that a comparison can be kept and sent."""

    def __init__(self, site: Site, desk: Desk, a: str, b: str) -> None:
        self._site = site
        self._settings = site.settings
        self._watch = site.watch
        self._asked = (a, b)
        self._shelf = Shelf("")
        self._chosen: list[str] = []
        self._known: dict[str, Answered] = {}
        self._accuracies: dict[str, Estimate] = {}
        self._parts = {name: html.div() for name in ("head", "list", "choice")}
        self._panel = Panel(desk)
        for name in ("figures", "database", "disputes", "plots"):
            self._parts[name] = html.div()

    async def show(self) -> None:
        """Read the bundles and show the two that are chosen."""
        self._shelf, self._known, problem = await asyncio.to_thread(_ask, self._settings)
        self._chosen = chosen_of(self._shelf, *self._asked)
        self._make("head", self._head, problem)
        self._make("list", self._list)
        self._make("choice", self._choice)
        self._compare()

    def _make(self, name: str, make: Any, *what: object) -> None:
        self._parts[name].clear()
        with self._parts[name]:
            make(*what)

    def _compare(self) -> None:
        candidate = next((one for one in reversed(self._chosen) if one != self._shelf.current), "")
        self._panel.show(self._shelf, candidate)
        bundles = [one for version in self._chosen if (one := self._shelf.named(version))]
        for name, make in (("figures", figures), ("plots", recorded_plots)):
            self._make(name, make, bundles)
        self._make("database", self._database)
        self._parts["disputes"].clear()

    async def look(self) -> None:
        """Follow what was asked for, the predictors, and which bundle serves, whoever chose it."""
        present = await asyncio.to_thread(self._watch.present)
        if await asyncio.to_thread(serving, self._settings.model) != self._shelf.current:
            await self.show()
            await self.count()
        self._panel.look(present.services)

    async def count(self) -> None:
        """Count what takes longer: the accuracy from reviews, and where the two disagree."""
        chosen = list(self._chosen)
        for version in chosen:
            if version not in self._accuracies:
                self._accuracies[version] = await _accuracy(self._site, version)
        if chosen != self._chosen:
            return
        self._make("database", self._database)
        if len(chosen) == 2:
            with self._parts["disputes"]:
                html.h2("Where they disagree")
                place = html.div()
            with place:
                html.p("Counting \N{HORIZONTAL ELLIPSIS}").classes("faint")
            await disputes.show(self._site, place, *chosen)

    def _head(self, problem: SettingsError | None) -> None:
        is_admin = here().role >= Role.ADMIN
        for said in self._shelf.troubles if is_admin else [UNREAD] * bool(self._shelf.troubles):
            note(said, "trouble")
        if problem is not None:
            note(trouble(problem), "trouble")
        if not self._shelf.bundles:
            where = f"No bundle lies in {self._shelf.folder}" if is_admin else "There is no bundle"
            note(f"{where}: ./tailorbird train makes one.", "empty")

    def _list(self) -> None:
        if not self._shelf.bundles:
            return
        with BUNDLES.made():
            for one in self._shelf.bundles:
                bundle_row(one, self._shelf.current, self._known.get(one.version))
        with html.div().classes("bar-row").style("margin-top: 12px"):
            html.a(f"CSV of {count(len(self._shelf.bundles), 'bundles')}", href="/models.csv").classes(
                "plain"
            ).props("download")
        if len(self._shelf.bundles) == 1:
            note(
                "There is one bundle. ./tailorbird train --data DIR, or train --with-reviews, makes another;"
                " it is then compared here, and promoted if it is the better one."
            )

    def _choice(self) -> None:
        if len(self._chosen) < 2:
            return
        html.h2("Side by side")
        with html.div().classes("bar-row"):
            for place, words in enumerate(("This", "and that")):
                with html.label():
                    html.span(words)
                    self._select(place)

    def _select(self, place: int) -> None:
        async def chose(event: events.GenericEventArguments) -> None:
            await self._choose(place, str(event.args))

        box = html.select().classes("plain").on("change", chose, js_handler=VALUE)
        box.props["aria-label"] = ("The first bundle", "The second bundle")[place]
        with box:
            for one in self._shelf.bundles:
                words = f"{one.version} (serves)" if one.version == self._shelf.current else one.version
                option = html.option(words).props(f'value="{one.version}"')
                if one.version == self._chosen[place]:
                    option.props("selected")

    async def _choose(self, place: int, version: str) -> None:
        """Take another bundle into one of the two places; the same twice changes places."""
        if self._shelf.named(version) is None:
            return
        changed = version == self._chosen[1 - place]
        if changed:
            self._chosen.reverse()
        else:
            self._chosen[place] = version
        self._asked = (self._chosen[0], self._chosen[1])
        ui.navigate.history.replace(address("/models", a=self._chosen[0], b=self._chosen[1]))
        if changed:  # what stands in the box that was not touched
            self._make("choice", self._choice)
        self._compare()
        await self.count()

    def _database(self) -> None:
        if self._chosen:
            known = [self._known.get(version) for version in self._chosen]
            accuracies = [self._accuracies.get(version) for version in self._chosen]
            html.h2(
                "What the database knows of them"
                if len(self._chosen) > 1
                else "What the database knows of it"
            )
            compared_table("In the database", self._chosen, answered_rows(known, accuracies))


def _ask(settings: Settings) -> tuple[Shelf, dict[str, Answered], SettingsError | None]:
    shelf = look(settings.model)
    try:
        with queries.reading(settings.store) as connection:
            return shelf, answered(connection), None
    except SettingsError as problem:
        return shelf, {}, problem


async def _accuracy(site: Site, version: str) -> Estimate:
    try:
        if not await site.asked(lambda connection: has_reviews(connection, version)):
            return not_enough(0)
        return (await standing_of(site, Scope(model=version))).accuracy
    except SettingsError:
        return Estimate(None, None, None, 0)
