"""The part of the models' page that changes something: try a bundle at the gate, promote it, go back."""

import time
from collections.abc import Callable, Sequence

from nicegui import events, html, ui

from broker.messages import UNMEASURED, ModelAnswer, ModelDifference, Status
from dashboard.access import AccessError, Role, here, require
from dashboard.answers import name_here
from dashboard.bundles import Shelf
from dashboard.compared import Better, Row, shares
from dashboard.fields import VALUE
from dashboard.frame import Table, note
from dashboard.model_desk import Action, Asked, BusyError, Desk
from dashboard.words import SPACE, count

TRY_FIRST = "Try it first: promoting follows, with what the gate says."


class Panel:
    """The buttons, and what has become of the latest wish."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._shelf = Shelf("")
        self._version = ""
        self._shown: object = None
        self._place = html.div()
        self._said = html.div()

    def show(self, shelf: Shelf, version: str) -> None:
        """Show what can be done with a version, "" for none, beside the one that serves."""
        self._shelf, self._version, self._shown = shelf, version, None
        self.look(())

    def look(self, services: Sequence[Status]) -> None:
        """Show how far the latest wish is, where that is new."""
        asked = self._desk.asked
        if asked is not None and asked.is_past:
            asked = None
        waited_s = 0 if asked is None or asked.over else int(time.monotonic() - asked.at)
        follows = _following(asked, services)
        now = (asked, waited_s, follows)
        if now == self._shown:
            return
        self._shown = now
        self._place.clear()
        with self._place:
            self._buttons(asked)
        self._said.clear()
        with self._said.props("role=status"):
            if asked is not None:
                self._progress(asked, waited_s, follows)

    def _buttons(self, asked: Asked | None) -> None:
        shelf = self._shelf
        if here().role < Role.ADMIN:
            html.p("Promoting and rolling back need the role admin.").classes("faint")
            return
        if shelf.for_good:
            note(f"[model] bundle names one bundle for good; to choose here, let it name {shelf.folder}.")
            return
        busy = asked is not None and not asked.over
        tried = asked if asked is not None and asked.is_try_of(self._version, shelf.current) else None
        verdict = tried.answer if tried is not None and tried.phase == "answered" else None
        ready = verdict is not None and bool(verdict.differences or verdict.objections)
        candidate = bool(self._version) and self._version != shelf.current
        with html.div().classes("bar-row"):
            if candidate:
                self._button(f"Try {self._version} at the gate", self._try, disabled=busy)
                self._button(
                    f"Promote {self._version} \N{HORIZONTAL ELLIPSIS}",
                    lambda: self._confirm_promotion(verdict),
                    disabled=busy or not ready,
                )
            if shelf.previous:
                words = f"Roll back to {shelf.previous} \N{HORIZONTAL ELLIPSIS}"
                self._button(words, self._confirm_rollback, disabled=busy)
            if candidate and not ready and not busy:
                html.span(TRY_FIRST).classes("faint")

    def _button(self, text: str, pressed: Callable[[], None], *, disabled: bool) -> None:
        made = html.button(text).classes("plain").props("type=button").on("click", pressed)
        made.props["disabled"] = disabled

    def _try(self) -> None:
        self._ask("try", self._version)

    def _ask(self, action: Action, version: str, overrides: Sequence[str] = ()) -> None:
        try:
            ask(self._desk, self._shelf, action, version, overrides)
        except (AccessError, BusyError) as problem:
            self._said.clear()
            with self._said:
                note(str(problem), "trouble")
            return
        self.look(())

    def _confirm_promotion(self, verdict: ModelAnswer | None) -> None:
        against = verdict.objections if verdict is not None else ()
        version, serves = self._version, self._shelf.current
        said = (
            f"It takes the place of {serves}. Predictors change over one after the other, without a pause,"
            " and a rollback leads back."
        )

        def confirmed() -> None:
            self._ask("promote", version, against)

        _confirm(f"Promote {version}?", said, "Promote", confirmed, against=against, typed=version)

    def _confirm_rollback(self) -> None:
        back, serves = self._shelf.previous, self._shelf.current
        said = f"{back} serves again in the place of {serves}. Nothing is measured: it has served before."

        def confirmed() -> None:
            self._ask("rollback", back)

        _confirm(f"Roll back to {back}?", said, "Roll back", confirmed)

    def _progress(self, asked: Asked, waited_s: int, follows: str) -> None:
        request = asked.request
        who = f" for {request.by}" if request.by else ""
        if not asked.over:
            doing = {"try": "Measuring", "promote": "Promoting", "rollback": "Rolling back to"}[
                request.action
            ]
            waits = "a predictor is at it" if asked.phase == "taken" else "waiting for a predictor"
            note(f"{doing} {request.version}{who}: {waits}, {waited_s}{SPACE}s. Predictions go on.")
            return
        if asked.answer is None:
            note(f"{request.version}: {_to_admins(asked.said)}.", "trouble")
            return
        if request.action == "try" and request.version != self._version:
            return
        _answer(asked.answer, follows)


def ask(desk: Desk, shelf: Shelf, action: Action, version: str, overrides: Sequence[str] = ()) -> None:
    """Ask for what changes the model, against the objections that were shown.

    Raises AccessError for who is no admin, and BusyError.
    """
    require(Role.ADMIN)
    by = name_here()
    desk.ask(action, version, current=shelf.current, bundles=shelf.folder, by=by, overrides=overrides)


def _following(asked: Asked | None, services: Sequence[Status]) -> str:
    """Say how many predictors serve what was promoted, "" where nothing was."""
    if asked is None or asked.answer is None or asked.request.action == "try" or asked.answer.state != "done":
        return ""
    wanted = asked.answer.current
    serving = [
        one.detail.get("model") == wanted
        for one in services
        if (one.service, one.state) == ("predictor_service", "online") and not one.detail.get("shadow")
    ]
    if not serving:
        return ""
    if all(serving):
        return f"Every predictor ({len(serving)}) serves it."
    return f"{sum(serving)} of {count(len(serving), 'predictors')} serve it so far."


def _to_admins(said: str) -> str:
    """Return why something was not done, which may name folders."""
    return said if here().role >= Role.ADMIN else "an administrator sees why"


def _answer(answer: ModelAnswer, follows: str) -> None:
    """Show what the gate, or the promotion, came to."""
    done = answer.state == "done"
    if answer.action == "try" and done:
        _verdict(answer)
    elif done:
        words = "serves again" if answer.action == "rollback" else "was promoted"
        overridden = [f"Overridden: {one}" for one in answer.objections]
        note("\n".join([f"\N{CHECK MARK} {answer.current} {words}. {follows}".strip(), *overridden]))
    else:
        told = "\n".join([f"\N{BALLOT X} Not done: {_to_admins(answer.detail)}.", *answer.objections])
        note(told, "trouble")
    if answer.differences and answer.current != answer.version:
        _figures(answer)


def _verdict(answer: ModelAnswer) -> None:
    against = [one for one in answer.objections if one != UNMEASURED]
    if against:
        html.p(f"\N{BALLOT X} The gate has something against {answer.version}:").classes("bad")
        _objections(against)
    elif answer.measured:
        html.p(f"\N{CHECK MARK} The gate lets {answer.version} pass.").classes("good")
    if UNMEASURED in answer.objections:
        _unmeasured()


def _unmeasured() -> None:
    """Say that the gate knows little, and what lets it know more."""
    html.p("! Not measured: the gate has no labelled images here, and compared what both recorded.").classes(
        "warn"
    )
    with html.p():
        html.span("To have both measured, write the line ")
        html.code('gate_images = "/srv/labelled"')
        html.span(" below ")
        html.code("[model]")
        html.span(" in config.toml, with a folder of yours that has a folder of photos for each class.")


def _objections(against: Sequence[str]) -> None:
    with html.ul().classes("objections"):
        for one in against:
            html.li(one[:1].upper() + one[1:])


def _figures(answer: ModelAnswer) -> None:
    """Show what the gate compared, the version that serves first."""
    where = "Measured here, on the same labelled images" if answer.measured else "As recorded in training"
    names = ("Figure", answer.current, answer.version, "Difference")
    html.h3(where)
    with html.div().classes("two"):
        table = Table("What the gate compared", names, right=names[1:])
        with table.made():
            for one in answer.differences:
                row = _row(one)
                table.row(row.name, *row.cells, f"{row.difference} {row.means}".strip())


def _row(one: ModelDifference) -> Row:
    name = one.figure[:1].upper() + one.figure[1:]
    if one.figure == "images/s":
        ratio = f"{one.after / one.before:.2f} times" if one.before else ""
        return Row(name, (f"{one.before:,.0f}", f"{one.after:,.0f}"), ratio)
    better: Better = ""
    if one.figure.startswith(("accuracy", "balanced", "recall")):
        better = "more"
    elif one.figure.startswith("calibration"):
        better = "less"
    return shares(name, [one.before, one.after], better)


def _confirm(
    title: str,
    said: str,
    word: str,
    confirmed: Callable[[], None],
    *,
    against: Sequence[str] = (),
    typed: str = "",
) -> None:
    """Ask again in a window; with objections the version must be typed."""
    given = ""

    def wrote(event: events.GenericEventArguments) -> None:
        nonlocal given
        given = str(event.args).strip()
        button.props["disabled"] = given != typed
        button.update()

    def pressed() -> None:
        if not against or given == typed:
            dialog.close()
            confirmed()

    with ui.context.client.content, ui.dialog() as dialog, html.div().classes("detail"):
        html.h2(title)
        html.p(said)
        if against:
            html.p("This overrides the gate:").classes("bad")
            _objections(against)
            with html.label():
                html.p(f"Type {typed} to promote it all the same")
                box = html.input_().classes("plain").props("type=text autocomplete=off autofocus")
                box.on("input", wrote, js_handler=VALUE)
                box.on("keydown.enter", pressed)
        with html.div().classes("bar-row").style("margin-top: 14px"):
            button = html.button(word).classes("plain").props("type=button").on("click", pressed)
            button.props["disabled"] = bool(against)
            cancel = html.button("Cancel").classes("plain").props("type=button").on("click", dialog.close)
            if not against:
                cancel.props("autofocus")
    dialog.on("hide", dialog.delete)
    dialog.open()
