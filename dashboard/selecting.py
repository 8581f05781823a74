"""Many images at once: tiles are selected in a job's grid, and named together."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from nicegui import events, html, ui

from broker.messages import Review
from broker.reviewer import answer
from dashboard.access import AccessError, Role, require
from dashboard.answers import GONE, Sent, name_here, taking_back, unanswered
from dashboard.fields import VALUE
from dashboard.site import Site
from dashboard.words import count
from store.answers import Key, Said
from store.browsing import Seen
from store.selections import known_classes

LOOK_S = 0.2


class Selecting:
    """Which tiles are selected, over the pages of a grid, and the row of buttons for them."""

    def __init__(self, site: Site, changed: Callable[[], Awaitable[None]]) -> None:
        self._site = site
        self.changed = changed
        self.said: dict[Key, Said] = {}
        self._active = False
        self._chosen: dict[Key, Said | None] = {}
        self._tiles: dict[Key, html.button] = {}
        self._last: Key | None = None
        self._label = ""
        self._stored: list[tuple[Review, Said | None]] = []
        self._busy = False
        self.switch = html.button("Select").classes("plain").props("type=button aria-pressed=false")
        self.switch.props["title"] = "Select images, and say together what they show"
        self.switch.on("click", self._turn)

    async def make(self) -> None:
        """Make the row, which is hidden until it is asked for."""
        classes = await self._site.asked(known_classes)
        with html.div().classes("selecting").props('role=group aria-label="Selected images"') as self._row:
            with html.div().classes("bar-row"):
                self._number = html.span().classes("number").props("role=status")
                self._button("All shown", self._all)
                self._button("None", self._none)
                with html.label():
                    html.span("These are")
                    with html.select().classes("plain") as choice:
                        html.option("choose a class").props("value=''")
                        for label in classes:
                            html.option(label).props["value"] = label
                choice.on("change", self._named, js_handler=VALUE)
                self._store = self._button("Store", self._submit)
                self._back = self._button("Undo", self._undo)
            self._status = html.p().classes("said-now").props("role=status")
        self._row.visible = False
        self._mark()

    def _button(self, words: str, act: Callable[[], object]) -> html.button:
        return html.button(words).classes("plain").props("type=button").on("click", act)

    def _turn(self) -> None:
        self._active = not self._active
        if not self._active:
            self._chosen.clear()
        self._row.visible = self._active
        self._say("")
        self._mark()

    def _named(self, event: events.GenericEventArguments) -> None:
        self._label = str(event.args)
        self._mark()

    def shows(self, tiles: dict[Key, html.button]) -> None:
        """Take over which tiles the grid shows now, in their order."""
        self._tiles = tiles
        if self._last not in tiles:
            self._last = None
        # What is selected and was shown anew is answered in the knowledge of what stands there now.
        for key in self._chosen:
            if key in tiles:
                self._chosen[key] = self.said.get(key)
        self._mark()

    def picked(self, one: Seen, *, shift: bool) -> bool:
        """Select a tile or no more; with shift, all since the one before. False: this is no time for it."""
        if not self._active:
            return False
        key, order = (one.job_id, one.image), list(self._tiles)
        if shift and self._last in order and key in order:
            ends = sorted((order.index(self._last), order.index(key)))
            self._choose(order[ends[0] : ends[1] + 1])
        elif key in self._chosen:
            del self._chosen[key]
        else:
            self._choose([key])
        self._last = key
        self._mark()
        return True

    def _choose(self, keys: Sequence[Key]) -> None:
        self._chosen |= {key: self.said.get(key) for key in keys}

    def _all(self) -> None:
        self._choose(list(self._tiles))
        self._mark()

    def _none(self) -> None:
        self._chosen.clear()
        self._mark()

    def _mark(self) -> None:
        """Show what is selected, and which buttons mean something."""
        self.switch.props["aria-pressed"] = str(self._active).lower()
        for key, tile in self._tiles.items():
            pressed = str(key in self._chosen).lower() if self._active else None
            if tile.props.get("aria-pressed") != pressed:
                if pressed is None:
                    tile.props.pop("aria-pressed")
                else:
                    tile.props["aria-pressed"] = pressed
                tile.update()
        self._number.clear()
        with self._number:
            html.span(f"{count(len(self._chosen), 'images')} selected")
        self._store.props["disabled"] = self._busy or not (self._chosen and self._label)
        self._back.props["disabled"] = self._busy
        self._back.visible = bool(self._stored)
        for button in (self._store, self._back):
            button.update()

    def _say(self, words: str) -> None:
        self._status.clear()
        with self._status:
            html.span(words)

    async def _submit(self) -> None:
        """Store what the selected images show; what others answered in between stays, and selected."""
        chosen, label = dict(self._chosen), self._label
        if not chosen or not label:
            return
        sent = await self._sent(
            lambda name: [
                answer(name, key, label, how="selection", replaces=said.review_id if said else "")
                for key, said in chosen.items()
            ]
        )
        if sent is None:
            return
        taken = {(one.job_id, one.image): one for one in sent.taken}
        self._stored = [(one, chosen[key]) for key, one in taken.items()]
        why = await self._missing(sent)
        for key in (
            *taken,
            *_keys(why.get(GONE, [])),
        ):  # of what is selected by now: somebody may have gone on
            self._chosen.pop(key, None)
        self._say(_outcome(sent, why, f"stored as {label}", "press Store again to replace what they said"))
        await self.changed()

    async def _undo(self) -> None:
        """Put back what stood before the latest answers."""
        sent = await self._sent(
            lambda name: [taking_back(name, one, before, one.review_id) for one, before in self._stored]
        )
        if sent is None:
            return
        why = await self._missing(sent)
        back = set(_keys([*sent.taken, *sent.refused, *why.get(GONE, [])]))
        self._stored = [pair for pair in self._stored if (pair[0].job_id, pair[0].image) not in back]
        self._say(_outcome(sent, why, "taken back", "what they said stays"))
        await self.changed()

    async def _missing(self, sent: Sent) -> dict[str, list[Review]]:
        return await asyncio.to_thread(unanswered, self._site.settings.store, sent.missing)

    async def _sent(self, signed: Callable[[str], Sequence[Review]]) -> Sent | None:
        """Hand somebody's answers over and follow them; None where they may not, or others are under way."""
        if self._busy:
            return None
        try:
            require(Role.REVIEWER)
            reviews = signed(name_here())
        except AccessError as problem:
            self._say(str(problem))
            return None
        self._busy = True
        self._mark()
        sent = self._site.answers.submit(reviews)
        told = ui.timer(LOOK_S, lambda: self._say(f"{len(sent.told):,} of {len(reviews):,} stored"))
        try:
            await sent.over()
        finally:
            told.cancel()
            self._busy = False
        return sent


def _keys(reviews: Sequence[Review]) -> list[Key]:
    return [(one.job_id, one.image) for one in reviews]


def _outcome(sent: Sent, why: Mapping[str, Sequence[Review]], done: str, of_others: str) -> str:
    """Return what became of answers, in words."""
    told = [f"\N{CHECK MARK} {count(len(sent.taken), 'images')} {done}"]
    if refused := len(sent.refused):
        told.append(f"{count(refused, 'images')} somebody answered in the meantime: {of_others}")
    told += [f"{count(len(missing), 'images')} not. {reason}" for reason, missing in why.items()]
    return "; ".join(told)
