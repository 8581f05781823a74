"""From hints, walks and waiting files to pixels: which file is looked at next, and what became of it.

Nothing is read beyond the room that the window leaves, so a folder of any size costs the same memory.
"""

import os
import stat
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from broker.places import Ignored, folder_and_name, has_image_suffix
from ingest_agent.findings import Candidate, Refused, Result, Taken, WorldTrouble
from ingest_agent.hints import Hints
from ingest_agent.inbox import Inbox
from ingest_agent.jobs import Jobs
from ingest_agent.ledger import Ledger
from ingest_agent.ledger_records import Known
from ingest_agent.readers import Readers, ToRead
from ingest_agent.reading import NotYet, Pixels, Stat, Unfit, not_regular, stat_of
from ingest_agent.rounds import Rounds
from ingest_agent.scanner import Found, Unreadable
from ingest_agent.waiting import Patience, Waiting, WaitingRoom
from model.preprocessing import InputSpec

CREATED_LOOK_S = 0.25
WORLD_RETRY_S = 1.0
READ_AHEAD_IMAGES = 512


@dataclass(frozen=True)
class Sources:
    """Where files are heard of."""

    inbox: Inbox
    hints: Hints
    rounds: Rounds
    ignored: Ignored


class Intake:
    """What comes in. `held` is what is in the agent's hands: being read, gathered, or out and unanswered."""

    def __init__(
        self, sources: Sources, readers: Readers, ledger: Ledger, jobs: Jobs, patience: Patience
    ) -> None:
        self._inbox = sources.inbox
        self._hints = sources.hints
        self._ignored = sources.ignored
        self._readers = readers
        self._ledger = ledger
        self._jobs = jobs
        self._patience = patience
        self._inodes = True
        self._results: deque[Result] = deque()
        self.rounds = sources.rounds
        self.waiting = WaitingRoom()
        self.held: dict[bytes, Stat] = {}
        self._changed: dict[bytes, Known] = {}
        self._touched: list[tuple[bytes, bytes, Stat]] = []

    def use(self, patience: Patience, *, inodes: bool) -> None:
        """Take over what follows from the inbox's file system."""
        self._patience = patience
        self._inodes = inodes

    def has_work(self, now: float) -> bool:
        """Whether there is something to look at now, and readers who have little to do."""
        if len(self._readers) > READ_AHEAD_IMAGES // 2:
            return False
        return self._hints.has_any(now - CREATED_LOOK_S) or self.rounds.walking or self.rounds.is_due(now)

    def is_calm(self, folder: bytes, now: float) -> bool:
        """Tell whether nothing is known of a folder that would soon be an image of its job."""
        return not (
            self._readers.are_in(folder)
            or self.rounds.may_find_in(folder)
            or self.waiting.holds(folder, now)
            or self._hints.mention(folder)
        )

    def release(self, relative: bytes) -> None:
        """Let go of an image that is answered: the ledger knows it from now on."""
        self.held.pop(relative, None)

    # Looking for files

    def feed(self, spec: InputSpec, gathered: int, now: float) -> None:
        """Give the readers files, so that they and the batches in the making hold a few hundred images."""
        room = READ_AHEAD_IMAGES - gathered - len(self._readers)
        if len(self._readers) > READ_AHEAD_IMAGES // 2:
            return
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
                yield self._candidate(file.relative, found)

    def _finished(self, room: int, now: float) -> Iterator[Candidate]:  # noqa: ARG002 - as the others
        for relative in self._hints.take_finished(room):
            found = None if self._ignored.path(relative) else self._look(relative)
            if found is not None:
                yield self._candidate(relative, found, finished=stat.S_ISREG(found.st_mode))

    def _appeared(self, room: int, now: float) -> Iterator[Candidate]:
        for relative in self._hints.take_created(now - CREATED_LOOK_S, room):
            found = None if self._ignored.path(relative) else self._look(relative)
            if found is not None:
                yield self._candidate(relative, found)
        for relative, whole in self._hints.take_folders().items():
            if not self._ignored.path(relative):
                self.rounds.look_into(relative, whole=whole)
                found = self._look(relative) if has_image_suffix(relative) else None
                if found is not None:
                    yield self._candidate(relative, found)

    def _walked(self, room: int, now: float) -> Iterator[Candidate]:
        for entry in self.rounds.step(room, now):
            match entry:
                case Found(relative, found):
                    finished = self.rounds.in_whole_folder and stat.S_ISREG(found.st_mode)
                    yield self._candidate(relative, found, finished=finished)
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
        wall_s = time.time()
        ready = [
            candidate
            for folder, named in self._sorted_out(candidates).items()
            for candidate in self._new_ones(folder, named)
            if self._is_ready(candidate, now, wall_s)
        ]
        for candidate in ready:
            self.held[candidate.relative] = candidate.version
        files = [ToRead(of.relative, of.found.st_size) for of in ready]
        self._readers.read(files, spec, inodes=self._inodes, now=now)
        return len(ready)

    def _candidate(self, relative: bytes, found: os.stat_result, *, finished: bool = False) -> Candidate:
        return Candidate(relative, found, stat_of(found, inodes=self._inodes), finished)

    def _sorted_out(self, candidates: Iterable[Candidate]) -> dict[bytes, dict[bytes, Candidate]]:
        """Return those that are not in hand yet, by folder and name: two walks may find one file at once."""
        by_folder: dict[bytes, dict[bytes, Candidate]] = {}
        for candidate in candidates:
            held = self.held.get(candidate.relative)
            folder, name = folder_and_name(candidate.relative)
            if held is None:
                by_folder.setdefault(folder, {})[name] = candidate
                continue
            self.waiting.remove(candidate.relative)
            if not held.same_as(candidate.version):
                self._revisit(folder)
        return by_folder

    def _new_ones(self, folder: bytes, named: dict[bytes, Candidate]) -> Iterator[Candidate]:
        known = self._ledger.known(folder, list(named))
        for name, candidate in named.items():
            entry = known.get(name)
            if entry is None or self._is_new_version(folder, candidate, entry):
                yield candidate
            else:
                self._forget(candidate.relative)

    def _is_new_version(self, folder: bytes, candidate: Candidate, known: Known) -> bool:
        """Tell whether a known file is another one now, whose turn has come."""
        if known.stat.same_as(candidate.version):
            return False
        job = self._jobs.open_in(folder)
        if job is not None and job.number == known.job:
            job.revisit = True
            return False
        self._changed[candidate.relative] = known
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
        version = candidate.version
        if file is not None and file.stat is not None and file.stat != version:
            file.since = now
        still_s = self._patience.still_s(version, file.since if file else now, now, wall_s)
        was_tried = file is not None and file.attempts > 0 and file.stat == version
        left_s = (self._patience.give_up_s if was_tried else self._patience.settle_s) - still_s
        if left_s <= 0:
            return True
        due = now + min(left_s, self._patience.look_s)
        file = self.waiting.put(candidate.relative, due, now) or self._forget(candidate.relative)
        if file is not None:
            file.stat = version
        return False

    # What became of them

    def collect(self, now: float) -> Iterator[Result]:
        """Yield what became of files since the last call."""
        for portion, file, outcome in self._readers.done():
            if self._is_unchanged(file.relative, outcome.stat):
                continue
            match outcome:
                case Pixels():
                    self.waiting.remove(file.relative)
                    self.held[file.relative] = outcome.stat
                    yield Taken(file.relative, portion.spec, outcome, portion.began)
                case NotYet():
                    self._not_yet(file.relative, outcome, now)
                case Unfit():
                    self._refuse(file.relative, outcome.reason, outcome.detail, outcome.stat)
        if self._touched:
            self._ledger.touch(self._touched)
            self._touched = []
        while self._results:
            yield self._results.popleft()

    def _is_unchanged(self, relative: bytes, version: Stat | None) -> bool:
        """Tell whether a known file was only touched; the ledger then takes over its new times."""
        known = self._changed.pop(relative, None)
        if known is None or version is None or not known.stat.same_content(version):
            return False
        self.held.pop(relative, None)
        self.waiting.remove(relative)
        self._touched.append((*folder_and_name(relative), version))
        return True

    def _not_yet(self, relative: bytes, outcome: NotYet, now: float) -> None:
        self.held.pop(relative, None)
        if outcome.gone:
            self._gone(relative)
            return
        file = self.waiting.put(relative, now + WORLD_RETRY_S, now)
        if outcome.world:
            self._results.append(WorldTrouble(relative, outcome.detail))
        elif file is not None and outcome.stat is not None:
            self._tried(file, outcome, outcome.stat, now)

    def _tried(self, file: Waiting, outcome: NotYet, version: Stat, now: float) -> None:
        """Put off a file that did not become pixels, or give it up."""
        if file.stat is not None and file.stat != version:
            file.since = now
        file.attempts += 1
        file.stat, file.reason, file.detail = version, outcome.reason, outcome.detail
        still_s = self._patience.still_s(version, file.since, now, time.time())
        if outcome.reason == "unreadable":
            still_s = now - file.first_seen  # rights are no part of the file's time of change
        if self._patience.is_hopeless(still_s):
            self._refuse(file.relative, outcome.reason, outcome.detail, version)
        else:
            left_s = self._patience.give_up_s - still_s
            self.waiting.put(file.relative, now + min(left_s, self._patience.look_s), now)

    def _gone(self, relative: bytes) -> None:
        """Let go of a file that is no more; it is a failure when it had been read and was not whole."""
        file = self._forget(relative)
        if file is not None and file.attempts:
            detail = f"The file vanished before it was whole; it was {file.reason} at the last look."
            self._refuse(relative, "vanished", detail, file.stat or Stat(0, 0, 0))

    def _forget(self, relative: bytes) -> Waiting | None:
        self._changed.pop(relative, None)
        return self.waiting.remove(relative)

    def _refuse(self, relative: bytes, reason: str, detail: str, version: Stat) -> None:
        self._forget(relative)
        self.held[relative] = version
        self._results.append(Refused(relative, reason, detail, version))
