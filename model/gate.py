"""Measures two bundles on the same labelled images, beside a predictor that goes on.

    python -m model.gate BEFORE AFTER DATA ENGINE THREADS

prints the differences as one line of JSON, or says why there are none (`model.measuring` is who asks).
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from model.benchmark import measure_engine
from model.classifier import Classifier
from model.data import DataError, load_dataset
from model.engines import EngineError
from model.evaluation import evaluate
from model.manifest import BundleError
from model.registry import Trial, compare

NICE = 10
EXPENDABLE = "1000"
"""Short of memory, the kernel is to end the process that measures, and not the one that serves."""


def tried(bundle: Path, data: Path, engine: str, threads: int) -> Trial:
    """Measure a bundle on labelled images, and how fast it is.

    Raises `BundleError`, `DataError`, `EngineError` or `OSError`.
    """
    classifier = Classifier.open(bundle, engine, threads)
    evaluation = evaluate(classifier, load_dataset(data, "test", classifier.input))
    return Trial(evaluation, measure_engine(bundle, classifier.engine, threads).images_per_s)


def _step_back() -> None:
    """Be the one that waits, and the one that is ended where memory is short; a sandbox may refuse it."""
    with contextlib.suppress(OSError):
        os.nice(NICE)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(EXPENDABLE)


def main() -> None:
    """Measure what the arguments name and print one line of JSON, or why not."""
    before, after, data, engine, threads = sys.argv[1:]
    _step_back()
    try:
        trials = [tried(Path(one), Path(data), engine, int(threads)) for one in (before, after)]
    except (BundleError, DataError, EngineError, OSError) as error:
        sys.exit(" ".join(str(error).split()))
    print(json.dumps([asdict(one) for one in compare(*trials)]))  # noqa: T201  the parent reads it


if __name__ == "__main__":
    main()
