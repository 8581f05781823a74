"""The end of a run: the database, the ledger and the list of what was dropped must agree exactly."""

import contextlib
import csv
import sqlite3
from collections import Counter
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from tests.chaos.droppers import Dropper
from tests.chaos.world import World

SETTLE_S = 180.0


@dataclass(frozen=True)
class Recovery:
    """How long a picture took that was dropped right after a fault, `at_s` after the run's first one."""

    kind: str
    at_s: float
    seconds: float


@dataclass
class Verdict:
    """What a run showed; `lost` and `doubled` hold paths with (rows found, fewest, most)."""

    faults: dict[str, int]
    ways: dict[str, int]
    images: int
    rows: int
    lost: dict[str, tuple[int, int, int]]
    doubled: dict[str, tuple[int, int, int]]
    recoveries: list[Recovery]
    disagreements: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        """Whether the promise was kept."""
        return not (self.lost or self.doubled or self.disagreements)

    def to_dict(self) -> dict[str, Any]:
        """Return everything, for JSON."""
        return {**asdict(self), "kept": self.kept}

    def table(self) -> str:
        """Return the table that people read."""
        lines = [f"{count:6d}  {kind}" for kind, count in sorted(self.faults.items())]
        lines += [f"     -  {kind}: not possible here" for kind in self.without]
        lines += [f"{sum(self.faults.values()):6d}  faults in all", ""]
        lines += [f"{count:6d}  arrived by: {way}" for way, count in sorted(self.ways.items())]
        lines += [f"{self.images:6d}  images", f"{self.rows:6d}  rows"]
        lines += [f"{len(self.lost):6d}  lost", f"{len(self.doubled):6d}  doubled"]
        lines += [
            f"        {path}: {found}" for path, found in [*self.lost.items(), *self.doubled.items()][:20]
        ]
        lines += [f"        {line}" for line in self.disagreements[:20]]
        if self.recoveries:
            seconds = [one.seconds for one in self.recoveries]
            middle, worst = median(seconds), max(seconds)
            lines.append(f"recovery: median {middle:.2f} s, worst {worst:.2f} s of {len(seconds)}")
            slowest = sorted(self.recoveries, key=lambda one: one.seconds)[-5:]
            lines += [f"        {one.seconds:6.2f} s  {one.kind}, at {one.at_s:.0f} s" for one in slowest]
        return "\n".join(lines)


def judge(
    world: World, dropper: Dropper, counts: Counter[str], recoveries: list[Recovery], *, without: list[str]
) -> Verdict:
    """Wait until the line is quiet, then compare what was dropped with what stands in the database."""
    dropped = dropper.dropped
    verdict = Verdict(
        dict(counts), dict(dropper.ways), dropped.images, 0, {}, {}, recoveries, without=without
    )
    try:
        world.wait(lambda: _quiet(world, dropped.images), SETTLE_S, "the last job to close everywhere", 0.5)
    except TimeoutError as error:
        verdict.disagreements.append(str(error))
    rows = world.rows()
    verdict.rows = sum(rows.values())
    for path, (fewest, most) in dropped.rows.items():
        found = rows.pop(path, 0)
        if found < fewest:
            verdict.lost[path] = (found, fewest, most)
        elif found > most:
            verdict.doubled[path] = (found, fewest, most)
    verdict.doubled.update({path: (found, 0, 0) for path, found in rows.items()})
    verdict.disagreements += _disagreements(world)
    return verdict


def _quiet(world: World, images: int) -> bool:
    """Whether all rows are there, every job is closed, and the agent, too, has heard of all that."""
    found = world.query("SELECT COALESCE(SUM(stored + failed), 0), SUM(state <> 'closed') FROM jobs")
    is_stored = bool(found) and int(str(found[0][0])) >= images and found[0][1] == 0
    try:
        return is_stored and not _ledger_differs(world)
    except sqlite3.OperationalError:  # locked for a moment
        return False


def _disagreements(world: World) -> list[str]:
    """Compare each job's figures with its rows, and each folder's results.csv with the database."""
    found = [
        f"job {job}: saw {seen}, sent {sent}, says {stored} + {failed}, has {rows} + {failures}"
        for job, seen, sent, stored, failed, rows, failures in world.query(
            "SELECT job_id, images, sent, stored, failed,"
            " (SELECT COUNT(*) FROM predictions p WHERE p.job_id = j.job_id),"
            " (SELECT COUNT(*) FROM failures f WHERE f.job_id = j.job_id) FROM jobs j"
        )
        if (stored, failed) != (rows, failures) or not seen == sent == int(str(stored)) + int(str(failed))
    ]
    both = world.query("SELECT p.image FROM predictions p JOIN failures f USING (job_id, image)")
    found += [f"{image}: a prediction and a failure" for (image,) in both]
    answers = world.answers()
    for folder in {path.split("/")[0] for path in answers if "/" in path}:
        found += _table_differs(world, folder, answers)
    return found + _ledger_differs(world)


def _table_differs(world: World, folder: str, answers: dict[str, set[str]]) -> list[str]:
    """Compare a results.csv with folder and database; it may name what was there when it was written."""
    table = world.inbox / folder / "results.csv"
    if not table.exists():
        return [f"{table}: missing"]
    with table.open(newline="", encoding="utf-8") as file:
        listed = {row["image"]: row["item"] for row in csv.DictReader(file)}
    files = {path.relative_to(table.parent).as_posix() for path in table.parent.rglob("*") if path.is_file()}
    missing = files - {table.name} - set(listed)
    wrong = {image for image, item in listed.items() if item not in answers.get(f"{folder}/{image}", ())}
    return [f"{table}: {image}" for image in sorted(missing | wrong)]


def _ledger_differs(world: World) -> list[str]:
    """Compare the ledger's closed jobs, and what it has without an answer, with the database."""
    path = (world.state / "agent" / "shop.db").absolute().as_uri()
    with contextlib.closing(sqlite3.connect(f"{path}?mode=ro", uri=True)) as ledger:
        kept = set(ledger.execute("SELECT job_id, state, seen, sent, stored, failed FROM jobs"))
        unanswered = ledger.execute("SELECT batch_id FROM batches").fetchall()
    stored = set(world.query("SELECT job_id, state, images, sent, stored, failed FROM jobs"))
    found = [f"ledger: {row}" for row in kept - stored] + [f"ledger has not: {row}" for row in stored - kept]
    return found + [f"ledger: batch {batch_id} has no answer" for (batch_id,) in unanswered]
