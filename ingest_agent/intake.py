"""From hints, walks and waiting files to pixels: which file is looked at next, and what became of it.

Nothing is read beyond the room that the window leaves, so a folder of any size costs the same memory.
"""

import os
import stat
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from ingest_agent.hints import Hints
from ingest_agent.inbox import Inbox
from ingest_agent.jobs import Jobs
from ingest_agent.ledger import Known, Ledger
from ingest_agent.places import Ignored, folder_and_name, has_image_suffix
from ingest_agent.reading import NotYet, Outcome, Pixels, Stat, Unfit, not_regular, read_image, stat_of
from ingest_agent.rounds import Rounds
from ingest_agent.scanner import Found, Unreadable
from ingest_agent.waiting import Patience, Waiting, WaitingRoom
from model.preprocessing import InputSpec

FILES_PER_READ = 32
BYTES_PER_READ = 4_000_000
CREATED_LOOK_S = 0.25
WORLD_RETRY_S = 1.0
LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may be taken. `finished` when somebody said that it is whole."""

    relative: bytes
    found: os.stat_result
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that became pixels; `began` is when its reading began, monotonic."""

    relative: bytes
    spec: InputSpec
    pixels: Pixels
    began: float


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that is no usable image, for good."""

    relative: bytes
    reason: str
    detail: str
    stat: Stat


@dataclass(frozen=True, slots=True)
class WorldTrouble:
    """Something that is not a file's fault: `path` could not be read."""

    relative: bytes
    detail: str


Result = Taken | Refused | WorldTrouble


@dataclass(frozen=True, slots=True)
class _Reading:
    relatives: list[bytes]
    spec: InputSpec
    began: float
    outcomes: "Future[list[Outcome]]"


def _read_all(paths: list[bytes], spec: InputSpec, inodes: bool) -> list[Outcome]:  # noqa: FBT001 - for a pool
    return [read_image(path, spec, inodes=inodes) for path in paths]


class Intake:
    """What comes in. `held` is what is in the agent's hands: being read, gathered, or out and unanswered."""

    def __init__(  # noqa: PLR0913 - one part each
        self,
        *,
        inbox: Inbox,
        ledger: Ledger,
        jobs: Jobs,
        hints: Hints,
        ignored: Ignored,
        patience: Patience,
        rounds: Rounds,
        pool: ThreadPoolExecutor,
        wake: Callable[[], None],
    ) -> None:
        self._inbox = inbox
        self._ledger = ledger
        self._jobs = jobs
        self._hints = hints
        self._ignored = ignored
        self._patience = patience
        self._pool = pool
        self._wake = wake
        self._readings: deque[_Reading] = deque()
        self._in_reading: Counter[bytes] = Counter()
        self._results: deque[Result] = deque()
        self.rounds = rounds
        self.inodes = True
        self.waiting = WaitingRoom()
        self.held: dict[bytes, Stat] = {}

    def use(self, patience: Patience, *, inodes: bool) -> None:
        """Take over what follows from the inbox's file system."""
        self._patience = patience
        self.inodes = inodes

    @property
    def in_reading(self) -> int:
        """How many files are being read."""
        return self._in_reading.total()

    @property
    def has_work(self) -> bool:
        """Whether there is something to look at now."""
        return len(self._hints) > 0 or self.rounds.walking or bool(self._results)

    def is_calm(self, folder: bytes, now: float) -> bool:
        """Tell whether nothing is known of a folder that would soon be an image of its job."""
        return not (
            self._in_reading.get(folder)
            or self.rounds.may_find_in(folder)
            or self.waiting.holds(folder, now)
            or self._hints.mention(folder)
        )

    def release(self, relative: bytes) -> None:
        """Let go of an image that is answered: the ledger knows it from now on."""
        self.held.pop(relative, None)

    # Looking for files

    def feed(self, spec: InputSpec, room: int, now: float) -> None:
        """Give the readers up to `room` files."""
        room -= self.in_reading
        for source in (self._due, self._finished, self._appeared):
            if room > 0:
                room -= self._offer(source(room, now), spec, now)
        if room > 0 and (self.rounds.walking or self.rounds.is_due(now)):
            began = time.perf_counter()
            self._offer(self._walked(room, now), spec, now)
            self.rounds.spent(time.perf_counter() - began)

    def _due(self, room: int, now: float) -> Iterator[Candidate]:
        for file in self.waiting.due(now, room):
            found = self._look(file.relative)
            if found is None:
                self._gone(file.relative)
            else:
                yield Candidate(file.relative, found)

    def _finished(self, room: int, now: float) -> Iterator[Candidate]:  # noqa: ARG002 - as the others
        for relative in self._hints.take_finished(room):
            found = None if self._ignored.path(relative) else self._look(relative)
            if found is not None:
                yield Candidate(relative, found, finished=stat.S_ISREG(found.st_mode))

    def _appeared(self, room: int, now: float) -> Iterator[Candidate]:
        for relative in self._hints.take_created(now - CREATED_LOOK_S, room):
            found = None if self._ignored.path(relative) else self._look(relative)
            if found is not None:
                yield Candidate(relative, found)
        for relative in self._hints.take_folders(room):
            if not self._ignored.path(relative):
                self.rounds.look_into(relative)
                found = self._look(relative) if has_image_suffix(relative) else None
                if found is not None:
                    yield Candidate(relative, found)

    def _walked(self, room: int, now: float) -> Iterator[Candidate]:
        for entry in self.rounds.step(room, now):
            match entry:
                case Found(relative, found):
                    yield Candidate(relative, found)
                case Unreadable(relative, error):
                    detail = f"{os.fsdecode(relative) or 'the inbox'}: {error.strerror or error}"
                    self._results.append(WorldTrouble(relative, detail))

    def _look(self, relative: bytes) -> os.stat_result | None:
        try:
            return os.lstat(self._inbox.absolute(relative))
        except OSError:
            return None

    # Deciding about them

    def _offer(self, candidates: Iterable[Candidate], spec: InputSpec, now: float) -> int:
        """Sort candidates out and have the new ones read; return how many those are."""
        by_folder: dict[bytes, list[tuple[bytes, Candidate]]] = {}
        for candidate in candidates:
            held = self.held.get(candidate.relative)
            folder, name = folder_and_name(candidate.relative)
            if held is None:
                by_folder.setdefault(folder, []).append((name, candidate))
                continue
            self.waiting.remove(candidate.relative)
            if not held.same_as(stat_of(candidate.found, inodes=self.inodes)):
                self._revisit(folder)
        wall_s = time.time()
        ready = [
            candidate
            for folder, named in by_folder.items()
            for candidate in self._new_ones(folder, named)
            if self._is_ready(candidate, now, wall_s)
        ]
        self._submit(ready, spec, now)
        return len(ready)

    def _new_ones(self, folder: bytes, named: list[tuple[bytes, Candidate]]) -> Iterator[Candidate]:
        known = self._ledger.known(folder, [name for name, _ in named])
        for name, candidate in named:
            entry = known.get(name)
            if entry is None or self._is_new_version(folder, candidate, entry):
                yield candidate
            else:
                self.waiting.remove(candidate.relative)

    def _is_new_version(self, folder: bytes, candidate: Candidate, known: Known) -> bool:
        """Tell whether a known file is another one now, whose turn has come."""
        if known.stat.same_as(stat_of(candidate.found, inodes=self.inodes)):
            return False
        job = self._jobs.open_in(folder)
        if job is not None and job.number == known.job:
            job.revisit = True
            return False
        return True

    def _revisit(self, folder: bytes) -> None:
        job = self._jobs.open_in(folder)
        if job is not None:
            job.revisit = True

    def _is_ready(self, candidate: Candidate, now: float, wall_s: float) -> bool:
        """Tell whether to read a file now; if not, it waits or is refused."""
        if not stat.S_ISREG(candidate.found.st_mode):
            unfit = not_regular(candidate.found)
            self._refuse(candidate.relative, unfit.reason, unfit.detail, unfit.stat)
            return False
        if candidate.finished:
            self.waiting.remove(candidate.relative)
            return True
        file = self.waiting.get(candidate.relative)
        version = stat_of(candidate.found, inodes=self.inodes)
        if file is not None and file.stat is not None and file.stat != version:
            file.since = now
        still_s = self._patience.still_s(version, file.since if file else now, now, wall_s)
        was_tried = file is not None and file.attempts > 0 and file.stat == version
        left_s = (self._patience.give_up_s if was_tried else self._patience.settle_s) - still_s
        if left_s <= 0:
            return True
        file = self.waiting.put(candidate.relative, now + min(left_s, self._look_s), now)
        if file is not None:
            file.stat = version
        return False

    @property
    def _look_s(self) -> float:
        """How often a waiting file is looked at."""
        return max(self._patience.settle_s, LOOK_S)

    # Reading them

    def _submit(self, ready: list[Candidate], spec: InputSpec, now: float) -> None:
        for part in _parts(ready):
            relatives = [candidate.relative for candidate in part]
            for candidate in part:
                self.held[candidate.relative] = stat_of(candidate.found, inodes=self.inodes)
                self._in_reading[folder_and_name(candidate.relative)[0]] += 1
            paths = [self._inbox.absolute(relative) for relative in relatives]
            outcomes = self._pool.submit(_read_all, paths, spec, self.inodes)
            outcomes.add_done_callback(lambda _: self._wake())
            self._readings.append(_Reading(relatives, spec, now, outcomes))

    def collect(self, now: float) -> Iterator[Result]:
        """Return what became of the files that were read, in the order in which they were found."""
        while self._results:
            yield self._results.popleft()
        while self._readings and self._readings[0].outcomes.done():
            reading = self._readings.popleft()
            for relative, outcome in zip(reading.relatives, reading.outcomes.result(), strict=True):
                folder = folder_and_name(relative)[0]
                self._in_reading[folder] -= 1
                if not self._in_reading[folder]:
                    del self._in_reading[folder]
                match outcome:
                    case Pixels():
                        self.waiting.remove(relative)
                        self.held[relative] = outcome.stat
                        yield Taken(relative, reading.spec, outcome, reading.began)
                    case NotYet():
                        self._not_yet(relative, outcome, now)
                    case Unfit():
                        self._refuse(relative, outcome.reason, outcome.detail, outcome.stat)
        while self._results:
            yield self._results.popleft()

    def _not_yet(self, relative: bytes, outcome: NotYet, now: float) -> None:
        del self.held[relative]
        if outcome.gone:
            self._gone(relative)
            return
        file = self.waiting.put(relative, now + WORLD_RETRY_S, now)
        if outcome.world:
            self._results.append(WorldTrouble(relative, outcome.detail))
        elif file is not None:
            self._failed_once_more(file, outcome, now)

    def _failed_once_more(self, file: Waiting, outcome: NotYet, now: float) -> None:
        if outcome.stat is None:
            return
        if file.stat is not None and file.stat != outcome.stat:
            file.since = now
        file.attempts += 1
        file.stat, file.reason, file.detail = outcome.stat, outcome.reason, outcome.detail
        still_s = self._patience.still_s(outcome.stat, file.since, now, time.time())
        if outcome.reason == "unreadable":
            still_s = now - file.first_seen
        if self._patience.is_hopeless(still_s):
            self._refuse(file.relative, outcome.reason, outcome.detail, outcome.stat)
        else:
            left_s = self._patience.give_up_s - still_s
            self.waiting.put(file.relative, now + min(left_s, self._look_s), now)

    def _gone(self, relative: bytes) -> None:
        """Let go of a file that is no more; it is a failure when it had been read and was not whole."""
        file = self.waiting.remove(relative)
        if file is not None and file.attempts:
            detail = f"The file vanished before it was whole; it was {file.reason} at the last look."
            self._refuse(relative, "vanished", detail, file.stat or Stat(0, 0, 0))

    def _refuse(self, relative: bytes, reason: str, detail: str, version: Stat) -> None:
        self.waiting.remove(relative)
        self.held[relative] = version
        self._results.append(Refused(relative, reason, detail, version))


def _parts(ready: list[Candidate]) -> Iterator[list[Candidate]]:
    """Cut what is to be read into parts for the readers: few files each, and few bytes."""
    part: list[Candidate] = []
    size = 0
    for candidate in ready:
        part.append(candidate)
        size += candidate.found.st_size
        if len(part) >= FILES_PER_READ or size >= BYTES_PER_READ:
            yield part
            part, size = [], 0
    if part:
        yield part
