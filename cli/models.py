"""`models` and `bench model`: the bundles, their figures, and which one serves."""

import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.disagreements import disagree
from cli.errors import CannotRun, Wrong
from cli.given import given
from cli.modelling import DATA
from cli.ownership import acting_as_owner
from cli.screen import answers, say, table

if TYPE_CHECKING:
    from model.registry import Difference, Trial

models = typer.Typer(
    help="List, show, compare, promote and roll back bundles.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)
bench = typer.Typer(
    help="Measure how fast something is here.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

Version = Annotated[str, typer.Argument(metavar="VERSION")]
Data = Annotated[Path, typer.Option("--data", metavar="DIR", exists=True, help=DATA)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    models.command()(disagree)
    app.add_typer(models, name="models")
    app.add_typer(bench, name="bench")


def bundles_of(context: typer.Context) -> Path:
    """Return the directory of bundles that the configuration names, or that its one bundle lies in."""
    from model.manifest import bundles_folder

    return bundles_folder(given(context).settings.model.bundle)


@models.command("list")
def list_(context: typer.Context, as_json: Json = False) -> None:
    """List the bundles, the newest last.

    A star marks the one that serves.
    """
    from model.manifest import BundleError, current_version, list_bundles

    folder = bundles_of(context)
    try:
        found, current = list_bundles(folder), current_version(folder)
    except BundleError as error:
        raise CannotRun(str(error)) from error
    if as_json:
        rows = [{"current": one.version == current, **one.to_dict()} for one in found]
        typer.echo(json.dumps(rows, indent=2, default=str))
        return
    table(
        ("", "version", "created", "weights", "validation accuracy", "engines' graphs"),
        [
            (
                "*" if one.version == current else "",
                one.version,
                one.created_at,
                f"{one.weights:,}",
                _percent(one.accuracy.get("validation", {}).get("accuracy")),
                ", ".join(sorted(one.graphs)),
            )
            for one in found
        ],
        right=("weights", "validation accuracy"),
        whole=("version",),
    )


@models.command()
def show(context: typer.Context, version: Version) -> None:
    """Print a bundle's card."""
    card = _bundle(context, version) / "card.md"
    try:
        typer.echo(card.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise Wrong(f"{version} has no card") from error


@models.command()
def compare(
    context: typer.Context,
    before: Annotated[str, typer.Argument(metavar="A")],
    after: Annotated[str, typer.Argument(metavar="B")],
    data: Data,
    as_json: Json = False,
) -> None:
    """Set two bundles side by side on the same labelled images."""
    differences = _differences(context, before, after, data)
    if as_json:
        typer.echo(
            json.dumps({d.figure: {"before": d.before, "after": d.after} for d in differences}, indent=2)
        )
    else:
        _show(differences, before, after)


@models.command()
def promote(
    context: typer.Context,
    version: Version,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", exists=True, help=f"What the gate measures on: {DATA}"),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Promote all the same, and say what that overrode.")
    ] = False,
) -> None:
    """Let a bundle serve from now on, if it passes the gate.

    The gate measures it and the current one on the same images: accuracy, recall of each class, calibration,
    speed. Running predictors change over by themselves.
    """
    from model.manifest import BundleError, current_version
    from model.registry import GateError
    from model.registry import promote as promote_bundle

    folder = _choosable(context)
    current = current_version(folder)
    if data is None and not force:
        raise typer.BadParameter("the gate needs labelled images: --data DIR (or --force goes without)")
    _bundle(context, version)
    differences = _differences(context, current, version, data) if current and data else []
    if differences:
        _show(differences, str(current), version)
    try:
        with _as_owner(context, folder):
            overridden = promote_bundle(folder, version, differences, force=force, replaces=current or "")
    except GateError as error:
        raise Wrong(str(error)) from error
    except (BundleError, OSError) as error:
        raise CannotRun(str(error)) from error
    for objection in overridden:
        say(f"overridden: {objection}")
    if not differences:
        say("overridden: nothing was measured")
    back = f"; ./tailorbird models rollback goes back to {current}" if current not in (None, version) else ""
    answers().print(f"{version} serves from now on{back}")


@models.command()
def rollback(context: typer.Context) -> None:
    """Let the bundle serve that did before."""
    from model.manifest import BundleError
    from model.registry import rollback as roll_back

    folder = _choosable(context)
    try:
        with _as_owner(context, folder):
            version = roll_back(folder)
    except BundleError as error:
        raise Wrong(str(error)) from error
    except OSError as error:
        raise CannotRun(str(error)) from error
    answers().print(f"{version} serves from now on")


@bench.command("model")
def bench_model(
    context: typer.Context,
    bundle: Annotated[Path | None, typer.Option(metavar="DIR", help="[the configured one]")] = None,
    seconds: Annotated[float, typer.Option(metavar="S", min=0.1, help="For each batch size.")] = 1.0,
    as_json: Json = False,
) -> None:
    """Measure every engine.

    Images per second, milliseconds by batch size, start time and memory.
    """
    from model.benchmark import BATCHES, measure_engine
    from model.engines import ENGINES, EngineError

    settings = given(context).settings.model
    found = []
    for engine in ENGINES:
        try:
            found.append(measure_engine(bundle or settings.bundle, engine, settings.threads, seconds))
        except EngineError as error:
            say(str(error))
    if as_json:
        typer.echo(json.dumps([one.to_dict() for one in found], indent=2))
        return
    sizes = [f"ms at {size}" for size in BATCHES]
    rows = [
        (
            one.engine,
            f"{one.images_per_s:,.0f}",
            *(f"{one.batch_ms[str(size)]:.2f}" for size in BATCHES),
            f"{one.start_s:.2f}",
            f"{one.memory_mib:.0f}",
        )
        for one in found
    ]
    columns = ("engine", "images/s", *sizes, "start s", "memory MiB")
    table(columns, rows, right=columns[1:])


def _choosable(context: typer.Context) -> Path:
    """Return the directory of bundles. Raises CannotRun where the configuration names one bundle for good."""
    configured = given(context).settings.model.bundle
    folder = bundles_of(context)
    if folder != configured:
        raise CannotRun(f"[model] bundle names one bundle, {configured}; to choose, let it name {folder}")
    return folder


def _as_owner(context: typer.Context, folder: Path) -> AbstractContextManager[None]:
    """Act as the state's owner where the bundles lie in the state, so that root writes there by no path."""
    state = given(context).settings.paths.state
    return acting_as_owner(state) if folder.is_relative_to(state) else nullcontext()


def _bundle(context: typer.Context, version: str) -> Path:
    """Return the folder of a bundle. Raises Wrong when there is none of that name."""
    from model.manifest import BundleError, named_bundle

    try:
        return named_bundle(given(context).settings.model.bundle, version)
    except BundleError as error:
        raise Wrong(
            f"no bundle is called {version!r}; ./tailorbird models list tells which there are"
        ) from error


def _differences(context: typer.Context, before: str, after: str, data: Path) -> "list[Difference]":
    from model.registry import compare as compare_trials

    return compare_trials(_trial(context, before, data), _trial(context, after, data))


def _trial(context: typer.Context, version: str, data: Path) -> "Trial":
    from model.data import DataError
    from model.engines import EngineError
    from model.gate import tried
    from model.manifest import BundleError

    settings = given(context).settings.model
    bundle = _bundle(context, version)
    say(f"measuring {version}")
    try:
        return tried(bundle, data, settings.engine, settings.threads)
    except (BundleError, DataError, EngineError, OSError) as error:
        raise CannotRun(str(error)) from error


def _show(differences: "list[Difference]", before: str, after: str) -> None:
    rows = [(d.figure, *(_figure(d, value) for value in (d.before, d.after))) for d in differences]
    table(("", before, after), rows, right=(before, after))


def _figure(difference: "Difference", value: float) -> str:
    return f"{value:,.0f}" if difference.figure == "images/s" else f"{value:.2%}"


def _percent(value: object) -> str:
    return f"{value:.2%}" if isinstance(value, float) else ""
