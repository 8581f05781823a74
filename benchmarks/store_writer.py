"""Measure the store's writer: JSON batches decoded, written, and answered with encoded receipts; rows/s.

.venv/bin/python benchmarks/store_writer.py [--batches 400] [--images 256] [--group 8] [--profile]
"""

import argparse
import cProfile
import gc
import pstats
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from broker.messages import Prediction, PredictionBatch, decode, encode
from broker.settings import Store
from store.__main__ import COLLECT_EVERY
from store.database import file_of, writing_engine
from store.schema import CLASSES
from store.upgrading import upgrade
from store.writer import Writer


def payload(number: int, images: int, rng: random.Random) -> bytes:
    """Return one batch on the wire, as a predictor makes it."""
    predictions = []
    for i in range(images):
        weights = [10 ** rng.uniform(-7, 0) for _ in CLASSES]
        shares = [round(weight / sum(weights), 6) for weight in weights]
        best = max(range(len(CLASSES)), key=shares.__getitem__)
        predictions.append(
            Prediction(
                image=f"ankle-boot/IMG_{number * images + i:07d}.png",
                label=CLASSES[best],
                confidence=shares[best],
                probabilities=dict(zip(CLASSES, shares, strict=True)),
            )
        )
    batch = PredictionBatch(
        batch_id=f"{number:032x}",
        job_id="shop-20261122T131601Z-1a2b3c4d",
        source="shop",
        model_version="2026.11.22-abcdef",
        predictor="1",
        predicted_at="2026-11-22T13:16:01.123Z",
        predictions=tuple(predictions),
        timings={"read": 0.01, "prepare": 0.02, "wait": 0.003, "predict": 0.011},
    )
    return encode(batch)


def work(writer: Writer, payloads: list[bytes], group: int) -> int:
    """Do what the store's loop does with what waits, without a broker; return the receipts' bytes."""
    size = 0
    for start in range(0, len(payloads), group):
        messages = [decode(PredictionBatch, payload) for payload in payloads[start : start + group]]
        size += sum(len(encode(receipt)) for receipt in writer.write(messages).receipts)
    return size


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--batches", type=int, default=400)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    gc.set_threshold(COLLECT_EVERY)
    rng = random.Random(1)
    payloads = [payload(n, options.images, rng) for n in range(options.batches)]
    with tempfile.TemporaryDirectory() as folder:
        settings = Store(url=f"sqlite:///{folder}/store.db")
        engine = writing_engine(settings)
        upgrade(engine, file_of(settings.url))
        writer = Writer(engine)
        profile = cProfile.Profile()
        if options.profile:
            profile.enable()
        for name in ("new", "repeated"):
            began, cpu = time.perf_counter(), time.process_time()
            work(writer, payloads, options.group)
            took, used = time.perf_counter() - began, time.process_time() - cpu
            rows = options.batches * options.images
            print(f"{name}: {rows:,} rows, {rows / took:,.0f} rows/s, {rows / used:,.0f} rows per CPU second")
        profile.disable()
        engine.dispose()
        size = Path(folder, "store.db").stat().st_size
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"{size / rows:.0f} bytes/row, {peak_mb} MB at most")
    if options.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
