"""Images as tiles: what was seen, what it was called, how sure; a click shows all probabilities."""

import asyncio
from collections.abc import Mapping, Sequence

from nicegui import html, ui

from broker.doubts import BETWEEN_REASONS, doubt
from broker.settings import Settings
from dashboard.frame import note, picture
from dashboard.words import percent
from store import browsing, queries
from store.browsing import Seen

Pictures = Mapping[tuple[str, str], bytes]


def said_of(one: Seen) -> str:
    """Return what makes an image doubtful, "" for none."""
    return doubt(one.verdict, filter(None, one.reasons.split(BETWEEN_REASONS)))


def tiles(settings: Settings, seen: Sequence[Seen], pictures: Pictures) -> None:
    """Show images side by side."""
    with html.div().classes("tiles"):
        for one in seen:
            _tile(settings, one, pictures.get((one.job_id, one.image)))


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
    with ui.context.client.content, ui.dialog() as dialog, html.div().classes("detail"):
        html.h2(one.image)
        picture(png, f"{one.image} as the model saw it")
        html.p("28 by 28 pixels, as the model saw it" if png else "Its pixels are not kept.").classes("faint")
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
    dialog.on("hide", dialog.delete)
    dialog.open()


def bar(name: str, share: float, said: str) -> None:
    """Show a share 0..1 as a bar between its name and its figure."""
    html.span(name)
    with html.div().classes("track").props("aria-hidden=true"):
        html.div().classes("fill").style(f"width: {100 * min(1.0, max(0.0, share)):.2f}%")
    html.span(said).classes("right")
