"""How fast an engine is with a bundle: one fresh process per engine, so that memory is its own."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from model.bundle import read_golden
from model.classifier import Classifier
from model.engines import EngineError
from model.manifest import SECOND, load_manifest, resolve_bundle

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCHES = (1, 32, 256)


@dataclass(frozen=True)
class Measurement:
    """Figures of one engine: start in seconds, memory as the process's largest resident size in MiB.

    `batch_ms` is the median time of one call by batch size; `images_per_s` follows from the largest.
    """

    engine: str
    start_s: float
    images_per_s: float
    batch_ms: dict[str, float]
    memory_mib: float

    def to_dict(self) -> dict[str, Any]:
        """Every figure by its name, ready for JSON."""
        return asdict(self)


def measure_engine(path: Path, engine: str, threads: int = 0, seconds: float = 1.0) -> Measurement:
    """Measure an engine in a process of its own, for `seconds` per batch size.

    Raises `EngineError` when it cannot serve the bundle.
    """
    command = [
        sys.executable,
        "-m",
        "model.benchmark",
        str(path.resolve()),
        engine,
        str(threads),
        str(seconds),
    ]
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603  our own
    if done.returncode:
        reason = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise EngineError(f"{engine} cannot be measured: {reason[-1]}")
    return Measurement(**json.loads(done.stdout.splitlines()[-1]))


def measure_here(path: Path, engine: str, threads: int, seconds: float) -> Measurement:
    """Measure an engine in this process: the whole way from pixels to probabilities and verdicts."""
    before = time.perf_counter()
    classifier = Classifier.open(path, engine, threads)
    start = time.perf_counter() - before
    batch_ms = {}
    for size in BATCHES:
        batch = representative(path, size)
        batch_ms[str(size)] = _median_ms(lambda batch=batch: classifier.classify(batch), seconds)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    speed = 1000 * BATCHES[-1] / batch_ms[str(BATCHES[-1])]
    return Measurement(classifier.engine, start, speed, batch_ms, memory)


def representative(path: Path, size: int) -> NDArray[np.uint8]:
    """Return golden pixels (size, 28, 28); as many as in validation are for the second network."""
    bundle = resolve_bundle(path)
    manifest = load_manifest(bundle)
    unclear = round(size * manifest.second.get("share", 0.0))
    clear = read_golden(bundle).pixels
    chosen = [clear[np.arange(size - unclear) % len(clear)]]
    if unclear:
        pixels = read_golden(bundle / SECOND).pixels
        chosen.append(pixels[np.arange(unclear) % len(pixels)])
    return np.concatenate(chosen)


def _median_ms(call: Any, seconds: float) -> float:
    """Call for so many seconds, at least five times after a first one, and return the median."""
    call()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        before = time.perf_counter()
        call()
        times.append(time.perf_counter() - before)
    return float(np.median(times)) * 1000


def main() -> None:
    """Measure what the arguments name and print one line of JSON, or why not."""
    path, engine, threads, seconds = sys.argv[1:]
    try:
        result = measure_here(Path(path), engine, int(threads), float(seconds))
    except (EngineError, ValueError) as error:
        sys.exit(str(error))
    print(json.dumps(result.to_dict()))  # noqa: T201  the parent reads it


if __name__ == "__main__":
    main()
