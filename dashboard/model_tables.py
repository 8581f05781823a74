"""The tables and plots of the models' page."""

from collections.abc import Sequence
from dataclasses import replace

from nicegui import html, ui

from dashboard.bundles import Bundle
from dashboard.compared import Row, class_rows, made_rows, share, validation_rows
from dashboard.figures import figure
from dashboard.frame import Table, address, note
from dashboard.model_plots import KINDS
from dashboard.plotted import Plot
from dashboard.words import NONE, count, size
from store.model_figures import Answered

BUNDLES = Table(
    "Bundles",
    (
        "Version",
        "Serves",
        "Created (UTC)",
        "Weights",
        "Size",
        "Accuracy",
        "Calibration error",
        "Answered",
        "Suspect",
    ),
    right=("Weights", "Size", "Accuracy", "Calibration error", "Answered", "Suspect"),
    wide=("Created (UTC)", "Weights", "Size", "Calibration error", "Suspect"),
)
SERVES = "\N{BLACK STAR} serves"


def bundle_row(one: Bundle, current: str, known: Answered | None) -> None:
    """Make a bundle's row in the list of all."""
    made = one.manifest
    recorded = made.accuracy.get("validation", {})
    BUNDLES.row(
        one.version,
        SERVES if one.version == current else "",
        made.created_at[:16].replace("T", " "),
        count(made.weights),
        size(one.size_bytes),
        share(recorded.get("accuracy")),
        share(recorded.get("ece")),
        count(known.images, "images") if known else NONE,
        share(known.suspect_share if known else None),
    )


def figures(bundles: Sequence[Bundle]) -> None:
    """Show what one or two bundles say of themselves."""
    if not bundles:
        return
    versions = [one.version for one in bundles]
    with html.div().classes("blocks"):
        _block("Made", versions, made_rows(bundles))
        for name, rows in validation_rows(bundles):
            _block(name, versions, rows)
        _block("Expected to be right, of the images called so", versions, class_rows(bundles))


def _block(name: str, versions: Sequence[str], rows: Sequence[Row]) -> None:
    with html.div():
        html.h3(name)
        compared_table(name, versions, rows)


def compared_table(name: str, versions: Sequence[str], rows: Sequence[Row]) -> None:
    """Show rows with a column for each version, and one for what their difference means where any has one."""
    more = ("Difference",) if any(row.difference for row in rows) else ()
    table = Table(name, ("Figure", *versions, *more), right=(*versions, *more))
    with html.div().classes("two"), table.made():
        for row in rows:
            with html.tr():
                html.td(row.name)
                for cell in row.cells:
                    html.td(cell).classes("right")
                if more:
                    _difference(row)


def _difference(row: Row) -> None:
    """Show by how much, and in words and colour what it means."""
    with html.td(row.difference).classes("right"):
        if row.means:
            html.span(f" {row.means}").classes("good" if row.means == "better" else "bad")


def recorded_plots(bundles: Sequence[Bundle]) -> None:
    """Show what the bundles recorded when they were made, plots of the same kind beside each other."""
    if not bundles:
        return
    html.h2("Training and validation")
    for kind, drawn in KINDS.items():
        with html.div().classes("side"):
            for one in bundles:
                _plot(kind, one, drawn(one.manifest))


def _plot(kind: str, one: Bundle, plot: Plot | None) -> None:
    if plot is None:
        note(f"{one.version} has not recorded its {kind}.", "empty")
        return
    place = f"{kind}-{one.version}"
    panels = [replace(panel, name=f"{place}-{number}") for number, panel in enumerate(plot.panels)]
    named = replace(plot, title=f"{plot.title}: {one.version}", name=place, panels=panels)
    link = address("/model.csv", version=one.version, plot=kind)
    # Ours, and escaped: sanitizing would take the plot's own elements out.
    ui.html(figure(named, lambda _: link, {}), sanitize=False)
