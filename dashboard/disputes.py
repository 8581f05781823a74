"""Where two models part ways: on the images that both have answered, one of them perhaps on trial."""

from dataclasses import dataclass
from functools import partial

from nicegui import html

from broker.errors import SettingsError
from dashboard.access import trouble
from dashboard.frame import Table, address, csv_link, note, picture
from dashboard.site import Site
from dashboard.words import count, percent
from store import queries
from store.disagreements import Disagreement, Disputed, disagreement, disputed
from store.kept import kept_image
from store.model_figures import has_answered_beside
from store.png import png

SHOWN = 24
PAIRS = 12
TRIAL = (
    "No image was answered by both. Put one of them on trial, [predictor_service] shadow, and it answers the"
    " same images beside the line."
)


@dataclass(frozen=True)
class Parting:
    """What two models disagree about, and the pixels of the images that are shown."""

    counts: Disagreement
    images: list[Disputed]
    pictures: dict[tuple[str, str], bytes]


async def parting(site: Site, first: str, second: str) -> Parting | None:
    """Return where two models disagree; None where no image was answered by both. Raises SettingsError.

    Whether there was a trial is asked each time: only what takes reading every row is kept for a while.
    """
    if not await site.asked(lambda connection: has_answered_beside(connection, first, second)):
        return None
    count = partial(site.ask, partial(_parting, first=first, second=second))
    return await site.counting.of((first, second), count)


def _parting(connection: queries.Connection, first: str, second: str) -> Parting | None:
    counts = disagreement(connection, first, second)
    if not counts.images:
        return None
    images = disputed(connection, first, second, limit=SHOWN) if counts.differing else []
    kept = {(one.job_id, one.image): kept_image(connection, one.job_id, one.image) for one in images}
    return Parting(counts, images, {key: png(*pixels) for key, pixels in kept.items() if pixels})


async def show(site: Site, place: html.div, first: str, second: str) -> None:
    """Show where two models disagree, once it is counted."""
    try:
        found = await parting(site, first, second)
    except SettingsError as problem:
        found, said, kind = None, trouble(problem), "trouble"
    else:
        said, kind = TRIAL, "empty"
    place.clear()
    with place:
        if found is None:
            note(said, kind)
        else:
            _show(found, first, second)


def _show(found: Parting, first: str, second: str) -> None:
    counts = found.counts
    of = f"{count(counts.differing)} of {count(counts.images, 'images')}"
    rate = f"{of} have two labels: {percent(counts.rate)}"
    with html.div().classes("bar-row"):
        html.span(rate).classes("grow")
        if counts.differing:
            where = address("/disagreements.csv", a=first, b=second)
            html.a(f"CSV of {count(counts.differing, 'images')}", href=where).classes("plain").props(
                "download"
            )
    if not counts.differing:
        return
    table = Table("Pairs of labels", (first, second, "Images"), right=("Images",))
    with table.made():
        for pair in counts.pairs[:PAIRS]:
            table.row(pair.first, pair.second, count(pair.images))
    if len(counts.pairs) > PAIRS:
        html.p(f"And {count(len(counts.pairs) - PAIRS, 'pairs')} more: the CSV has all.").classes("faint")
    where = address("/disagreement-pairs.csv", a=first, b=second)
    csv_link(f"CSV of {count(len(counts.pairs), 'pairs')}", where)
    html.h3("Those first of which both are surest")
    with html.div().classes("tiles"):
        for one in found.images:
            _tile(one, found.pictures.get((one.job_id, one.image)))


def _tile(one: Disputed, pixels: bytes | None) -> None:
    with html.a(href=address("/job", job_id=one.job_id)).classes("tile"):
        picture(pixels, "")
        with html.span().classes("two-labels"):
            html.span(f"{one.first} {percent(one.first_confidence)}")
            html.span(f"{one.second} {percent(one.second_confidence)}").classes("doubt")
        html.span(one.image).classes("file").props["title"] = one.image
