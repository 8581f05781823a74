"""Exports: each kind of CSV that `./tailorbird export` writes, of a time that is chosen."""

from collections.abc import Callable
from functools import partial

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from nicegui import events, html

from dashboard.access import Role, here, person_of
from dashboard.downloads import csv_answer
from dashboard.frame import address
from dashboard.moments import moment_field, moment_of
from dashboard.site import Site
from store import exports
from store.exports import Filters

WHAT = {
    "results": "a line for each image",
    "performance": "a line for each job, a column for each class",
    "metrics": "how long each job took",
    "failures": "images without a prediction",
    "days": "a line for each day and source",
    "alerts": "what was not as it should be",
    "reviews": "what people said",
    "events": "the event log",
}
LEAST = {"events": Role.ADMIN}
"""The event log names folders and machines."""


def may(kind: str, role: Role) -> bool:
    """Tell whether somebody may have a kind of export."""
    return role >= LEAST.get(kind, Role.VIEWER)


def add(made: FastAPI, site: Site) -> None:
    """Add the files."""

    @made.get("/export/{kind}.csv")
    def export_csv(request: Request, kind: str, since: str = "", until: str = "") -> Response:
        if kind not in exports.KINDS:
            return _refused(404, f"there is {', '.join(exports.KINDS)}")
        if not may(kind, person_of(request).role):
            return _refused(403, f"{kind} needs the role {LEAST[kind].word}")
        try:
            filters = Filters(since=moment_of(since), until=moment_of(until))
        except ValueError as error:
            return _refused(400, str(error))
        return csv_answer(site.settings, f"{kind}.csv", lambda found: exports.lines(found, kind, filters))


def _refused(status: int, why: str) -> Response:
    return PlainTextResponse(f"{why}\n", status_code=status)


class ExportForm:
    """Two times, and a link for each kind, which follows them."""

    def __init__(self) -> None:
        self._times = {"since": "", "until": ""}
        with html.div().classes("filters two").props('role=group aria-label="Time of what is exported"'):
            moment_field("From (UTC)", "", self._changed("since"))
            moment_field("Before (UTC)", "", self._changed("until"))
        with html.ul().classes("kinds"):
            self._links = {kind: self._link(kind) for kind in WHAT if may(kind, here().role)}

    def _link(self, kind: str) -> html.a:
        with html.li():
            made = (
                html.a(f"{kind}.csv", href=address(f"/export/{kind}.csv")).classes("plain").props("download")
            )
            html.span(WHAT[kind]).classes("faint")
        return made

    def _changed(self, name: str) -> Callable[[events.GenericEventArguments], None]:
        return partial(self._take, name)

    def _take(self, name: str, event: events.GenericEventArguments) -> None:
        self._times[name] = str(event.args or "")
        for kind, link in self._links.items():
            link.props["href"] = address(f"/export/{kind}.csv", **self._times)
            link.update()
