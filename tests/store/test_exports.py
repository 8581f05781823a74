"""The CSVs, byte for byte, with every filter, in bounded memory."""

import csv
import io
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from broker.messages import Event, Prediction, Review
from broker.settings import Store
from store.database import file_of, writing_engine
from store.exports import KINDS, Filters, UnfitFilterError, export
from store.queries import reading
from store.statements import INSERT_ALERT, Session
from store.upgrading import upgrade
from store.writer import Writer
from tests.store.workbench import Make

GOLDEN = Path(__file__).parent / "golden"
Exported = Callable[..., str]


@pytest.fixture
def exported(writer: Writer, make: Make, anywhere: Store, engine: sa.Engine) -> Exported:
    """Export from a database with two closed jobs, a class of its own, formulas, a failure and a review."""
    hat = Prediction(image='hät, "x".png', label="Hat", confidence=0.98765, probabilities={"Hat": 0.98765})
    formula = make.prediction("=cmd()|x.png", "Dress", 0.5, verdict="suspect", reasons=("blurred", "dark"))
    writer.write([make.batch("b.png", formula), make.failure("@x.txt", detail="-1 is no image\nat all")])
    writer.write([make.progress("closed", 3)])
    second = {"job_id": "shop-20261123T000000Z-00000000", "folder": "+winter"}
    at = "2026-11-23T00:00:00.000Z"
    writer.write(
        [make.batch(hat, batch="b2", job_id=second["job_id"], model_version="hats", predicted_at=at)]
    )
    closed = make.progress(
        "closed", 1, opened_at=at, closed_at="2026-11-23T00:00:10.500Z", process_s=10.0, **second
    )
    writer.write([closed])
    event = {"service": "store", "instance": "main", "level": "warning"}
    writer.write([Event(at=at, event="disk-low", detail="=1 MB free", **event)])  # type: ignore[arg-type]
    writer.write([Event(at=make.at, event="hello", job_id=make.job, **event)])  # type: ignore[arg-type]
    said = {"job_id": make.job, "label": "Coat", "reviewer": "-anna", "reviewed_at": at}
    writer.write([Review(review_id="r1", image="=cmd()|x.png", **said)])  # type: ignore[arg-type]
    with engine.begin() as connection:
        alert = ("a1", "disk", "", "open", 100.0, 400.0, "=100 MB free", at, "")
        Session(connection).run(INSERT_ALERT, alert)

    def run(kind: str, **filters: Any) -> str:
        out = io.StringIO(newline="")
        with reading(anywhere) as connection:
            count = export(connection, kind, Filters(**filters), out)
        assert count == len(list(csv.reader(io.StringIO(out.getvalue(), newline="")))) - 1
        return out.getvalue()

    return run


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_export_is_the_golden_one(exported: Exported, kind: str) -> None:
    """What others parse does not change by itself."""
    assert exported(kind).encode() == (GOLDEN / f"{kind}.csv").read_bytes()


def images(text: str, column: str = "image") -> list[str]:
    """Return one column of a CSV."""
    return [row[column] for row in csv.DictReader(io.StringIO(text, newline=""))]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"since": datetime(2026, 11, 22, 20, tzinfo=UTC)}, ['hät, "x".png']),
        ({"until": datetime(2026, 11, 22, 20, tzinfo=UTC)}, ["'=cmd()|x.png", "'@x.txt", "b.png"]),
        ({"job": "shop-20261123T000000Z-00000000"}, ['hät, "x".png']),
        ({"label": "Bag"}, ["b.png"]),
        ({"model": "m1"}, ["'=cmd()|x.png", "b.png"]),
        ({"model": "m1", "label": "Hat"}, []),
    ],
)
def test_results_chosen(exported: Exported, filters: dict[str, Any], expected: list[str]) -> None:
    """By time, job, class and model; a failure has neither class nor model."""
    assert sorted(images(exported("results", **filters))) == expected


@pytest.mark.parametrize("kind", ["performance", "metrics"])
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"since": datetime(2026, 11, 22, 20, tzinfo=UTC)}, ["'+winter"]),
        ({"label": "Dress"}, ["autumn"]),
        ({"model": "hats"}, ["'+winter"]),
        ({"job": "none"}, []),
    ],
)
def test_jobs_chosen(exported: Exported, kind: str, filters: dict[str, Any], expected: list[str]) -> None:
    """Jobs by when they opened, by a class that they hold, by a model that worked on them."""
    assert images(exported(kind, **filters), "folder") == expected


def test_performance_of_one_class(exported: Exported) -> None:
    """With a class chosen, only its column is shown."""
    header = exported("performance", label="Dress").splitlines()[0]
    assert header == "job,source,folder,opened_at,closed_at,stored,Dress,mean"


@pytest.mark.parametrize(("kind", "field"), [("events", "label"), ("failures", "model")])
def test_filter_that_does_not_fit(exported: Exported, kind: str, field: str) -> None:
    """A filter that means nothing is refused and not passed over."""
    with pytest.raises(UnfitFilterError, match=f"{kind} cannot be chosen by {field}"):
        exported(kind, **{field: "x"})


def test_memory_does_not_grow_with_the_rows(store_settings: Store, make: Make) -> None:
    """Thirty times the rows need about the same memory, so that a million rows do as well."""
    engine = writing_engine(store_settings)
    upgrade(engine, file_of(store_settings.url))
    writer = Writer(engine)
    peaks = []
    written = 0
    for target in (2_000, 60_000):
        while written < target:
            names = [f"{n:07d}.png" for n in range(written, written + 2_000)]
            writer.write([make.batch(*names, batch=f"b{written}")])
            written += 2_000
        peaks.append(peak_of_export(store_settings, target))
    engine.dispose()
    assert peaks[1] < 1.5 * peaks[0] + 100_000


def peak_of_export(store_settings: Store, expected: int) -> int:
    """Return the most memory that Python held while it exported, in bytes."""
    with open("/dev/null", "w", encoding="utf-8") as out, reading(store_settings) as connection:  # noqa: PTH123
        tracemalloc.start()
        try:
            assert export(connection, "results", Filters(), out) == expected
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
