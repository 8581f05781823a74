"""Images as tiles: what was seen, what it was called, how sure; a click shows all probabilities."""

import asyncio
from collections.abc import Mapping, Sequence

from nicegui import html, ui

from broker.doubts import BETWEEN_REASONS, doubt
from broker.settings import Settings
from dashboard.frame import address, note, picture
from dashboard.originals import photo
from dashboard.words import ROOT, percent
from store import browsing, queries
from store.browsing import Seen

Pictures = Mapping[tuple[str, str], bytes]


def said_of(one: Seen) -> str:
    """Return what makes an image doubtful, "" for none."""
    return doubt(one.verdict, filter(None, one.reasons.split(BETWEEN_REASONS)))


def tiles(
    settings: Settings, seen: Sequence[Seen], pictures: Pictures, folders: Mapping[str, str] | None = None
) -> None:
    """Show images side by side; with `folders` (by job) each with a link to its job."""
    with html.div().classes("tiles"):
        for one in seen:
            with html.div().classes("tile-of"):
                _tile(settings, one, pictures.get((one.job_id, one.image)))
                if folders is not None:
                    folder = folders.get(one.job_id, one.job_id) or ROOT
                    link = html.a(folder, href=address("/job", job_id=one.job_id))
                    link.props["aria-label"] = f"{folder}, the job of {one.image}"


def _tile(settings: Settings, one: Seen, png: bytes | None) -> None:
    async def opened() -> None:
        await show(settings, one, png)

    with html.button().classes("tile").props("type=button").on("click", opened):
        picture(png, "")
        with html.span().classes("what"):
            html.span(one.label)
            html.span(percent(one.confidence))
        if said := said_of(one):
            html.span(said).classes("doubt")
        name = html.span(one.image).classes("file")
        name.props["title"] = one.image


async def show(settings: Settings, one: Seen, png: bytes | None) -> None:
    """Open a window with one image, large, and all its probabilities."""

    def asked() -> dict[str, float]:
        with queries.reading(settings.store) as connection:
            return browsing.probabilities(connection, one.job_id, one.image)

    shares = await asyncio.to_thread(asked)
    # Beside the tiles, which may be made anew while it is open.
    with ui.context.client.content:
        dialog = ui.dialog()
    dialog.on("hide", dialog.delete)
    with dialog, html.div().classes("detail"):
        html.h2(one.image)
        with html.div().classes("both"):
            await photo(settings, one)
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
        html.button("Close").classes("plain").props("type=button autofocus").on("click", dialog.close)
    dialog.open()


def bar(name: str, share: float, said: str) -> None:
    """Show a share 0..1 as a bar between its name and its figure."""
    html.span(name)
    with html.div().classes("track").props("aria-hidden=true"):
        html.div().classes("fill").style(f"width: {100 * min(1.0, max(0.0, share)):.2f}%")
    html.span(said).classes("right")
