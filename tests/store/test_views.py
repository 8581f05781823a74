"""What people see who write SQL: by class name, in percent, and with names that stay."""

import subprocess
from pathlib import Path
from shutil import which

import pytest

from broker.messages import Prediction
from broker.settings import Store
from store.database import file_of, writing_engine
from store.schema import CLASSES
from store.upgrading import upgrade
from store.writer import Writer
from tests.store.workbench import Make, Rows


@pytest.fixture
def filled(writer: Writer, make: Make) -> None:
    """A closed job with two classes, a failure, and a model with a class of its own."""
    hat = Prediction(image="h.png", label="Hat", confidence=0.9, probabilities={"Hat": 0.9, "Bag": 0.1})
    dress = make.prediction("d.png", "Dress", 0.5, verdict="suspect", reasons=("blurred",))
    writer.write([make.batch("b.png", dress), make.failure("x.txt")])
    writer.write([make.batch(hat, batch="b2", model_version="hats"), make.progress("closed", 4)])


@pytest.mark.usefixtures("filled")
def test_predictions_by_class_name(rows: Rows) -> None:
    """Every class's probability stands under its own name."""
    assert rows("v_predictions", 'image, "Bag", "Dress", "Ankle boot", batch_id, folder') == [
        ("b.png", 0.75, 0.0, 0.25, "b1", "autumn"),
        ("d.png", 0.0, 0.5, 0.0, "b1", "autumn"),
        ("h.png", 0.1, None, None, "b2", "autumn"),
    ]


@pytest.mark.usefixtures("filled")
def test_probabilities_one_row_per_class(rows: Rows) -> None:
    """The long form has every class of every image, those without a column as well."""
    found = rows("v_probabilities", "image, class, probability")
    assert [row for row in found if row[2]] == [
        ("b.png", "Ankle boot", 0.25),
        ("b.png", "Bag", 0.75),
        ("d.png", "Coat", 0.5),
        ("d.png", "Dress", 0.5),
        ("h.png", "Bag", 0.1),
        ("h.png", "Hat", 0.9),
    ]
    assert len(found) == 2 * len(CLASSES) + 2


@pytest.mark.usefixtures("filled")
def test_results_of_all_images(rows: Rows, make: Make) -> None:
    """Every image has one line, failures with their reason."""
    assert rows("v_results") == [
        (make.job, "autumn", "b.png", "Bag", 75.0, "m1", make.at, ""),
        (make.job, "autumn", "d.png", "Dress", 50.0, "m1", make.at, "suspect: blurred"),
        (make.job, "autumn", "h.png", "Hat", 90.0, "hats", make.at, ""),
        (make.job, "autumn", "x.txt", "", None, "", make.at, "not-an-image"),
    ]


@pytest.mark.usefixtures("filled")
def test_performance_one_row_per_job(rows: Rows, make: Make) -> None:
    """Each class's mean confidence in percent, and the mean of all images."""
    found = rows("v_performance", 'job_id, stored, "Bag", "Dress", "Trouser", mean_percent')
    assert found == [(make.job, 3, 75.0, 50.0, None, 71.67)]


@pytest.mark.usefixtures("filled")
def test_metrics_one_row_per_job(rows: Rows, make: Make) -> None:
    """Process time, prediction time and speed of a job."""
    columns = "job_id, state, images, stored, failed, process_s, predict_s, images_per_s"
    assert rows("v_metrics", columns) == [(make.job, "closed", 4, 3, 1, 2.0, 1.0, 2.0)]


@pytest.mark.skipif(which("sqlite3") is None, reason="the sqlite3 shell is not installed")
def test_plain_sqlite_shell_reads_by_class_name(store_settings: Store, make: Make) -> None:
    """The distribution's own shell answers, without any function of ours."""
    engine = writing_engine(store_settings)
    path = file_of(store_settings.url)
    upgrade(engine, path)
    Writer(engine).write([make.batch("a.png")])
    found = shell(path, 'SELECT image, "T-shirt/top", "Bag" FROM v_predictions')
    long = shell(path, "SELECT class, probability FROM v_probabilities WHERE class = 'Bag'")
    engine.dispose()
    assert (found, long) == ("a.png|0.0|0.75\n", "Bag|0.75\n")


def shell(path: Path | None, query: str) -> str:
    """Ask the sqlite3 shell."""
    return subprocess.run(
        ["sqlite3", "-readonly", str(path), query], check=True, capture_output=True, text=True
    ).stdout
