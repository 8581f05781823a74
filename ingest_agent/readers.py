"""The threads that read files and make their pixels: small portions in, outcomes in order out."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from broker.health import Work
from ingest_agent.places import folder_and_name
from ingest_agent.reading import Outcome, read_image
from model.preprocessing import InputSpec

FILES_PER_PORTION = 64
BYTES_PER_PORTION = 4_000_000


@dataclass(frozen=True, slots=True)
class ToRead:
    """A file to read: its path below the inbox, its whole path, and its size in bytes."""

    relative: bytes
    path: bytes
    size: int


@dataclass(slots=True)
class Progress:
    """When a portion's thread last began or ended a file (monotonic)."""

    at: float


@dataclass(frozen=True, slots=True)
class Portion:
    """Files that were given to one thread at the monotonic time `began`."""

    files: Sequence[ToRead]
    spec: InputSpec
    began: float
    progress: Progress
    outcomes: "Future[list[Outcome]]"


class Readers:
    """A pool of threads; `wake` is called when a portion is done."""

    def __init__(self, threads: int, wake: Callable[[], None]) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="reader")
        self._wake = wake
        self._portions: deque[Portion] = deque()
        self._folders: Counter[bytes] = Counter()
        self._count = 0

    def __len__(self) -> int:
        """How many files are being read."""
        return self._count

    def work(self) -> Work | None:
        """Return what the oldest portion under way is at; for any thread."""
        portion = self.oldest
        if portion is None or portion.outcomes.done():
            return None
        return Work("an image that is being read", portion.progress.at)

    @property
    def oldest(self) -> Portion | None:
        """The portion that was given first, done or not; for any thread."""
        try:
            return self._portions[0]
        except IndexError:  # the loop took the last one just now
            return None

    def are_in(self, folder: bytes) -> bool:
        """Tell whether files of a top-level folder are being read."""
        return self._folders.get(folder, 0) > 0

    def read(self, files: Sequence[ToRead], spec: InputSpec, *, inodes: bool, now: float) -> None:
        """Have files read."""
        for part in portions(files):
            paths = [file.path for file in part]
            progress = Progress(now)
            outcomes = self._pool.submit(_read_all, paths, spec, inodes, progress)
            outcomes.add_done_callback(lambda _: self._wake())
            self._portions.append(Portion(part, spec, now, progress, outcomes))
            self._count += len(part)
            self._folders.update(folder_and_name(file.relative)[0] for file in part)

    def done(self) -> Iterator[tuple[Portion, ToRead, Outcome]]:
        """Yield what was read, in the order in which it was given."""
        while self._portions and self._portions[0].outcomes.done():
            portion = self._portions.popleft()
            self._count -= len(portion.files)
            self._folders.subtract(folder_and_name(file.relative)[0] for file in portion.files)
            self._folders += Counter()  # drops the zeros
            for file, outcome in zip(portion.files, portion.outcomes.result(), strict=True):
                yield portion, file, outcome

    def stop(self) -> None:
        """Let the portions under way end, and read no more."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _read_all(
    paths: list[bytes],
    spec: InputSpec,
    inodes: bool,  # noqa: FBT001 - for a pool
    progress: Progress,
) -> list[Outcome]:
    found = []
    for path in paths:
        progress.at = time.monotonic()
        found.append(read_image(path, spec, inodes=inodes))
    progress.at = time.monotonic()
    return found


def portions(files: Sequence[ToRead]) -> Iterator[list[ToRead]]:
    """Cut what is to be read: few files each, and few bytes."""
    part: list[ToRead] = []
    size = 0
    for file in files:
        part.append(file)
        size += file.size
        if len(part) >= FILES_PER_PORTION or size >= BYTES_PER_PORTION:
            yield part
            part, size = [], 0
    if part:
        yield part
