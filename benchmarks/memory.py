"""Peak memory of every process for folders of different sizes: `python -m benchmarks.memory 1000 300000`.

The whole line runs as `./tailorbird up` does; a folder of N generated 28x28 PNG files is dropped at once.
Peak resident memory (VmHWM) is read from /proc, in MiB, when every image has its row.
"""

import random
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.end_to_end import peak_mib
from tests.chaos.pictures import picture
from tests.chaos.world import World

DISTINCT = 500
"""So many different pictures are made; the files are written from them in turn."""


def main(sizes: list[int]) -> None:
    """Measure each size in a world of its own and print one table."""
    print(f"{'images':>9} {'images/s':>9}  peak resident memory in MiB")
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="tailorbird-memory-") as folder:
            seconds, peaks = measure(Path(folder), size)
        each = ", ".join(f"{name} {mib}" for name, mib in sorted(peaks.items()))
        print(f"{size:>9} {size / seconds:>9.0f}  {each}")


def measure(folder: Path, size: int) -> tuple[float, dict[str, int]]:
    """Return the seconds from the drop to the last row, and the peak of each process in MiB."""
    rng = random.Random(0)
    pictures = [picture(rng) for _ in range(DISTINCT)]
    hidden = folder / "hidden"
    hidden.mkdir()
    for i in range(size):
        (hidden / f"{i:07d}.png").write_bytes(pictures[i % DISTINCT])
    with World(folder, predictors=1) as world:
        time.sleep(5.0)  # the model is loaded before the clock starts
        hidden.rename(world.inbox / "folder")
        seconds = World.wait(lambda: rows(world) >= size, 3600, f"{size} rows")
        return seconds, {name: peak_mib(pid) for name, pid in world.pids().items()}


def rows(world: World) -> int:
    """Return the number of predictions in the database."""
    found = world.query("SELECT COALESCE(SUM(stored), 0) FROM jobs")  # kept up to date, so cheap to ask
    return int(str(found[0][0])) if found else 0


if __name__ == "__main__":
    main([int(number) for number in sys.argv[1:]] or [1000, 300_000])
