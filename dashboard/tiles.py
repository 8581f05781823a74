"""Images as tiles: what was seen, what it was called, how sure; a click shows all probabilities."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from nicegui import events, html

from dashboard.frame import address, picture
from dashboard.site import Site
from dashboard.viewing import Viewing, said_of
from dashboard.words import ROOT, percent
from store.answers import Key, Said
from store.browsing import Seen

Pictures = Mapping[tuple[str, str], bytes]
Changed = Callable[[], Awaitable[None]]


class Picking(Protocol):
    """Who decides what a click on a tile means, and knows what people said."""

    said: dict[Key, Said]
    changed: Changed

    def picked(self, one: Seen, *, shift: bool) -> bool:
        """Take a click; False where the image is to be shown."""

    def shows(self, tiles: dict[Key, html.button]) -> None:
        """Take over which tiles are shown, in their order."""


def tiles(
    site: Site,
    seen: Sequence[Seen],
    pictures: Pictures,
    picking: Picking | None = None,
    folders: Mapping[str, str] | None = None,
) -> None:
    """Show images side by side, with `folders` (by job) each with a link to its job.

    `picking` is asked what a click means.
    """
    said = picking.said if picking else {}
    shown = [(one, pictures.get((one.job_id, one.image))) for one in seen]
    viewing = Viewing(site, shown, picking.changed if picking else None)
    made = {}
    with html.div().classes("tiles"):
        for place, (one, png) in enumerate(shown):
            key = (one.job_id, one.image)
            with html.div().classes("tile-of"):
                made[key] = _tile(one, png, said.get(key), picking, partial(viewing.open, place))
                if folders is not None:
                    _link(one, folders.get(one.job_id, one.job_id) or ROOT)
    if picking is not None:
        picking.shows(made)


def _link(one: Seen, folder: str) -> None:
    link = html.a(folder, href=address("/job", job_id=one.job_id))
    link.props["aria-label"] = f"{folder}, the job of {one.image}"


def _tile(
    one: Seen, png: bytes | None, said: Said | None, picking: Picking | None, show: Changed
) -> html.button:
    async def clicked(event: events.GenericEventArguments) -> None:
        if picking is None or not picking.picked(one, shift=bool(event.args)):
            await show()

    tile = html.button().classes("tile").props("type=button")
    with tile.on("click", clicked, js_handler="(event) => emit(event.shiftKey)"):
        picture(png, "")
        with html.span().classes("what"):
            html.span(one.label)
            html.span(percent(one.confidence))
        if doubts := said_of(one):
            html.span(doubts).classes("doubt")
        if said is not None:
            is_right = said.label == one.label
            sign = "\N{CHECK MARK}" if is_right else "\N{NOT EQUAL TO}"
            opinion = html.span(f"{sign} {said.label}, {said.reviewer or 'somebody'}")
            opinion.classes("people" if is_right else "people differs")
        name = html.span(one.image).classes("file")
        name.props["title"] = one.image
    return tile
