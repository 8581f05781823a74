"""The examples of the how-to pages run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

from broker.messages import Prediction, PredictionBatch
from broker.settings import Store
from store.database import file_of, writing_engine
from store.upgrading import upgrade
from store.writer import Writer

ROOT = Path(__file__).resolve().parents[2]


def block(page: str, language: str) -> str:
    """Return a page's first block of code in a language."""
    text = (ROOT / "docs" / "how-to" / page).read_text(encoding="utf-8")
    found = re.search(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found.group(1)


def test_notebook_example_prints_the_classes(tmp_path: Path) -> None:
    """The page's Python runs on a database with one image and counts it."""
    settings = Store(url=f"sqlite:///{tmp_path}/tailorbird.db")
    engine = writing_engine(settings)
    upgrade(engine, file_of(settings.url))
    bag = Prediction(image="a.png", label="Bag", confidence=0.75, probabilities={"Bag": 0.75})
    at = "2026-03-04T05:06:07.089Z"
    batch = PredictionBatch(
        batch_id="b",
        job_id="j",
        source="shop",
        model_version="m",
        predictor="1",
        predicted_at=at,
        predictions=(bag,),
    )
    Writer(engine).write([batch])
    engine.dispose()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TAILORBIRD__PATHS__STATE": str(tmp_path)}
    command = [sys.executable, "-c", block("analyse-in-a-notebook.md", "python")]
    said = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert re.search(r"^Bag +1 +75\.0$", said, re.MULTILINE)
