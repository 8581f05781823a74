"""The threads that read files and have their pixels made: small portions in, outcomes in order out."""

import queue
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from broker.health import Work
from broker.settings import IngestAgent
from ingest_agent.decoder import Bounds, Decoder
from ingest_agent.descent import Descent
from ingest_agent.places import folder_and_name
from ingest_agent.preparing import CannotPrepare, InThisProcess, Preparer
from ingest_agent.reading import NotYet, Outcome, Rules, Whole, outcome_of, read_file
from model.preprocessing import InputSpec

FILES_PER_PORTION = 64
BYTES_PER_PORTION = 4_000_000


@dataclass(frozen=True, slots=True)
class ToRead:
    """A file to read: its path below the inbox, and its size in bytes."""

    relative: bytes
    size: int


@dataclass(slots=True)
class Progress:
    """When a portion's thread last began or ended a file (monotonic)."""

    at: float

    def moved(self) -> None:
        """Say that another file is done."""
        self.at = time.monotonic()


@dataclass(frozen=True, slots=True)
class Portion:
    """Files that were given to one thread at the monotonic time `began`."""

    files: Sequence[ToRead]
    spec: InputSpec
    began: float
    progress: Progress
    outcomes: "Future[list[Outcome]]"


def preparers(own: IngestAgent) -> list[Preparer]:
    """Return who makes pixels, one for each reading thread, as the settings want it."""
    if own.decode_in == "agent":
        return [InThisProcess() for _ in range(own.readers)]
    bounds = Bounds(own.decode_s, own.decoder_memory_mb)
    return [Decoder(bounds) for _ in range(own.readers)]


class Readers:
    """A thread for each preparer, reading below `inbox`; `wake` is called when a portion is done."""

    def __init__(
        self,
        inbox: bytes,
        preparers: Sequence[Preparer],
        wake: Callable[[], None],
        *,
        hard_links: bool = True,
    ) -> None:
        self._inbox = inbox
        self._preparers = preparers
        self._free: queue.SimpleQueue[Preparer] = queue.SimpleQueue()
        self._hard_links = hard_links
        self._pool = ThreadPoolExecutor(len(preparers), thread_name_prefix="reader")
        self._wake = wake
        self._portions: deque[Portion] = deque()
        self._folders: Counter[bytes] = Counter()
        self._count = 0

    def start(self) -> None:
        """Have the preparers begin, so that the first files need not wait for them."""
        for preparer in self._preparers:
            self._pool.submit(self._begin, preparer)

    def _begin(self, preparer: Preparer) -> None:
        """Have it begin, and only then give it to whoever reads: one thread at a time uses it."""
        try:
            preparer.start()  # what goes wrong is told when there is something to prepare
        finally:
            self._free.put(preparer)

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
            rules = Rules(spec.max_bytes, inodes, self._hard_links)
            progress = Progress(now)
            outcomes = self._pool.submit(self._read_portion, part, spec, rules, progress)
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
        """Read no more; what is under way is left, for nobody takes it in."""
        for preparer in self._preparers:
            preparer.interrupt()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for preparer in self._preparers:
            preparer.close()

    def _read_portion(
        self, files: Sequence[ToRead], spec: InputSpec, rules: Rules, progress: Progress
    ) -> list[Outcome]:
        preparer = self._free.get()
        progress.moved()
        try:
            paths = [file.relative for file in files]
            return read_portion(self._inbox, paths, spec, rules, preparer, progress)
        finally:
            self._free.put(preparer)


def read_portion(
    inbox: bytes,
    files: Sequence[bytes],
    spec: InputSpec,
    rules: Rules,
    preparer: Preparer,
    progress: Progress,
) -> list[Outcome]:
    """Read files and have their pixels made, a few megabytes at a time. Raises nothing."""
    outcomes: dict[int, Outcome] = {}
    gathered: dict[int, Whole] = {}
    with Descent(inbox) as descent:
        for number, relative in enumerate(files):
            found = read_file(descent, relative, rules)
            progress.moved()
            if isinstance(found, Whole):
                gathered[number] = found
            else:
                outcomes[number] = found
            # They may have grown since they were listed.
            if sum(len(file.data) for file in gathered.values()) >= BYTES_PER_PORTION:
                outcomes |= _prepared(gathered, spec, preparer, progress)
                gathered = {}
    outcomes |= _prepared(gathered, spec, preparer, progress)
    return [outcomes[number] for number in range(len(files))]


def _prepared(
    files: dict[int, Whole], spec: InputSpec, preparer: Preparer, progress: Progress
) -> dict[int, Outcome]:
    try:
        found = (
            preparer.prepare([file.data for file in files.values()], spec, progress.moved) if files else []
        )
    except CannotPrepare as error:
        return {
            number: NotYet("unreadable", str(error), file.stat, world=True) for number, file in files.items()
        }
    return {number: outcome_of(file, one) for (number, file), one in zip(files.items(), found, strict=True)}


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
