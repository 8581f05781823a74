"""The exports as DataFrames."""

import io

import pandas as pd
import pytest

from broker.settings import Store
from store.exports import KINDS, Filters, export
from store.frames import frame
from store.queries import reading
from store.writer import Writer
from tests.store.workbench import Make


@pytest.fixture
def filled(writer: Writer, make: Make, anywhere: Store) -> Store:
    """A database with a closed job of two predictions and a failure."""
    writer.write([make.batch("a.png", "b.png"), make.failure("c.txt")])
    writer.write([make.progress("closed", 3)])
    return anywhere


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_frame_has_the_export_s_columns_and_rows(filled: Store, kind: str) -> None:
    """Nothing is left out, and nothing added."""
    out = io.StringIO(newline="")
    with reading(filled) as connection:
        rows = export(connection, kind, Filters(), out)
        made = frame(connection, kind, Filters())
    assert out.getvalue().splitlines()[0].split(",") == list(made.columns)
    assert rows == len(made)


def test_frame_has_types(filled: Store) -> None:
    """Times have a zone, figures are numbers, and what a failure has not is missing."""
    with reading(filled) as connection:
        results = frame(connection, "results", Filters())
        metrics = frame(connection, "metrics", Filters())
    assert "UTC" == str(results["time"].dt.tz)
    assert 2 == results["confidence_percent"].count()
    assert pd.isna(results.set_index("image").loc["c.txt", "confidence_percent"])
    assert metrics["predict_s"].dtype == "float64"
