"""Milliseconds in which the page's server answers, in front of a million rows: `python -m benchmarks.page`.

A database is filled as the store fills it, sixty days of a shop with one job of 10,000 images among them;
then `python -m dashboard` serves it, and each address is asked some times. Addresses of one's own may follow,
in which `{job}` is the job of 10,000: `python -m benchmarks.page "/job?job_id={job}&page=200"`. With
`--folder DIR` the database stays there, and the next run asks it again.
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from broker.messages import (
    Failure,
    JobProgress,
    Message,
    ModelAnnouncement,
    PixelBatch,
    Prediction,
    PredictionBatch,
    Review,
    expectations_of,
)
from broker.settings import Store
from store.database import file_of, writing_engine
from store.schema import CLASSES
from store.times import stamp_of
from store.upgrading import upgrade
from store.writer import Writer
from tests.waiting import free_port

ROOT = Path(__file__).resolve().parent.parent
BUNDLES = ROOT / "model" / "bundles"
BUNDLE = BUNDLES / (BUNDLES / "current").read_text("utf-8").strip()
ADDRESSES = ("/", "/jobs", "/job?job_id={job}", "/job?job_id={job}&order=doubt&page=100", "/quality",
             "/quality?period=24h", "/quality?period=all", "/quality?period=all&source=shop&model=m2",
             "/quality.csv?plot=confidence", "/drop", "/review", "/models", "/models?a=m1&b=m2", "/system",
             "/events")  # fmt: skip
BIG, USUAL, BATCH = 10_000, 800, 256
DAYS = 60
REVIEWS = 600
BIG_JOB = "shop-big"


def main() -> None:
    """Fill a database, or take the one that is there, and print a line for each address."""
    parser = argparse.ArgumentParser(prog="page", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--folder", type=Path, help="where the database is, or is to be")
    parser.add_argument("addresses", nargs="*", default=ADDRESSES)
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="page-")))
        database = folder / "state" / "tailorbird.db"
        if not database.exists():
            fill(database, options.rows)
        port, pid = stack.enter_context(served(folder))
        size_mb = database.stat().st_size / 1e6
        print(f"{rows_in(database):,} rows, {size_mb:,.0f} MB; median (first, slowest), processor, size")
        for address in options.addresses:
            measure(port, pid, address.replace("{job}", quote(BIG_JOB)), options.runs)


def fill(database: Path, rows: int) -> None:
    """Write jobs of a shop, the oldest first, each as agent, predictor and people would."""
    database.parent.mkdir(parents=True)
    settings = Store(url=f"sqlite:///{database}", synchronous="NORMAL")
    engine = writing_engine(settings)
    upgrade(engine, file_of(settings.url))
    writer, chance, began = Writer(engine), random.Random(1), time.perf_counter()
    sizes = [USUAL] * max(1, (rows - BIG) // USUAL)
    sizes.insert(len(sizes) * 9 // 10, BIG)
    end = datetime.now(UTC) - timedelta(minutes=5)
    for number, size in enumerate(sizes):
        at = end - timedelta(days=DAYS) * (1 - (number + 1) / len(sizes))
        writer.write(list(job(number, size, at, number / len(sizes), chance)))
    engine.dispose()
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        settle(connection, end)
    print(f"filled in {time.perf_counter() - began:,.0f} s")


def job(number: int, size: int, at: datetime, gone: float, chance: random.Random) -> Iterator[Message]:
    """Yield the messages of one job; with time the images become more doubtful and the pixels drift."""
    of: dict[str, Any] = {
        "job_id": BIG_JOB if size == BIG else f"shop-{number:05}",
        "source": "shop" if number % 3 else "till",
    }
    model = "m1" if gone < 0.5 else "m2"
    if number == 0:
        yield from map(announced, ("m1", "m2"))
    for first in range(0, size, BATCH):
        names = [f"IMG_{n:06}.jpg" for n in range(first, min(size, first + BATCH))]
        batch = f"{number}-{first}"
        if size == BIG or gone > 0.97:
            pixels = bytes(chance.randbytes(784)) * len(names)
            shape = (len(names), 28, 28)
            yield PixelBatch(batch_id=batch, images=tuple(names), shape=shape, pixels=pixels, **of)
        made = [prediction(name, gone, chance) for name in names]
        yield PredictionBatch(
            batch_id=batch,
            model_version=model,
            predictor="1",
            predicted_at=stamp_of(at),
            predictions=tuple(made),
            timings={"read": 0.02, "prepare": 0.01 + 0.02 * chance.random(), "wait": 0.02, "predict": 0.015},
            statistics=histograms([one.label for one in made], gone, chance),
            **of,
        )
    yield Failure(
        batch_id=f"f{number}",
        image="notes.txt",
        reason="not-an-image",
        detail="a text",
        failed_at=stamp_of(at),
        **of,
    )
    counts: dict[str, Any] = {"seen": size + 1, "sent": size, "stored": size, "failed": 1}
    counts["process_s"] = size / chance.uniform(7000, 9500)
    yield JobProgress(
        batch_id=f"j{number}",
        state="closed",
        folder=f"delivery-{number:05}",
        opened_at=stamp_of(at),
        closed_at=stamp_of(at + timedelta(seconds=20)),
        **of,
        **counts,
    )
    if chance.random() < 3 * REVIEWS * USUAL / 1_000_000:
        yield review(of["job_id"], made[0], at, chance)


def announced(version: str) -> ModelAnnouncement:
    """Return a model with what the bundle that comes along should reach."""
    expectations = json.loads((BUNDLE / "manifest.json").read_text())["expectations"]
    return ModelAnnouncement(
        version=version,
        classes=CLASSES,
        input={},
        engine="openvino",
        announced_at=stamp_of(datetime.now(UTC)),
        expectations=expectations_of(expectations),
    )


def prediction(name: str, gone: float, chance: random.Random) -> Prediction:
    """Return an answer of high confidence as a rule."""
    place = chance.choices(range(len(CLASSES)), weights=(3, 1, 1, 1, 1, 1, 2, 1, 1 + 2 * gone, 1))[0]
    confidence = round(max(0.2, 1 - abs(chance.gauss(0, 0.06 + 0.06 * gone * (place == 6)))), 6)
    shares = dict.fromkeys(CLASSES, 0.0)
    shares[CLASSES[(place + 1) % len(CLASSES)]] = round(1 - confidence, 6)
    shares[CLASSES[place]] = confidence
    doubted = chance.random() < 0.02 + 0.05 * gone
    more = {"verdict": "suspect", "reasons": ("busy-ground",)} if doubted else {}
    return Prediction(
        image=name,
        label=CLASSES[place],
        confidence=confidence,
        probabilities=shares,
        **more,  # type: ignore[arg-type]
    )


REFERENCE = json.loads((BUNDLE / "manifest.json").read_text())["expectations"]["statistics"]


def histograms(labels: list[str], gone: float, chance: random.Random) -> dict[str, tuple[int, ...]]:
    """Return counts by bin as validation had them, with time more and more of them in the last bin."""
    found = {}
    dice = np.random.default_rng(chance.randrange(2**32))
    for name, told in REFERENCE.items():
        mean = np.mean([told["classes"][label] for label in labels], axis=0)
        drifted = (1 - 0.3 * gone) * mean + 0.3 * gone * (np.arange(len(mean)) == len(mean) - 1)
        found[name] = tuple(int(n) for n in dice.multinomial(len(labels), drifted / drifted.sum()))
    return found


def review(job_id: str, of: Prediction, at: datetime, chance: random.Random) -> Review:
    """Return what somebody said of an image; nine in ten labels were right."""
    right = chance.random() < 0.9
    return Review(
        review_id=f"r-{job_id}",
        job_id=job_id,
        image=of.image,
        label=of.label if right else CLASSES[(CLASSES.index(of.label) + 2) % len(CLASSES)],
        reviewer="eva",
        reviewed_at=stamp_of(at),
        how="asked",
        stratum="0.9-0.98",
    )


def settle(connection: sqlite3.Connection, end: datetime) -> None:
    """Give the rows the times of their jobs, and let some alerts have been."""
    connection.execute(
        "UPDATE batches SET stored_at = strftime('%Y-%m-%dT%H:%M:%fZ', predicted_at, '+0.030 seconds')"
    )
    connection.execute("UPDATE jobs SET store_s = 0.03 * stored / ?", (BATCH,))
    for number, (rule, subject, value, bound, hours, lasted) in enumerate(
        [
            ("class-accuracy", "Shirt", 0.9012, 0.9141, 30, None),
            ("input-drift", "brightness", 1.12, 1.0, 100, None),
            ("suspect-share", "", 0.21, 0.2, 300, 20),
            ("mix-drift", "", 0.62, 0.5, 500, 40),
        ]
    ):
        opened = end - timedelta(hours=hours)
        closed = None if lasted is None else stamp_of(opened + timedelta(hours=lasted))
        detail = f"{rule} of {subject or 'all'}: {value:g}, bound {bound:g}"
        row = (f"a{number}", rule, subject, "closed" if closed else "open", value, bound, detail)
        connection.execute(
            "INSERT INTO alerts (alert_id, rule, subject, state, value, bound, detail, opened_at, closed_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, stamp_of(opened), closed),
        )


@contextlib.contextmanager
def served(folder: Path) -> Iterator[tuple[int, int]]:
    """Serve the page while the block lasts; yield its port and its process."""
    port = free_port()
    config = folder / "config.toml"
    config.write_text(
        f'[paths]\nstate = "state"\n[broker]\nport = {free_port()}\n[dashboard]\nport = {port}\n'
    )
    program = [sys.executable, "-m", "dashboard", "--config", str(config)]
    with subprocess.Popen(program, cwd=ROOT, stderr=subprocess.DEVNULL) as page:
        try:
            while True:
                with contextlib.suppress(OSError):
                    ask(port, "/jobs")
                    break
                time.sleep(0.1)
            yield port, page.pid
        finally:
            page.terminate()


def measure(port: int, pid: int, address: str, runs: int) -> None:
    """Ask an address some times, and print how long each answer took and the server worked on it."""
    first = ask(port, address)
    if not first[1]:
        print(f"  failed: {address}")
        return
    before = processor_s(pid)
    others = [ask(port, address) for _ in range(runs)]
    each_s = (processor_s(pid) - before) / runs
    took = statistics.median(one for one, _ in others)
    slowest = max(one for one, _ in others)
    spread = f"({1000 * first[0]:.0f}, {1000 * slowest:.0f})"
    print(f"{1000 * took:7.0f} ms {spread:>12} {1000 * each_s:6.0f} ms {first[1] / 1000:7.0f} KB  {address}")


def ask(port: int, address: str) -> tuple[float, int]:
    """Return the seconds until the whole answer was there, and its bytes; none where it failed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    began = time.perf_counter()
    connection.request("GET", address)
    answer = connection.getresponse()
    size = len(answer.read())
    took = time.perf_counter() - began
    connection.close()
    return took, size if answer.status == 200 else 0


def processor_s(pid: int) -> float:
    """Return the processor time that a process has had: on a busy machine it says more than the clock."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rows_in(database: Path) -> int:
    """Return how many predictions there are, by the jobs' own counts."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("SELECT SUM(stored) FROM jobs").fetchone()[0])


if __name__ == "__main__":
    main()
