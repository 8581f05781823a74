"""Compare layouts for every image's ten probabilities: rows/s and bytes/row, with all other columns.

    .venv/bin/python benchmarks/store_layout.py [--rows 200000]

What came out is recorded in docs/decisions/0002-probabilities-layout.md.
"""

import argparse
import json
import random
import sqlite3
import struct
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
ROWS_A_TRANSACTION = 2048
JOB_ROWS = 10_000
ORDINARY = (
    "job_id TEXT NOT NULL, image TEXT NOT NULL, label TEXT NOT NULL, confidence REAL NOT NULL,"
    " verdict TEXT NOT NULL, reasons TEXT NOT NULL, model_version TEXT NOT NULL, predicted_at TEXT NOT NULL,"
    " batch INTEGER NOT NULL"
)
Probabilities = Sequence[float]


@dataclass(frozen=True)
class Layout:
    """One way to keep the probabilities: the columns' DDL and what stands in them."""

    name: str
    columns: tuple[str, ...]
    cells: Callable[[Probabilities], tuple[object, ...]]
    without_rowid: bool = True
    long: bool = False

    def ddl(self) -> list[str]:
        """Return the statements that make the table(s)."""
        columns = "".join(f", {column}" for column in self.columns)
        options = "WITHOUT ROWID, STRICT" if self.without_rowid else "STRICT"
        made = [f"CREATE TABLE predictions ({ORDINARY}{columns}, PRIMARY KEY (job_id, image)) {options}"]
        if self.long:
            made[0] = f"CREATE TABLE predictions (id INTEGER PRIMARY KEY, {ORDINARY}, UNIQUE (job_id, image))"
            made.append(
                "CREATE TABLE probabilities (prediction INTEGER NOT NULL, class INTEGER NOT NULL,"
                " probability REAL NOT NULL, PRIMARY KEY (prediction, class)) WITHOUT ROWID, STRICT"
            )
        return made


def _numbered(kind: str) -> tuple[str, ...]:
    return tuple(f"p{i} {kind} NOT NULL" for i in range(10))


def _millionths(p: Probabilities) -> tuple[int, ...]:
    return tuple([round(x * 1e6) for x in p])


LAYOUTS = (
    Layout("ten REAL columns", _numbered("REAL"), tuple),
    Layout("ten REAL columns, rowid", _numbered("REAL"), tuple, without_rowid=False),
    Layout("float32 BLOB", ("p BLOB NOT NULL",), lambda p: (struct.pack("<10f", *p),)),
    Layout(
        "float32 BLOB, rowid", ("p BLOB NOT NULL",), lambda p: (struct.pack("<10f", *p),), without_rowid=False
    ),
    Layout("JSON by name", ("p TEXT NOT NULL",), lambda p: (json.dumps(dict(zip(CLASSES, p, strict=True))),)),
    Layout("JSON array, 6 digits", ("p TEXT NOT NULL",), lambda p: (json.dumps([round(x, 6) for x in p]),)),
    Layout("ten INTEGER millionths", _numbered("INTEGER"), _millionths),
    Layout("ten INTEGER millionths, rowid", _numbered("INTEGER"), _millionths, without_rowid=False),
    Layout("long table", (), tuple, long=True),
)


def softmax_like(rng: random.Random) -> list[float]:
    """Return ten probabilities as a calibrated network gives them: one large, few middling, the rest tiny."""
    weights = [10 ** rng.uniform(-7, 0) for _ in CLASSES]
    weights[rng.randrange(10)] += 5 * rng.random()
    total = sum(weights)
    return [struct.unpack("f", struct.pack("f", w / total))[0] for w in weights]


def ordinary_cells(n: int, p: Probabilities) -> tuple[object, ...]:
    """Return the other columns of row `n`, with names as long as real ones."""
    best = max(range(10), key=p.__getitem__)
    job = f"shop-20261122T{n // JOB_ROWS:06d}Z-1a2b3c4d"
    when = "2026-11-22T13:16:01.123Z"
    return (
        job,
        f"ankle-boot/IMG_{n:06d}.png",
        CLASSES[best],
        p[best],
        "ok",
        "",
        "2026.11.22-abcdef",
        when,
        n // 256,
    )


def write(
    database: sqlite3.Connection, layout: Layout, rows: Sequence[tuple[tuple[object, ...], Probabilities]]
) -> None:
    """Insert the rows, `ROWS_A_TRANSACTION` at a time, as the store does."""
    width = 9 if layout.long else 9 + len(layout.columns)
    names = (
        "(job_id, image, label, confidence, verdict, reasons, model_version, predicted_at, batch)"
        * layout.long
    )
    insert = f"INSERT INTO predictions {names} VALUES ({','.join('?' * width)}) ON CONFLICT DO NOTHING"
    for start in range(0, len(rows), ROWS_A_TRANSACTION):
        part = rows[start : start + ROWS_A_TRANSACTION]
        database.execute("BEGIN IMMEDIATE")
        if layout.long:
            database.executemany(insert, [cells for cells, _ in part])
            each = [(start + i + 1, c, x) for i, (_, p) in enumerate(part) for c, x in enumerate(p)]
            database.executemany("INSERT INTO probabilities VALUES (?, ?, ?)", each)
        else:
            database.executemany(insert, [cells + layout.cells(p) for cells, p in part])
        database.execute("COMMIT")


def measure(layout: Layout, rows: Sequence[tuple[tuple[object, ...], Probabilities]]) -> tuple[float, float]:
    """Return rows per second and bytes per row of one layout in a fresh file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layout.db"
        database = sqlite3.connect(path, isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        for statement in layout.ddl():
            database.execute(statement)
        began = time.perf_counter()
        write(database, layout, rows)
        took = time.perf_counter() - began
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        return len(rows) / took, path.stat().st_size / len(rows)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    rng = random.Random(1)
    probabilities = [softmax_like(rng) for _ in range(options.rows)]
    rows = [(ordinary_cells(n, p), p) for n, p in enumerate(probabilities)]
    print(f"| layout, {ROWS_A_TRANSACTION} rows a transaction | rows/s | bytes/row |\n|---|---|---|")
    for layout in LAYOUTS:
        figures = [measure(layout, rows) for _ in range(options.repeats)]
        print(f"| {layout.name} | {max(f[0] for f in figures):,.0f} | {figures[0][1]:.0f} |", flush=True)


if __name__ == "__main__":
    main()
