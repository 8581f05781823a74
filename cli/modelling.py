"""`train` and `evaluate`: the model from the command line."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import CannotRun
from cli.given import given
from cli.screen import answers, progress, say, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress as ProgressBar

    from cli.reviewed import Reviewed
    from model.evaluation import Evaluation
    from model.training import Progress

DATA = "IDX files, fashion-mnist CSV files, or a folder of images per class."


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(train)
    app.command()(evaluate)


def train(
    context: typer.Context,
    data: Annotated[Path, typer.Option(metavar="DIR", exists=True, help=DATA)],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of bundles for the new one. [the configured one]"),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed gives the same model.")] = 0,
    epochs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Passes over the images. [30; 8 from a bundle]")
    ] = None,
    start: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Begin with the weights of this bundle.")
    ] = None,
    with_reviews: Annotated[
        bool,
        typer.Option("--with-reviews", help="Learn from people's answers too, from the current bundle on."),
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the images, three epochs.")] = False,
) -> None:
    """Train a model into a new bundle.

    With --with-reviews it is a candidate: compared with the bundle that serves, and promoted by you alone.
    """
    settings = given(context).settings.model
    # TensorFlow calls notes on its own graphs errors; what is wrong comes as an exception.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from model.data import DataError
    from model.manifest import BundleError, bundles_folder, named_bundle, resolve_bundle
    from model.training import CARRY_ON_EPOCHS, EPOCHS
    from model.training import train as train_model

    try:
        begin = named_bundle(settings.bundle, start) if start else None
        if with_reviews:
            begin = begin or resolve_bundle(settings.bundle)
        known = _reviews(context, begin) if with_reviews and begin else None
        with progress() as bar:
            bundle = train_model(
                data,
                out or bundles_folder(settings.bundle),
                seed=seed,
                epochs=epochs or (EPOCHS if begin is None else CARRY_ON_EPOCHS),
                quick=quick,
                start=begin,
                extra=None if known is None else known.training,
                progress=_advancing(bar),
            )
    except (DataError, BundleError, OSError) as error:
        raise CannotRun(str(error)) from error
    answers().print(f"bundle  {bundle}")
    if known is not None:
        _compare(context, data, known, bundle)


def _advancing(bar: "ProgressBar") -> "Callable[[Progress], None]":
    """Return what shows on the bar where training is."""
    task = bar.add_task("training", total=None)

    def advance(at: "Progress") -> None:
        shown = f"epoch {at.epoch + 1} of {at.epochs}, loss {at.loss:.3f}"
        if at.validation_accuracy is not None:
            shown += f", validation {at.validation_accuracy:.2%}"
        completed = at.epoch * at.steps + at.step
        bar.update(task, description=shown, total=at.epochs * at.steps, completed=completed)

    return advance


def _reviews(context: typer.Context, bundle: Path) -> "Reviewed":
    """Return people's answers. Raises CannotRun where there is none to learn from."""
    from cli.reviewed import reviewed
    from model.manifest import load_manifest
    from store import queries

    manifest = load_manifest(bundle)
    with queries.reading(given(context).settings.store) as connection:
        found = reviewed(connection, manifest.classes, (manifest.input.height, manifest.input.width))
    if not len(found.training):
        raise CannotRun("no reviewed image has its pixels; ./tailorbird review asks for answers")
    aside = f", {found.unusable:,} without pixels or of other classes" if found.unusable else ""
    say(f"{len(found.training):,} reviewed images to learn from, {len(found.held_out):,} held out{aside}")
    return found


def _compare(context: typer.Context, data: Path, known: "Reviewed", bundle: Path) -> None:
    """Measure the candidate beside the bundle that serves."""
    from cli.candidates import measured, relabelled, show
    from model.classifier import Classifier
    from model.data import DataError, load_dataset
    from store import queries

    settings = given(context).settings
    before = Classifier.open(settings.model.bundle, settings.model.engine, settings.model.threads)
    after = Classifier.open(bundle, settings.model.engine, settings.model.threads)
    rows = []
    try:
        rows.append(measured("test images", load_dataset(data, "test", after.input), before, after))
    except DataError as error:
        say(f"no test images: {error}")
    rows.append(measured("reviewed, never trained on", known.held_out, before, after))
    with queries.reading(settings.store) as connection:
        rows.append(relabelled(connection, after))
    show(rows, before.version, after.version)


def evaluate(
    context: typer.Context,
    data: Annotated[Path, typer.Option(metavar="DIR", exists=True, help=DATA)],
    bundle: Annotated[Path | None, typer.Option(metavar="DIR", help="[the configured one]")] = None,
    split: Annotated[str, typer.Option(metavar="NAME", help="test, train or validation.")] = "test",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure the model on labelled images."""
    settings = given(context).settings.model
    from model.classifier import Classifier
    from model.data import DataError, load_dataset
    from model.engines import EngineError
    from model.evaluation import evaluate as evaluate_model
    from model.manifest import BundleError

    try:
        classifier = Classifier.open(bundle or settings.bundle, settings.engine, settings.threads)
        found = evaluate_model(classifier, load_dataset(data, split, classifier.input))
    except (BundleError, DataError, EngineError, OSError) as error:
        raise CannotRun(str(error)) from error
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=2))
    else:
        _show(found, f"{classifier.version} in {classifier.engine}")


def _show(found: "Evaluation", model: str) -> None:
    out = answers().print
    out(f"model              {model}")
    out(f"images             {found.images:,}")
    out(f"accuracy           {found.accuracy:.2%}")
    out(f"balanced accuracy  {found.balanced_accuracy:.2%}")
    out(f"calibration error  {found.ece:.2%}")
    out("")
    figures = ("precision", "recall", "f1")
    rows = [
        (name, *(f"{row[figure]:.3f}" for figure in figures), f"{row['support']:,}")
        for name, row in found.per_class.items()
    ]
    table(("class", *figures, "images"), rows, right=[*figures, "images"])
    out("")
    out("confusion: a row for each class, a column for each answer")
    names = list(found.per_class)
    numbers = [str(index) for index in range(len(names))]
    confusion = [
        (f"{index} {name}", *counts)
        for index, (name, counts) in enumerate(zip(names, found.confusion, strict=True))
    ]
    table(("", *numbers), confusion, right=numbers)
