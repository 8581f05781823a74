"""Images as tiles: what was seen, what it was called, how sure; a click shows all probabilities."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from nicegui import events, html, ui

from broker.doubts import BETWEEN_REASONS, doubt
from dashboard.frame import address, note, picture
from dashboard.opinions import Opinions
from dashboard.originals import photo, why_none
from dashboard.site import Site
from dashboard.words import ROOT, percent
from store import browsing, queries
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


def said_of(one: Seen) -> str:
    """Return what makes an image doubtful, "" for none."""
    return doubt(one.verdict, filter(None, one.reasons.split(BETWEEN_REASONS)))


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
    made = {}
    with html.div().classes("tiles"):
        for one in seen:
            key = (one.job_id, one.image)
            with html.div().classes("tile-of"):
                made[key] = _tile(site, one, pictures.get(key), said.get(key), picking)
                if folders is not None:
                    _link(one, folders.get(one.job_id, one.job_id) or ROOT)
    if picking is not None:
        picking.shows(made)


def _link(one: Seen, folder: str) -> None:
    link = html.a(folder, href=address("/job", job_id=one.job_id))
    link.props["aria-label"] = f"{folder}, the job of {one.image}"


def _tile(
    site: Site, one: Seen, png: bytes | None, said: Said | None, picking: Picking | None
) -> html.button:
    async def clicked(event: events.GenericEventArguments) -> None:
        if picking is None or not picking.picked(one, shift=bool(event.args)):
            await show(site, one, png, picking.changed if picking else None)

    tile = html.button().classes("tile").props("type=button")
    with tile.on("click", clicked, js_handler="(event) => emit(event.shiftKey)"):
        picture(png, "")
        with html.span().classes("what"):
            html.span(one.label)
            html.span(percent(one.confidence))
        if doubts := said_of(one):
            html.span(doubts).classes("doubt")
        if said is not None:
            right = "\N{CHECK MARK}" if said.label == one.label else "\N{NOT EQUAL TO}"
            html.span(f"{right} {said.label}, {said.reviewer or 'somebody'}").classes("people")
        name = html.span(one.image).classes("file")
        name.props["title"] = one.image
    return tile


async def show(site: Site, one: Seen, png: bytes | None, changed: Changed | None = None) -> None:
    """Open a window with one image, large, all its probabilities, and what people say of it."""

    def asked() -> dict[str, float]:
        with queries.reading(site.settings.store) as connection:
            return browsing.probabilities(connection, one.job_id, one.image)

    key = (one.job_id, one.image)
    shares, why = await asyncio.to_thread(asked), await asyncio.to_thread(why_none, site.settings, key)
    # Beside the tiles, which may be made anew while it is open.
    with ui.context.client.content:
        dialog = ui.dialog()
    dialog.on("hide", dialog.delete)
    with dialog, html.div().classes("detail"):
        html.h2(one.image)
        with html.div().classes("both"):
            photo(key, why)
            with html.figure():
                picture(png, f"{one.image} as the model saw it")
                html.figcaption("28 by 28 pixels, as the model saw it" if png else "Its pixels are not kept.")
        if said := said_of(one):
            html.p(said).classes("doubt")
        if not shares:
            note("Its row is gone: the job was deleted in the meantime.", "empty")
        with html.div().classes("shares"):
            for label, share in shares.items():
                bar(label, share, percent(share))
        html.p(
            f"Answered by model {one.model_version}, {one.predicted_at[:19].replace('T', ' ')} UTC"
        ).classes("faint")
        opinions = Opinions(site, key, changed)
        html.button("Close").classes("plain").props("type=button autofocus").on("click", dialog.close)
    await opinions.show()
    dialog.open()


def bar(name: str, share: float, said: str) -> None:
    """Show a share 0..1 as a bar between its name and its figure."""
    html.span(name)
    with html.div().classes("track").props("aria-hidden=true"):
        html.div().classes("fill").style(f"width: {100 * min(1.0, max(0.0, share)):.2f}%")
    html.span(said).classes("right")
