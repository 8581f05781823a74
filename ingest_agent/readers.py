"""The threads that read files and make their pixels: small portions in, outcomes in order out."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Portion:
    """Files that were given to one thread at the monotonic time `began`."""

    files: Sequence[ToRead]
    spec: InputSpec
    began: float
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

    def are_in(self, folder: bytes) -> bool:
        """Tell whether files of a top-level folder are being read."""
        return self._folders.get(folder, 0) > 0

    def read(self, files: Sequence[ToRead], spec: InputSpec, *, inodes: bool, now: float) -> None:
        """Have files read."""
        for part in portions(files):
            paths = [file.path for file in part]
            outcomes = self._pool.submit(_read_all, paths, spec, inodes)
            outcomes.add_done_callback(lambda _: self._wake())
            self._portions.append(Portion(part, spec, now, outcomes))
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


def _read_all(paths: list[bytes], spec: InputSpec, inodes: bool) -> list[Outcome]:  # noqa: FBT001 - for a pool
    return [read_image(path, spec, inodes=inodes) for path in paths]


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
