"""Where somebody answers: one question at a time, one key each, and the true accuracy after every answer."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from nicegui import events, html, ui

from broker.errors import SettingsError
from broker.messages import Correction, Review
from broker.reviewer import answer, is_taken
from dashboard import question_view
from dashboard.access import AccessError, Role, require, trouble
from dashboard.answers import GONE, called, name_here, taking_back, unanswered
from dashboard.frame import note, nothing_yet
from dashboard.originals import why_none
from dashboard.populations import images_of
from dashboard.questions import Asked, Asking
from dashboard.review_keys import (
    AGREE,
    CLICK,
    ENTER,
    HELD_DOWN,
    HELP,
    KEEP,
    KEYS,
    REPLACE,
    SKIP,
    UNDO,
    help_window,
)
from dashboard.site import Site


class Desk:
    """The page's parts for one question after another, and the answers that were given on it."""

    def __init__(self, site: Site, asking: Asking, *, some: bool) -> None:
        self._site = site
        self._some = some
        self._asking = asking
        self._asked: Asked | None = None
        self._number = 0
        self._busy = False
        self._ahead: list[Asked] = []
        self._drawing: asyncio.Task[Asked | None] | None = None
        self._given: list[tuple[Asked, Review, str]] = []
        self._unsure: set[str] = set()
        """Answers to this question that the store did not answer for: they may stand all the same."""
        self._conflict: tuple[Review, Correction] | None = None
        self._classes: Sequence[str] = ()
        self._make()

    def _make(self) -> None:
        self._whole = html.div().classes("question").props("id=asked").on("keydown", js_handler=HELD_DOWN)
        with self._whole:
            self._pictures = html.div().classes("pictures")
            with html.div():
                self._view = html.div()
                with self._view:
                    note("Looking for an image\N{HORIZONTAL ELLIPSIS}")
                self._status = html.p("").classes("said-now").props("role=status")
                self._between = html.div()
                self._buttons = html.div().classes("classes").props("role=group")
                self._buttons.props["aria-label"] = "What the image shows"
                self._actions = html.div().classes("bar-row actions").props("role=group aria-label=More")
                self._actions.visible = False
        with self._actions:
            self._of_image = [
                self._button("A", "Agree", self._agreed),
                self._button("S", "Skip", self._skip),
            ]
            self._button("U", "Undo", self._undo)
            self._button("?", "Help", self._help)
        self._progress = html.div()
        keyboard = ui.keyboard(repeating=False, ignore=["input", "select", "textarea"])
        keyboard.props["events"] = ["keydown"]
        keyboard.on("key", self._key, js_handler=KEYS)
        self._helping = help_window()

    def _button(self, key: str, words: str, act: Callable[[], Awaitable[None]]) -> html.button:
        async def clicked(event: events.GenericEventArguments) -> None:
            await self._do(act, event.args)

        with html.button().classes("plain keyed").props("type=button") as made:
            html.kbd(key)
            html.span(words)
        return made.on("click", clicked, js_handler=CLICK)

    async def begin(self) -> None:
        """Ask the first question."""
        await self._do(self._next, "0")

    async def _key(self, event: events.GenericEventArguments) -> None:
        key = str(event.args["key"]).lower()
        acts: dict[str, Callable[[], Awaitable[None]]] = {
            AGREE: self._agreed,
            ENTER: self._agreed,
            SKIP: self._skip,
            UNDO: self._undo,
            HELP: self._help,
        }
        if self._conflict is not None:
            acts |= {KEEP: self._keep, REPLACE: self._replace}
        for place, label in enumerate(self._classes[:10], start=1):
            acts[str(place % 10)] = self._naming(label)
        if key in acts and not self._helping.value:
            await self._do(acts[key], event.args.get("shown"))

    async def _do(self, act: Callable[[], Awaitable[None]], shown: object) -> None:
        """Do one thing at a time, and only for the question that was seen."""
        if self._busy or str(shown) != str(self._number):
            return
        self._busy = True
        before = self._number
        try:
            require(Role.REVIEWER)
            await act()
        except (AccessError, SettingsError) as problem:
            self._say(trouble(problem))
        finally:
            self._busy = False
        if self._number != before:
            await self._tell()

    def _say(self, words: str) -> None:
        self._status.clear()
        with self._status:
            html.span(words)

    async def _help(self) -> None:
        self._helping.open()

    async def _agreed(self) -> None:
        if self._asked is not None:
            await self._naming(self._asked.question.label)()

    def _naming(self, label: str) -> Callable[[], Awaitable[None]]:
        async def named() -> None:
            asked = self._asked
            if asked is None:
                return
            if self._conflict is not None:
                self._say("First keep their answer, or replace it.")
                return
            await self._stand(asked, label, asked.said.review_id if asked.said else "")

        return named

    async def _stand(self, asked: Asked, label: str, replaces: str) -> None:
        """Give an answer, and go on once it stands."""
        review = answer(
            name_here(), asked.key, label, how="asked", stratum=asked.question.stratum, replaces=replaces
        )
        told = await self._sent(review, f"{label}: storing\N{HORIZONTAL ELLIPSIS}")
        if told is None:
            self._unsure.add(review.review_id)
            why = await self._why_missing(review)
            self._say(f"{label} is not stored. {why}")
            if why == GONE:
                await self._next()
        elif not is_taken(review, told) and told.standing in self._unsure:
            await self._stand(asked, label, told.standing)  # an earlier press of ours had come through late
        elif not is_taken(review, told):
            self._disagree(review, told)
        else:
            not_so = "" if label == asked.question.label else f", not {asked.question.label}"
            if told.standing in {review.review_id, *self._unsure}:
                self._given.append((asked, review, told.standing))
                self._say(f"\N{CHECK MARK} The last one: {label}{not_so}, stored")
            else:
                self._say(f"\N{CHECK MARK} {told.reviewer or 'Somebody'} had called it {label} just before")
            await self._next()

    async def _sent(self, review: Review, words: str) -> Correction | None:
        self._say(words)
        sent = self._site.answers.submit([review])
        await sent.over()
        return sent.told.get(review.review_id)

    async def _why_missing(self, review: Review) -> str:
        return next(iter(await asyncio.to_thread(unanswered, self._site.settings.store, [review])))

    def _disagree(self, mine: Review, told: Correction) -> None:
        """Show what somebody else answered in the meantime, and ask which is to stand."""
        self._conflict = (mine, told)
        theirs = told.label or "no answer any more"
        self._say("")
        self._between.clear()
        with self._between, html.div().classes("box trouble conflict").props("role=alert"):
            said = called(told.label, told.reviewer, told.reviewed_at) if told.label else "It was taken back"
            html.p(f"{said}, since this image was shown to you. You say {mine.label}.")
            with html.div().classes("bar-row"):
                self._button("K", f"Keep {theirs}", self._keep)
                self._button("R", f"Replace by {mine.label}", self._replace)

    async def _keep(self) -> None:
        self._say("Their answer stays.")
        await self._next()

    async def _replace(self) -> None:
        if self._conflict is None or self._asked is None:
            return
        mine, told = self._conflict
        self._settle()
        self._asked = await asyncio.to_thread(self._asking.again, self._asked)
        await self._stand(self._asked, mine.label, told.standing)

    def _settle(self) -> None:
        self._conflict = None
        self._between.clear()

    async def _skip(self) -> None:
        if self._asked is not None:
            self._asking.let_go(self._asked.key)
            self._say("Skipped.")
            await self._next()

    async def _undo(self) -> None:
        """Take the latest answer back, and show its image again."""
        if not self._given:
            self._say("There is no answer to take back.")
            return
        asked, given, standing = self._given[-1]
        back = taking_back(name_here(), given, asked.said, standing)
        told = await self._sent(back, "Taking it back\N{HORIZONTAL ELLIPSIS}")
        if told is None:
            why = await self._why_missing(back)
            self._say(f"{given.label} was not taken back. {why}")
            if why == GONE:
                self._given.pop()
            return
        self._given.pop()
        if not is_taken(back, told):
            self._say(f"{called(told.label, told.reviewer, told.reviewed_at)} since: that stays.")
            return
        if self._asked is not None:
            self._ahead.insert(0, self._asked)
        await self._present(await asyncio.to_thread(self._asking.again, asked))
        self._say(f"{given.label} was taken back.")

    async def _next(self) -> None:
        """Show the next image that nobody has answered, and draw one ahead."""
        self._asking.take(await images_of(self._site, self._asking.scope))
        while (asked := await self._drawn()) is not None:
            now = await asyncio.to_thread(self._asking.again, asked)
            if (now.said and now.said.review_id) == (asked.said and asked.said.review_id):
                break
            self._asking.let_go(asked.key)
        if asked is None:
            await self._nothing_left()
            return
        await self._present(asked)
        if self._drawing is None:
            self._drawing = asyncio.create_task(asyncio.to_thread(self._asking.next))

    async def _drawn(self) -> Asked | None:
        if self._ahead:
            return self._ahead.pop(0)
        drawing, self._drawing = self._drawing, None
        return await (drawing or asyncio.to_thread(self._asking.next))

    async def _present(self, asked: Asked) -> None:
        self._show(asked, await asyncio.to_thread(why_none, self._site.settings, asked.key))

    def _show(self, asked: Asked, no_photo: str) -> None:
        self._asked = asked
        self._turn()
        with self._pictures:
            question_view.pictures(asked, no_photo)
        with self._view:
            question_view.model_said(asked)
        self._may_act(is_asked=True)
        self._show_classes(asked.question.classes)

    def _may_act(self, *, is_asked: bool) -> None:
        self._actions.visible = is_asked or bool(self._given)
        for button in self._of_image:
            button.visible = is_asked

    def _turn(self) -> None:
        self._settle()
        self._unsure.clear()
        self._number += 1
        self._whole.props["data-number"] = str(self._number)
        self._view.clear()
        self._pictures.clear()

    def _show_classes(self, classes: Sequence[str]) -> None:
        if classes == self._classes:
            return
        self._classes = classes
        self._buttons.clear()
        with self._buttons:
            for place, label in enumerate(classes, start=1):
                self._button(str(place % 10) if place <= 10 else "", label, self._naming(label))

    async def _nothing_left(self) -> None:
        """Say what to do where there is no image, or none that is not answered."""
        self._asked = None
        empty = await asyncio.to_thread(self._asking.is_empty)
        self._turn()
        self._show_classes(())
        self._may_act(is_asked=False)
        with self._view:
            if empty and not self._some:
                nothing_yet("image", self._site.settings, ". Then come back")
                return
            note(question_view.nothing_left(empty=empty), "empty")
            with html.div().classes("bar-row"):
                html.a("All images", href="/review").classes("plain")
                html.a("Jobs", href="/jobs").classes("plain")

    async def _tell(self) -> None:
        """Show where the accuracy stands by now."""
        now = await asyncio.to_thread(self._asking.progress)
        self._progress.clear()
        if any(one.images for one in now.standing.strata) or now.standing.known_images:
            with self._progress:
                question_view.progress(now, len(self._given))
