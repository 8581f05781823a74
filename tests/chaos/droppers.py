"""Ways in which pictures arrive in an inbox, and the list of what has been dropped."""

import contextlib
import os
import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.chaos.pictures import no_picture, picture

BAD_SHARE = 0.01


class Dropped:
    """What has been dropped: for each path below the inbox, how many rows it must have in the end.

    A path maps to the (fewest, most) rows over `predictions` and `failures` together.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.rows: dict[str, tuple[int, int]] = {}

    def add(self, path: str, fewest: int = 1, most: int = 1) -> None:
        """Expect so many more rows for a path."""
        with self._lock:
            low, high = self.rows.get(path, (0, 0))
            self.rows[path] = (low + fewest, high + most)

    def allow_none(self, path: str) -> None:
        """Allow a path that went away early to have no row."""
        with self._lock:
            self.rows[path] = (0, self.rows[path][1])

    @property
    def images(self) -> int:
        """How many rows must be there at least."""
        with self._lock:
            return sum(low for low, _ in self.rows.values())


class Dropper:
    """Drops `images` pictures into `inbox` in every way there is, evenly over `seconds`."""

    def __init__(self, inbox: Path, scratch: Path, *, images: int, seconds: float, seed: int) -> None:
        self._inbox = inbox
        self._scratch = scratch
        self._images = images
        self._seconds = seconds
        self._rng = random.Random(seed)
        self._count = 0
        self.dropped = Dropped()
        self.ways: Counter[str] = Counter()
        self.stored: Callable[[str], bool] = lambda _path: False
        """Tells whether a path has its row; only such files are touched and rewritten."""

    def run(self) -> None:
        """Drop until all are dropped, about evenly in time."""
        began = time.monotonic()
        ways = [self._folder, self._folder, self._single, self._single, self._in_place, self._slow]
        ways += [self._renamed, self._nested, self._touched, self._rewritten]
        while self._count < self._images:
            way = self._rng.choice(ways)
            before = self._count
            way()
            self.ways[way.__name__.strip("_")] += self._count - before
            due = began + self._seconds * self._count / self._images
            time.sleep(max(0.0, min(due - time.monotonic(), 2.0)))

    def _name(self) -> str:
        return f"{self._rng.getrandbits(40):010x}.png"

    def _content(self) -> bytes:
        return no_picture(self._rng) if self._rng.random() < BAD_SHARE else picture(self._rng)

    def _expect(self, path: Path) -> None:
        self.dropped.add(path.relative_to(self._inbox).as_posix())
        self._count += 1

    def probe(self) -> str:
        """Drop one picture into a folder of its own, whole at once; return its path below the inbox."""
        name = f"probe-{self._rng.getrandbits(40):010x}"
        hidden = self._scratch / name
        hidden.mkdir()
        (hidden / "probe.png").write_bytes(picture(random.Random(name)))
        self.dropped.add(f"{name}/probe.png")
        hidden.rename(self._inbox / name)
        return f"{name}/probe.png"

    def _folder(self) -> None:
        """A whole folder with a sub-folder, moved in at once."""
        name = f"folder-{self._rng.getrandbits(40):010x}"
        hidden = self._scratch / name
        (hidden / "more").mkdir(parents=True)
        files = []
        for _ in range(self._rng.randint(20, 200)):
            file = Path(self._rng.choice(["", "more"])) / self._name()
            (hidden / file).write_bytes(self._content())
            files.append(self._inbox / name / file)
        for file in files:
            self._expect(file)
        hidden.rename(self._inbox / name)

    def _single(self) -> None:
        """Loose files, renamed from a temporary name."""
        for _ in range(self._rng.randint(1, 10)):
            part = self._inbox / f"{self._name()}.part"
            part.write_bytes(self._content())
            target = part.with_suffix("")
            self._expect(target)
            part.rename(target)

    def _in_place(self) -> None:
        """Loose files, written where they stay."""
        for _ in range(self._rng.randint(1, 10)):
            target = self._inbox / self._name()
            self._expect(target)
            target.write_bytes(self._content())

    def _slow(self) -> None:
        """A file that is written in pieces, with pauses, by a writer of its own."""
        target = self._inbox / "slow" / self._name()
        target.parent.mkdir(exist_ok=True)
        self._expect(target)
        content, pause = picture(self._rng), self._rng.uniform(0.1, 0.8)
        threading.Thread(target=_write_slowly, args=(target, content, pause), daemon=True).start()

    def _renamed(self) -> None:
        """A finished file that gets another name in the inbox: the new name is a new image."""
        first = self._inbox / "renamed" / self._name()
        first.parent.mkdir(exist_ok=True)
        second = first.with_name(self._name())
        self._expect(first)
        self._expect(second)
        first.write_bytes(picture(self._rng))
        time.sleep(self._rng.choice([0.0, 0.05, 0.5]))
        self.dropped.allow_none(first.relative_to(self._inbox).as_posix())
        first.rename(second)

    def _nested(self) -> None:
        """Folders made and filled in one go, faster than a watch can be set on them."""
        folder = self._inbox / f"nested-{self._rng.getrandbits(40):010x}"
        for _ in range(self._rng.randint(1, 4)):
            folder = folder / self._rng.choice("abc")
            folder.mkdir(parents=True)
            for _ in range(self._rng.randint(1, 10)):
                target = folder / self._name()
                self._expect(target)
                target.write_bytes(self._content())

    def _a_stored_one(self) -> Path | None:
        once = [p for p, rows in list(self.dropped.rows.items())[-3000:] if rows == (1, 1)]
        path = self._rng.choice(once) if once else ""
        return self._inbox / path if path and self.stored(path) else None

    def _touched(self) -> None:
        """A stored file whose times change and whose content does not: no new row."""
        if (path := self._a_stored_one()) is not None:
            with contextlib.suppress(FileNotFoundError):
                os.utime(path)
                self.ways["touched"] += 1

    def _rewritten(self) -> None:
        """A stored file that gets another content: one more row, in its folder's next job."""
        if (path := self._a_stored_one()) is not None and path.exists():
            self._expect(path)
            path.write_bytes(picture(self._rng))

    def clean(self) -> None:
        """Remove what was prepared outside the inbox."""
        shutil.rmtree(self._scratch, ignore_errors=True)


def _write_slowly(target: Path, content: bytes, pause_s: float) -> None:
    third = len(content) // 3
    with target.open("wb") as file:
        for piece in (content[:third], content[third : 2 * third], content[2 * third :]):
            file.write(piece)
            file.flush()
            time.sleep(pause_s)
