"""`labels export` and `labels import`: to Label Studio and back."""

import json
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from broker.settings import Settings
from cli.errors import CannotRun, Wrong
from cli.export import STDOUT, opened
from cli.given import given
from cli.relabel import stand
from cli.review import JobOption, ReviewerOption
from cli.screen import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.label_studio import Answer
    from store.queries import Connection
    from store.selections import Selection

labels = typer.Typer(
    help="Take labels to Label Studio and back.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(labels, name="labels")


@labels.command()
def export(
    context: typer.Context,
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="FILE", help="Where to write; - is the terminal.")
    ] = STDOUT,
    job: JobOption = None,
    reviewed: Annotated[
        bool, typer.Option("--reviewed", help="Only images that somebody has answered.")
    ] = False,
) -> None:
    """Write images, predictions and answers as Label Studio's tasks.

    An image is in the file itself where its pixels were kept, otherwise it is the path of its photo. One with
    neither is left out.
    """
    from store.queries import reading
    from store.selections import Selection

    settings = given(context).settings
    written = left_out = 0
    with reading(settings.store) as connection, opened(output) as file:
        for task in _tasks(connection, settings, Selection(job=job, reviewed=reviewed or None)):
            if task is None:
                left_out += 1
                continue
            file.write(",\n" if written else "[\n")
            file.write(json.dumps(task, ensure_ascii=False))
            written += 1
        file.write("\n]\n" if written else "[]\n")
    say(f"{written:,} tasks" + (f"; {left_out:,} images have neither pixels nor photo" if left_out else ""))


def _tasks(
    connection: "Connection", settings: Settings, wanted: "Selection"
) -> "Iterator[dict[str, Any] | None]":
    """Yield a task for each image, None for one that cannot be shown; one batch's pixels at a time."""
    from broker.originals import original
    from cli.label_studio import data_uri, task_of
    from store.kept import kept_batch
    from store.png import png
    from store.selections import selected

    for number, images in groupby(selected(connection, wanted), key=lambda one: one.batch):
        kept = kept_batch(connection, number)
        for one in images:
            if one.image in kept:
                yield task_of(one, data_uri(png(*kept[one.image])))
            else:
                photo = original(settings, one.source, one.folder, one.image)
                yield None if photo is None else task_of(one, str(photo))


@labels.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Label Studio's JSON or JSON-MIN.")],
    name: ReviewerOption = None,
) -> None:
    """Take answers from Label Studio's JSON.

    What stands already is passed over. A task with an unknown class or image is one line, and the others are
    taken.

    Exit code 0 only when all of them were.
    """
    settings = given(context).settings
    found, refused = _judged(settings, _content(file))
    if found:
        stand(settings, name, found, "import")
    else:
        say("no new answers")
    if refused:
        raise Wrong(f"{file}: {refused:,} tasks were not taken")


def _content(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except OSError as error:
        raise CannotRun(f"{file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise Wrong(f"{file}: no JSON: {error}") from error


def _judged(settings: Settings, content: Any) -> tuple[list[tuple[str, str, str, None]], int]:
    """Return the answers that are new, and how many tasks are wrong; each of those is said."""
    from cli.label_studio import Complaint, answers_in
    from store.queries import reading
    from store.selections import known_classes

    taken: dict[tuple[str, str], str] = {}
    refused = 0
    with reading(settings.store) as connection:
        classes = known_classes(connection)
        for one in answers_in(content):
            if isinstance(one, Complaint):
                wrong, is_new = one.text, False
            else:
                wrong, is_new = _judgement(connection, one, classes)
            if wrong:
                say(wrong)
                refused += 1
            elif is_new and not isinstance(one, Complaint):
                taken[one.job_id, one.image] = one.label
    return [(*key, label, None) for key, label in taken.items()], refused


def _judgement(connection: "Connection", one: "Answer", classes: tuple[str, ...]) -> tuple[str, bool]:
    """Return what is wrong with an answer, "" for nothing, and whether it is new.

    One that stands already must not be given anew: it would no longer count as drawn by chance.
    """
    from store.answers import answered

    if one.label not in classes:
        return f"task {one.task}: no class is called {one.label!r}", False
    known = answered(connection, one.job_id, [one.image]).get(one.image)
    if known is None:
        return f"task {one.task}: the job {one.job_id} has no prediction for {one.image!r}", False
    return "", known.right != one.label
