"""`python -m tests.chaos`: break the line while pictures arrive, then count."""

import argparse
import json
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from tests.chaos.droppers import Dropper
from tests.chaos.faults import Faults, small_disk
from tests.chaos.verdict import Recovery, Verdict, judge
from tests.chaos.world import World

STATE_MB = 256


def main() -> int:
    """Run, print the table (or JSON), and return 0 only when nothing was lost and nothing doubled."""
    parser = argparse.ArgumentParser(
        prog="chaos", description="Break the line while pictures arrive, then count."
    )
    parser.add_argument(
        "--minutes", type=float, default=1.0, help="how long pictures arrive and faults happen"
    )
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=None, help="end the faults after so many")
    parser.add_argument("--keep", type=Path, help="keep the last state of a run that failed in this folder")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="tailorbird-chaos-") as folder,
        small_disk(Path(folder) / "state", STATE_MB) as disk,
    ):
        verdict = run(Path(folder), options, disk=disk)
    print(json.dumps(verdict.to_dict(), indent=2) if options.json else verdict.table())  # noqa: T201
    return 0 if verdict.kept else 1


def run(folder: Path, options: argparse.Namespace, *, disk: bool) -> Verdict:
    """Run one world under faults and judge it."""
    (folder / "scratch").mkdir()
    seconds = options.minutes * 60
    with World(folder) as world:
        dropper = Dropper(
            world.inbox, folder / "scratch", images=options.images, seconds=seconds, seed=options.seed
        )
        dropper.stored = world.has_row
        arriving = threading.Thread(target=dropper.run)
        arriving.start()
        counts, recoveries = harm(world, dropper, arriving, options, disk=disk)
        arriving.join()
        verdict = judge(world, dropper, counts, recoveries, without=[] if disk else ["fill the disk for 3 s"])
        if options.keep and not verdict.kept:
            shutil.copytree(folder, options.keep, dirs_exist_ok=True)
        return verdict


def harm(
    world: World, dropper: Dropper, arriving: threading.Thread, options: argparse.Namespace, *, disk: bool
) -> tuple[Counter[str], list[Recovery]]:
    """Do one fault every 1 to 3 s while pictures arrive; return the counts by kind and the recoveries in s.

    A recovery is measured from outside: a picture is dropped right after the fault, and the time is taken
    until it has its row, whatever stands in line before it.
    """
    rng = random.Random(options.seed)
    faults = Faults(world, seed=options.seed, disk=disk)
    counts: Counter[str] = Counter()
    probes: list[threading.Thread] = []
    recoveries: list[Recovery] = []
    began = time.monotonic()
    ends = time.monotonic() + options.minutes * 60
    limit = options.faults or sys.maxsize
    while (arriving.is_alive() or time.monotonic() < ends) and counts.total() < limit:
        time.sleep(rng.uniform(1.0, 3.0))
        if kind := faults.one():
            counts[kind] += 1
            probes.append(
                threading.Thread(target=_recover, args=(world, dropper.probe(), kind, began, recoveries))
            )
            probes[-1].start()
    for probe in probes:
        probe.join()
    return counts, recoveries


def _recover(world: World, path: str, kind: str, began: float, recoveries: list[Recovery]) -> None:
    at_s = time.monotonic() - began
    try:
        seconds = world.wait(lambda: world.has_row(path), 120, path)
    except TimeoutError:
        seconds = float("inf")
    recoveries.append(Recovery(kind, round(at_s, 1), round(seconds, 2)))


if __name__ == "__main__":
    sys.exit(main())
