"""The tables and pictures of the models' page."""

from collections.abc import Sequence

from nicegui import html

from dashboard.bundles import PICTURES, TRAINING, Bundle
from dashboard.compared import Row, class_rows, made_rows, share, validation_rows
from dashboard.frame import Table, csv_link
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


def training_pictures(bundles: Sequence[Bundle]) -> None:
    """Show the pictures of the bundles' cards, those of the same kind beside each other."""
    if any(one.pictures for one in bundles):
        html.h2("Pictures of their training" if len(bundles) > 1 else "Pictures of its training")
    with html.div().classes("blocks"):
        for name, says in PICTURES.items():
            having = [one for one in bundles if name in one.pictures]
            if having:
                _pair(name, says, having)


def _pair(name: str, says: str, having: Sequence[Bundle]) -> None:
    with html.div():
        html.h3(says)
        with html.div().classes("side"):
            for one in having:
                with html.figure():
                    source = f"/models/{one.version}/{name}"
                    with html.a(href=source, target="_blank") as larger:
                        html.img(src=source, alt=f"{says}: {one.version}").classes("chart")
                    larger.props["aria-label"] = f"{says}: {one.version}, larger, in a new tab"
                    with html.figcaption():
                        html.span(f"{one.version}, ")
                        html.a("larger", href=source, target="_blank").props("tabindex=-1 aria-hidden=true")
                    if name == TRAINING and one.manifest.code.get("history"):
                        csv_link(
                            "CSV", f"/models/{one.version}/training.csv", f"CSV of {says}: {one.version}"
                        )
        if name != TRAINING:
            html.p("The figures of each class are in the CSV of all bundles.").classes("faint")
