"""What people said of one image, and the classes to say otherwise: a part of the window that shows it."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from nicegui import html

from broker.errors import SettingsError
from broker.reviewer import answer, is_taken
from dashboard.access import AccessError, Role, here, require, trouble
from dashboard.answers import called, name_here, unanswered
from dashboard.site import Site
from store import answers, queries
from store.answers import Key, Said
from store.questions import question


class Opinions:
    """The part; `changed` is called after an answer was stored."""

    def __init__(self, site: Site, key: Key, changed: Callable[[], Awaitable[None]] | None = None) -> None:
        self._site = site
        self._key = key
        self._changed = changed
        self._said: Said | None = None
        self._classes: tuple[str, ...] = ()
        self._made: dict[str, html.button] = {}
        with html.div().classes("bar-row"):
            self._people = html.span()
            self._back = self._button("Take back", "")
            self._back.visible = False
        self._asks = html.div()
        self._asks.visible = here().role >= Role.REVIEWER
        with self._asks:
            with html.div().classes("bar-row asks"):
                html.h3("What is it really?")
                html.span("A click stores it.").classes("faint small")
                self._status = html.span("").props("role=status").classes("said-now")
            self._buttons = html.div().classes("classes").props("role=group")
            self._buttons.props["aria-label"] = "What the image shows"

    async def show(self) -> None:
        """Show what people said by now, and the classes to those who may answer."""

        def asked(connection: queries.Connection) -> tuple[Said | None, tuple[str, ...]]:
            found = question(connection, *self._key)
            said = answers.said(connection, [self._key]).get(self._key)
            return said, found.classes if found else ()

        self._said, classes = await self._site.asked(asked)
        self._people.clear()
        with self._people:
            if self._said is None:
                html.span("Nobody has reviewed it.").classes("faint")
            else:
                words = called(self._said.label, self._said.reviewer, self._said.reviewed_at)
                html.span(words).classes("people")
        self._back.visible = self._said is not None and here().role >= Role.REVIEWER
        self._show_classes(classes)

    def _show_classes(self, classes: tuple[str, ...]) -> None:
        """Mark the class that stands. Buttons that are there stay, and so does the focus."""
        if classes != self._classes:
            self._classes = classes
            self._buttons.clear()
            with self._buttons:
                self._made = {label: self._button(label, label) for label in classes}
        for label, button in self._made.items():
            stands = self._said is not None and self._said.label == label
            button.props["aria-pressed"] = str(stands).lower()
            button.update()

    def _button(self, words: str, label: str) -> html.button:
        made = html.button(words).classes("plain").props("type=button")
        return made.on("click", partial(self._answer, label))

    async def _answer(self, label: str) -> None:
        """Say what it shows, in the place of what is shown here and of nothing newer."""
        try:
            require(Role.REVIEWER)
            replaces = self._said.review_id if self._said else ""
            review = answer(name_here(), self._key, label, how="selection", replaces=replaces)
            self._tell("Storing\N{HORIZONTAL ELLIPSIS}")
            sent = self._site.answers.submit([review])
            await sent.over()
            await self.show()
        except (AccessError, SettingsError) as problem:
            self._tell(trouble(problem))
            return
        told = sent.told.get(review.review_id)
        if told is None:
            self._tell(*await asyncio.to_thread(unanswered, self._site.settings.store, [review]))
        elif not is_taken(review, told):
            self._tell("Somebody answered while you looked; yours is not stored. Press again to replace it.")
        else:
            self._tell(f"\N{CHECK MARK} {label}: stored" if label else "\N{CHECK MARK} Taken back")
            if self._changed is not None:
                await self._changed()

    def _tell(self, words: str) -> None:
        self._status.clear()
        with self._status:
            html.span(words)
