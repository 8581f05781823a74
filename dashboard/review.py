"""Review: which images are asked about, and the page around the questions."""

from random import SystemRandom

from fastapi import FastAPI
from nicegui import html, ui

from dashboard.access import AccessError, Role, require, trouble
from dashboard.desk import Desk
from dashboard.frame import frame, note, page_at
from dashboard.questions import Asking
from dashboard.reservations import Reservations
from dashboard.site import Site
from store import queries
from store.review_scope import Scope
from store.times import moment


def add(_: FastAPI, site: Site) -> None:
    """Add the page: of all images, or of those that its address names."""
    reservations = Reservations()

    @page_at("/review")
    async def page_review(job_id: str = "", label: str = "", model: str = "", since: str = "") -> None:
        with frame("Review", "/review"):
            try:
                require(Role.REVIEWER)
                scope = scope_of(job_id, label, model, since)
                await _scope_line(site, scope)
            except (AccessError, ValueError) as problem:
                note(trouble(problem), "trouble")
                return
            asking = Asking(site.settings.store, scope, reservations, SystemRandom())
            ui.context.client.on_delete(asking.let_go)
            page = Desk(site, asking, some=scope != Scope())
        ui.timer(0, page.begin, once=True)


def scope_of(job_id: str, label: str, model: str, since: str) -> Scope:
    """Return what an address asks for. Raises ValueError for a time that is none."""
    try:
        return Scope(job_id or None, label or None, model or None, moment(since) if since else None)
    except ValueError as error:
        raise ValueError(f"since={since[:40]}: expected a time such as 2026-11-22") from error


async def _scope_line(site: Site, scope: Scope) -> None:
    """Say among which images the questions are drawn, with the way to all of them."""
    if scope == Scope():
        html.p(
            "Drawn by chance from all images, the doubtful ones more often: so every answer counts."
        ).classes("faint")
        return
    job = await site.asked(lambda connection: queries.job(connection, scope.job or "")) if scope.job else None
    parts = [
        f"job {(job and job.folder) or scope.job}" if scope.job else "",
        f"called {scope.label}" if scope.label else "",
        f"model {scope.model}" if scope.model else "",
        f"since {scope.since:%Y-%m-%d %H:%M} UTC" if scope.since else "",
    ]
    with html.p().classes("faint"):
        html.span(f"Only images of: {', '.join(filter(None, parts))}. ")
        html.a("All images", href="/review")
