"""Images per second from the drop of a folder to the last committed row: `python -m benchmarks.end_to_end`.

PNG files are written from Fashion-MNIST into folders named by class (the 5,000 given test images first, then
training images), the whole line is started as `./tailorbird up` does, and the folder is dropped with one
rename. The clock stops at the receipt of the last image, which the store sends after its commit. Peak
resident memory is VmHWM in /proc, in MiB.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import cv2
import psutil

from cli.demo_state import overrides
from cli.dropping import Parcel, pack
from cli.ending import Ending
from cli.given import Given
from cli.outcomes import accuracy
from cli.reader import Reader
from cli.running import RunningLine
from cli.watching import Watch, follow, topics_of
from model.data import load_dataset
from store import queries

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "fashion-mnist"


def main() -> int:
    """Measure and print; exit code 1 when an image has no row."""
    parser = argparse.ArgumentParser(prog="end_to_end", description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with Fashion-MNIST's IDX files")
    parser.add_argument("--config", type=Path, default=None)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"{options.data}: no such folder; name Fashion-MNIST's with --data", file=sys.stderr)
        return 3
    with tempfile.TemporaryDirectory(prefix="tailorbird-speed-") as folder:
        images = Path(folder) / "images"
        write_images(options.data, images, options.images)
        runs = [
            measure(images, Path(folder) / f"run-{number}", Given(options.config))
            for number in range(options.runs)
        ]
    report(runs, as_json=options.json)
    return 0 if all(run["rows"] == options.images for run in runs) else 1


def write_images(data: Path, folder: Path, count: int) -> None:
    """Write `count` 28x28 PNG files into a folder per class."""
    written = 0
    for split in ("test", "train"):
        dataset = load_dataset(data, split)
        for index in range(min(count - written, len(dataset))):
            below = folder / dataset.classes[dataset.labels[index]].replace("/", "_")
            below.mkdir(parents=True, exist_ok=True)
            encoded = cv2.imencode(".png", dataset.images[index])[1]
            (below / f"{split}-{index:05d}.png").write_bytes(encoded.tobytes())
        written += min(count - written, len(dataset))


def measure(images: Path, state: Path, given: Given) -> dict[str, object]:
    """Run the line once and return the figures."""
    with Ending() as ending, RunningLine(replace(given, overrides=overrides(state)), print, ending) as line:
        parcel = pack(images, line.settings)
        line.wait_until_ready()
        before = {child.program.name: cpu_s(child.pid) for child in line.supervisor.children}
        watch, seconds = drop(line, parcel)
        spent = {child.program.name: cpu_s(child.pid) for child in line.supervisor.children}
        peaks = {child.program.name: peak_mib(child.pid) for child in line.supervisor.children}
        for child in line.supervisor.children:
            for number, below in enumerate(psutil.Process(child.pid).children(), 1):
                peaks[f"{child.program.name}'s child {number}"] = peak_mib(below.pid)
        peaks["benchmark"] = peak_mib(os.getpid())
    with queries.reading(line.settings.store) as connection:
        rows = sum(1 for job in watch.jobs for _ in queries.images(connection, job))
    right, known = accuracy(watch.outcomes) or (0, 1)
    return {
        "images": len(parcel.images),
        "rows": rows,
        "seconds": round(seconds, 3),
        "images_per_s": round(len(parcel.images) / seconds),
        "accuracy": right / known,
        "cpu_s": {name: round(spent[name] - before[name], 2) for name in spent if name in before},
        "peak_mib": peaks,
    }


def drop(line: RunningLine, parcel: Parcel) -> tuple[Watch, float]:
    """Drop the folder and wait for its last receipt; return what came of it and the seconds."""
    watch = Watch(parcel.folder, parcel.images)
    with Reader(line.settings, topics_of(line.settings)) as reader:
        reader.connect()
        began = time.monotonic()
        parcel.drop()
        follow(watch, reader, lambda _: None, line.step)
    return watch, watch.last_at - began


def peak_mib(pid: int) -> int:
    """Return the peak resident memory of a process in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return round(int(line.split()[1]) / 1024)
    return 0


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(runs: list[dict[str, object]], *, as_json: bool) -> None:
    """Print each run and the median."""
    median = statistics.median(float(str(run["images_per_s"])) for run in runs)
    if as_json:
        print(json.dumps({"median_images_per_s": median, "runs": runs}, indent=2))
        return
    for run in runs:
        print(
            f"{run['images']:,} images in {run['seconds']} s: {run['images_per_s']:,} images/s,"
            f" {run['rows']:,} rows, accuracy {run['accuracy']:.2%}"
        )
        print(f"  CPU s {run['cpu_s']}, peak MiB {run['peak_mib']}")
    machine = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    print(f"median of {len(runs)}: {median:,.0f} images/s on {machine}")


if __name__ == "__main__":
    sys.exit(main())
