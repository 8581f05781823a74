"""Images per second of the agent's reading alone: `python -m benchmarks.reading`.

Files become pixels as the agent has them read, 64 at a time, with nothing behind it: decoded in the agent,
and in processes of their own.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import cv2
import numpy as np

from broker.settings import IngestAgent
from ingest_agent.readers import Readers, ToRead, preparers
from ingest_agent.reading import Pixels
from model.preprocessing import InputSpec

AT_ONCE = 512


def main() -> int:
    """Measure both ways by turns and print; exit code 1 when a file did not become pixels."""
    parser = argparse.ArgumentParser(prog="reading", description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--edge", type=int, default=28, help="pixels; above 28 the files are JPEG")
    parser.add_argument("--carpet", action="store_true", help="the garments lie on one, and are cut out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tailorbird-reading-") as folder:
        files = write_images(Path(folder), options.images, options.edge, carpet=options.carpet)
        whole = [measure(Path(folder), files, own) for _ in range(options.runs) for own in ways()]
    return 0 if all(whole) else 1


def ways() -> tuple[IngestAgent, IngestAgent]:
    """Return the settings that are compared."""
    return IngestAgent(decode_in="agent"), IngestAgent(decode_in="process")


def write_images(folder: Path, count: int, edge: int, *, carpet: bool) -> list[ToRead]:
    """Write garments: a bright block on black, or on a grainy carpet, a little different each."""
    suffix = ".png" if edge == 28 else ".jpg"
    dice = np.random.default_rng(1)
    files = []
    for number in range(count):
        grain = dice.normal(60, 20, (edge, edge)) if carpet else np.zeros((edge, edge))
        pixels = np.clip(grain, 0, 255).astype(np.uint8)
        pixels[edge // 5 : -edge // 5, edge // 4 : -edge // 4] = dice.integers(60, 255)
        data = cv2.imencode(suffix, pixels)[1].tobytes()
        path = folder / f"{number:06d}{suffix}"
        path.write_bytes(data)
        files.append(ToRead(os.fsencode(path.name), len(data)))
    return files


def measure(folder: Path, files: list[ToRead], own: IngestAgent) -> bool:
    """Read all files once and print the figures; tell whether all became pixels."""
    done = threading.Event()
    readers = Readers(os.fsencode(folder), preparers(own), done.set)
    readers.start()
    list(read(readers, files[:AT_ONCE], done))  # the processes have started then
    began = time.perf_counter()
    outcomes = list(read(readers, files, done))
    seconds = time.perf_counter() - began
    readers.stop()
    print(f"decode_in = {own.decode_in:8} {len(files) / seconds:8,.0f} images/s")
    return all(outcomes)


def read(readers: Readers, files: list[ToRead], done: threading.Event) -> list[bool]:
    """Read files, so many at once as the agent does; return which became pixels."""
    outcomes: list[bool] = []
    at = 0
    while len(outcomes) < len(files):
        while at < len(files) and len(readers) <= AT_ONCE - 64:
            readers.read(files[at : at + 64], InputSpec(), inodes=True, now=0.0)
            at += 64
        done.wait()
        done.clear()
        outcomes += [isinstance(outcome, Pixels) for _, _, outcome in readers.done()]
    return outcomes


if __name__ == "__main__":
    sys.exit(main())
