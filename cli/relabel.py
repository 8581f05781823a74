"""`relabel`: one label for many images."""

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from broker.settings import Settings
from cli.errors import Wrong
from cli.given import given
from cli.review import JobOption, ReviewerOption
from cli.screen import progress, say, table

if TYPE_CHECKING:
    from broker.messages import Correction, Review
    from broker.reviewer import How
    from store.selections import Labelled, Selection

SAMPLE = 10
AT_ONCE = 5000
Answer = tuple[str, str, str, str | None]
"""A job, an image, what it shows, and the answer that is known to stand, "" for none; None: whichever."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(relabel)


def relabel(  # noqa: PLR0913, PLR0917 - each is an option
    context: typer.Context,
    to: Annotated[str, typer.Option(metavar="NAME", help="What the images show.")],
    was: Annotated[
        str | None, typer.Option("--from", metavar="NAME", help="Only those that are called so now.")
    ] = None,
    job: JobOption = None,
    folder: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="Only folders like this: 'spring*'.")
    ] = None,
    image: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="Only images like this: 'bags/*.png'.")
    ] = None,
    below: Annotated[
        float | None,
        typer.Option(metavar="SHARE", min=0, max=1, help="Only those less sure than this, 0 to 1."),
    ] = None,
    suspect: Annotated[bool, typer.Option("--suspect", help="Only suspect ones.")] = False,
    reviewed: Annotated[
        bool, typer.Option("--reviewed", help="Also those that somebody has answered already.")
    ] = False,
    name: ReviewerOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show which images these are.")] = False,
) -> None:
    """Give many images one label.

    Shows how many there are and some of them, asks, and waits until all answers stand.

    Exit code 0 only when they do.
    """
    from store.selections import Selection

    if (was, job, folder, image, below, suspect) == (None, None, None, None, None, False):
        raise typer.BadParameter("say which images: --from, --job, --folder, --image, --below or --suspect")
    settings = given(context).settings
    wanted = Selection(job, was, folder, image, below, suspect, None if reviewed else False)
    found = _found(settings, wanted, to)
    _show(found, to)
    if not found or dry_run:
        return
    if not yes and not typer.confirm("Relabel them?", err=True):
        raise Wrong("nothing was changed")
    stand(settings, name, [(one.job_id, one.image, to, one.review_id) for one in found], "selection")


def _found(settings: Settings, wanted: "Selection", to: str) -> list["Labelled"]:
    """Return the images that do not have the label yet. Raises Wrong for a class that no model knows."""
    from store.queries import reading
    from store.selections import known_classes, selected

    with reading(settings.store) as connection:
        classes = known_classes(connection)
        if to not in classes:
            raise Wrong(f"no class is called {to!r}; there are {', '.join(classes)}")
        return [one for one in selected(connection, wanted) if one.reviewed != to]


def _show(found: Sequence["Labelled"], to: str) -> None:
    from cli.review_screen import counted

    rows = [
        (one.folder, one.image, one.reviewed or one.label, f"{one.confidence:.1%}")
        for one in islice(found, SAMPLE)
    ]
    if rows:
        table(("folder", "image", "label", "confidence"), rows, right=("confidence",))
    more = f", {len(found) - SAMPLE:,} of them not shown" if len(found) > SAMPLE else ""
    say(f"{counted(len(found), 'image')} to become {to}{more}")


def stand(settings: Settings, name: str | None, answers: Sequence[Answer], how: "How") -> None:
    """Publish answers and wait for all of them with a progress bar. Raises Wrong when some do not stand.

    What somebody else answered since it was looked at stays.
    """
    from broker.reviewer import is_taken, login
    from cli.ending import Ending
    from cli.review_screen import counted
    from cli.reviewer import reviewing

    missing, others = 0, 0

    def heard(review: "Review", told: "Correction") -> None:
        nonlocal others
        others += not is_taken(review, told)

    with (
        Ending() as ending,
        reviewing(settings, login() if name is None else name) as reviewer,
        progress() as bar,
    ):
        task = bar.add_task("storing answers", total=len(answers))
        for at in range(0, len(answers), AT_ONCE):

            def advanced(done: int, before: int = at) -> None:
                bar.update(task, completed=before + done)
                ending.check()

            part = [
                reviewer.answer(job, image, label, how=how, replaces=known)
                for job, image, label, known in answers[at : at + AT_ONCE]
            ]
            missing = len(reviewer.submit(part, advanced, heard))
            if missing:
                missing += len(answers) - at - len(part)
                break
    if others:
        say(f"{counted(others, 'image')} somebody else answered in the meantime: that stays")
    if missing:
        raise Wrong(
            f"{missing:,} of {counted(len(answers), 'answer')} were not stored; the same command goes on"
        )
    say(f"{counted(len(answers) - others, 'answer')} stored")
    if others:
        raise Wrong("the same command shows what is left")
