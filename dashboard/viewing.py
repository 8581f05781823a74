"""One image, large, in a window: all its probabilities, what people say of it, and the images beside it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from nicegui import events, html, ui

from broker.doubts import BETWEEN_REASONS, doubt
from dashboard.frame import bar, note, picture, write
from dashboard.opinions import Opinions
from dashboard.originals import photo, why_none
from dashboard.site import Site
from dashboard.words import percent
from store import browsing, queries
from store.browsing import Seen

STEPS = {"ArrowLeft": -1, "ArrowRight": 1}
KEYS = """(event) => event.action === 'keydown' && !event.ctrlKey && !event.altKey && !event.metaKey
  && !event.shiftKey && ['ArrowLeft', 'ArrowRight'].includes(event.key) && emit(event.key)"""
# Quasar sends the focus that leaves a window to what has `autofocus`, so that nothing before that is reached.
TURN = """(event) => {
  if (event.key !== 'Tab') return;
  const all = [...event.currentTarget.querySelectorAll('a[href], button:not([disabled])')]
    .filter((one) => one.checkVisibility());
  const [from, to] = event.shiftKey ? [all[0], all.at(-1)] : [all.at(-1), all[0]];
  if (document.activeElement === from) { to.focus(); event.preventDefault(); }
}"""
"""Tab in a window goes round."""


def said_of(one: Seen) -> str:
    """Return what makes an image doubtful, "" for none."""
    return doubt(one.verdict, filter(None, one.reasons.split(BETWEEN_REASONS)))


class Viewing:
    """The window, which goes on to the images before and behind. `changed` is called after an answer."""

    def __init__(
        self,
        site: Site,
        seen: Sequence[tuple[Seen, bytes | None]],
        changed: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._site = site
        self._seen = seen
        self._changed = changed
        self._place = self._wanted = 0
        self._busy = False

    async def open(self, place: int) -> None:
        """Open the window with the image at a place."""
        # Beside the tiles, which may be made anew while it is open.
        with ui.context.client.content:
            dialog = ui.dialog()
        dialog.on("hide", dialog.delete)
        with dialog, html.div().classes("detail").on("keydown", js_handler=TURN):
            with html.div().classes("bar-row viewing"):
                self._back = self._button("\N{LEFTWARDS ARROW} Previous", -1)
                self._next = self._button("Next \N{RIGHTWARDS ARROW}", 1)
                self._where = html.span().classes("faint").props("role=status")
                html.span().classes("grow")
                close = html.button("Close").classes("plain").props("type=button autofocus")
                close.on("click", dialog.close)
            self._image = html.div()
            keyboard = ui.keyboard(repeating=False, ignore=["input", "select", "textarea"])
            keyboard.props["events"] = ["keydown"]
            keyboard.on("key", self._pressed, js_handler=KEYS)
        await self._show(place)
        self._wanted = place
        dialog.open()

    def _button(self, words: str, step: int) -> html.button:
        async def stepped() -> None:
            await self._step(step)

        return html.button(words).classes("plain").props("type=button").on("click", stepped)

    async def _pressed(self, event: events.GenericEventArguments) -> None:
        await self._step(STEPS[str(event.args)])

    async def _step(self, step: int) -> None:
        place = self._wanted + step
        if not 0 <= place < len(self._seen):
            return
        self._wanted = place
        if self._busy:
            return  # the call under way goes on to it
        self._busy = True
        try:
            while self._place != self._wanted:
                await self._show(self._wanted)
        finally:
            self._busy, self._wanted = False, self._place

    async def _show(self, place: int) -> None:
        one, png = self._seen[place]
        key = (one.job_id, one.image)

        def asked() -> tuple[dict[str, float], str]:
            with queries.reading(self._site.settings.store) as connection:
                shares = browsing.probabilities(connection, *key)
            return shares, why_none(self._site.settings, key)

        shares, no_photo = await asyncio.to_thread(asked)
        self._place = place
        self._image.clear()
        with self._image:
            html.h2(one.image)
            with html.div().classes("both"):
                photo(key, no_photo)
                with html.figure():
                    picture(png, f"{one.image} as the model saw it")
                    html.figcaption(
                        "28 by 28 pixels, as the model saw it" if png else "Its pixels are not kept."
                    )
            _model_said(one, shares)
            opinions = Opinions(self._site, key, self._changed)
        await opinions.show()
        write(self._where, f"{place + 1:,} of {len(self._seen):,}")
        for button, stands in ((self._back, place > 0), (self._next, place + 1 < len(self._seen))):
            button.props["disabled"] = not stands
            button.update()


def _model_said(one: Seen, shares: dict[str, float]) -> None:
    if said := said_of(one):
        html.p(said).classes("doubt")
    if not shares:
        note("Its row is gone: the job was deleted in the meantime.", "empty")
    with html.div().classes("shares"):
        for label, share in shares.items():
            bar(label, share, percent(share))
    html.p(f"Answered by model {one.model_version}, {one.predicted_at[:19].replace('T', ' ')} UTC").classes(
        "faint"
    )
