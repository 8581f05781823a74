"""`replay JOB`: a job's kept pixels through another bundle, and what that would change. It writes no row."""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from broker.settings import Model
from broker.spreadsheet import safe_cell
from cli.errors import CannotRun, Wrong
from cli.export import STDOUT, opened
from cli.given import given
from cli.rescoring import Answer, Comparison, Rescored, compare
from cli.screen import answers, say, table

if TYPE_CHECKING:
    from model.classifier import Classifier
    from store.queries import Connection

COLUMNS = ("job", "image", "before", "before_percent", "after", "after_percent", "right")
AT_ONCE = 1024
"""Images that the model is given at once, however many a client put into one batch."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(replay)


def replay(
    context: typer.Context,
    jobs: Annotated[list[str], typer.Argument(metavar="JOB", help="Jobs, as `jobs` shows them.")],
    model: Annotated[
        str | None, typer.Option(metavar="VERSION", help="The bundle to ask. [the current one]")
    ] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Name the images that change.")] = False,
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="How many of them, the surest first.")] = 20,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write all of them as CSV; - is the terminal."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what another bundle would say of jobs.

    Rescores the pixels that were kept. Nothing is written to the database.
    """
    from store import queries

    if as_json and output == STDOUT:
        raise typer.BadParameter("--json and -o - both want the terminal")
    settings = given(context).settings
    classifier = open_classifier(settings.model, model)
    with queries.reading(settings.store) as connection:
        stored = _stored(connection, jobs)
        found = compare(_written(_rescored(connection, jobs, classifier), output), limit=limit)
    if stored and not found.images:
        raise Wrong(f"no pixels of {', '.join(jobs)} are kept ([store] keep_pixels_days)")
    if as_json:
        typer.echo(json.dumps(as_dict(found, stored, classifier.version), indent=2, ensure_ascii=False))
    elif output != STDOUT:
        _show(found, stored, classifier.version, diff=diff)


def open_classifier(settings: Model, version: str | None) -> "Classifier":
    """Open a bundle by its version, or the current one. Raises Wrong and CannotRun."""
    from model.classifier import Classifier
    from model.engines import EngineError
    from model.manifest import BundleError, named_bundle

    try:
        bundle = settings.bundle if version is None else named_bundle(settings.bundle, version)
    except BundleError as error:
        raise Wrong(str(error)) from error
    try:
        return Classifier.open(bundle, settings.engine, settings.threads)
    except (BundleError, EngineError, OSError) as error:
        raise CannotRun(str(error)) from error


def _stored(connection: "Connection", jobs: Iterable[str]) -> int:
    """Return how many predictions the jobs have. Raises Wrong for a job that is none."""
    from store import queries

    found = {job_id: queries.job(connection, job_id) for job_id in jobs}
    for job_id, one in found.items():
        if one is None:
            raise Wrong(f"the database knows no job {job_id!r}")
    return sum(one.stored for one in found.values() if one is not None)


def _rescored(connection: "Connection", jobs: Iterable[str], classifier: "Classifier") -> Iterator[Rescored]:
    """Yield each image of the jobs whose pixels are kept, with both answers."""
    from store.answers import answered
    from store.kept import kept_images

    for job_id in dict.fromkeys(jobs):
        for names, shape, content in kept_images(connection, job_id):
            _check_shape(job_id, shape, classifier)
            before = answered(connection, job_id, names)
            for name, after in zip(names, _answers(classifier, shape, content), strict=True):
                one = before[name]
                old = Answer(one.label, one.confidence, one.suspect)
                yield Rescored(job_id, name, old, after, one.right)


def _check_shape(job_id: str, shape: tuple[int, int, int], classifier: "Classifier") -> None:
    wanted = (classifier.input.height, classifier.input.width)
    if shape[1:] != wanted:
        raise CannotRun(
            f"the pixels of {job_id} are {shape[1]}x{shape[2]}, and {classifier.version} takes"
            f" {wanted[0]}x{wanted[1]}"
        )


def _answers(classifier: "Classifier", shape: tuple[int, int, int], content: bytes) -> Iterator[Answer]:
    import numpy as np

    pixels = np.frombuffer(content, np.uint8).reshape(shape)
    for start in range(0, len(pixels), AT_ONCE):
        found = classifier.classify(pixels[start : start + AT_ONCE])
        for row, label, verdict in zip(found.probabilities, found.labels, found.verdicts, strict=True):
            yield Answer(classifier.classes[label], round(float(row[label]), 6), verdict != "ok")


def _written(rescored: Iterable[Rescored], output: str | None) -> Iterator[Rescored]:
    """Pass the images on, and write those that change to a CSV on the way."""
    if output is None:
        yield from rescored
        return
    with opened(output) as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for one in rescored:
            if one.changed:
                writer.writerow([safe_cell(cell) if isinstance(cell, str) else cell for cell in _cells(one)])
            yield one


def _cells(one: Rescored) -> tuple[object, ...]:
    percent = (round(100 * answer.confidence, 1) for answer in (one.before, one.after))
    before, after = percent
    return one.job_id, one.image, one.before.label, before, one.after.label, after, one.right or ""


def as_dict(found: Comparison, stored: int, version: str) -> dict[str, Any]:
    """Return the figures as JSON has them: shares 0..1, `right` only of the reviewed images."""
    sides = {
        name: {
            "mean_confidence": found.mean(side),
            "suspect": side.suspect,
            "right": side.right if found.reviewed else None,
        }
        for name, side in (("before", found.before), ("after", found.after))
    }
    return {
        "model_version": version,
        "images": found.images,
        "without_pixels": stored - found.images,
        "changed": found.changed,
        "reviewed": found.reviewed,
        **sides,
        "pairs": [{"before": a, "after": b, "images": n} for a, b, n in found.pairs_by_count()],
        "changes": [asdict(one) for one in found.changes],
    }


def _show(found: Comparison, stored: int, version: str, *, diff: bool) -> None:
    share = f": {found.changed / found.images:.2%}" if found.images else ""
    answers().print(f"{found.changed:,} of {found.images:,} images would get another label{share}")
    if stored > found.images:
        say(f"{stored - found.images:,} images were left out: their pixels are not kept")
    rows: list[tuple[object, ...]] = [
        ("mean confidence", *(f"{found.mean(side) or 0:.1%}" for side in (found.before, found.after))),
        ("suspect", found.before.suspect, found.after.suspect),
    ]
    if found.reviewed:
        rows.append((f"right, of {found.reviewed:,} reviewed", found.before.right, found.after.right))
    answers().print("")
    table(("", "before", version), rows, right=("before", version))
    if found.pairs:
        answers().print("")
        table(("before", version, "images"), found.pairs_by_count(), right=("images",))
    if diff and found.changed:
        answers().print("")
        _show_changes(found, version)


def _show_changes(found: Comparison, version: str) -> None:
    rows = [(one.job_id, one.image, _said(one.before), _said(one.after), one.right) for one in found.changes]
    if rows:
        table(("job", "image", "before", version, "right"), rows)
    if found.changed > len(found.changes):
        say(f"{found.changed - len(found.changes):,} more: --limit N, or -o FILE for all")


def _said(answer: Answer) -> str:
    return f"{answer.label} {answer.confidence:.1%}" + (", suspect" if answer.suspect else "")
