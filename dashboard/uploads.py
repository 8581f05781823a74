"""Uploads: they arrive beside the inbox, and are put into it whole, with one rename.

What is half there lies in a hidden folder that the agent never looks into. Whoever goes away is given up
after a while; what a page that died left behind is cleared away by its age.
"""

import contextlib
import errno
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from broker.mounts import rename_leads
from broker.names import text_of
from broker.places import Ignored
from broker.settings import Settings
from dashboard import words
from dashboard.declared import Limits, Plan, Refused, cut, folder_name, planned
from store.disk import MEGABYTE

MOST = 8
"""Uploads under way at any time, of all people together."""
MOST_EACH = 4
"""Uploads under way of one account."""
IDLE_S = 120.0
"""Seconds without a byte after which an upload is given up."""
ABANDONED_S = 3600.0
"""Age at which a hidden folder that no upload of this page has is a dead page's."""
PREFIX = ".upload-"
LATELY = 5


@dataclass(frozen=True)
class Dropped:
    """A folder that was put into the inbox: by whom, with how much, and when.

    `after` is the closed job of a folder of the same name before, "" for none.
    """

    folder: str
    who: str
    files: int
    size: int
    at: float
    after: str = ""


@dataclass
class Upload:
    """One drop while it arrives."""

    key: str
    who: str
    name: str
    plan: Plan
    place: Path
    done: set[int] = field(default_factory=set)
    coming: int = 0
    touched: float = field(default_factory=time.monotonic)

    @property
    def parcel(self) -> Path:
        """What will be renamed into the inbox."""
        return self.place / "parcel"

    def touch(self) -> None:
        """Note, for this page and for a later one, that somebody is still at it."""
        self.touched = time.monotonic()
        with contextlib.suppress(OSError):
            os.utime(self.place)

    @property
    def to_come(self) -> int:
        """The bytes that have not come yet."""
        return self.plan.size - sum(self.plan.files[number].size for number in list(self.done))


class Uploads:
    """All drops of this page. Every method may be called in a thread of its own.

    `job_before` returns the closed job that a folder of that name had before, "" for none.
    """

    def __init__(self, settings: Settings, job_before: Callable[[str], str] = lambda _: "") -> None:
        page = settings.dashboard
        self.limits = Limits(page.upload_files, page.upload_file_bytes, page.upload_bytes)
        self.lately: deque[Dropped] = deque(maxlen=LATELY)
        self.inbox = settings.ingest_agent.inbox
        self._state = settings.paths.state
        self._ignored = Ignored(settings.ingest_agent.ignore)
        self._spare_bytes = settings.store.min_free_mb * MEGABYTE
        self._under_way: dict[str, Upload] = {}
        self._job_before = job_before
        self._lock = threading.Lock()

    def begin(self, who: str, folder: str, declared: Sequence[tuple[str, int]]) -> Upload:
        """Plan an upload and make its place. Raises Refused."""
        self.sweep()
        name = folder_name(folder, self._ignored)
        plan = self.plan(declared)
        with self._lock:
            if len(self._under_way) >= MOST:
                raise Refused(429, f"{MOST} uploads are under way already: try again when one is through.")
            if who and sum(one.who == who for one in self._under_way.values()) >= MOST_EACH:
                raise Refused(
                    429, f"{MOST_EACH} of your uploads are under way: try again when one is through."
                )
            place = self._place(plan.size + sum(one.to_come for one in self._under_way.values()))
            made = Upload(secrets.token_urlsafe(16), who, name, plan, place)
            self._under_way[made.key] = made
        return made

    def plan(self, declared: Sequence[tuple[str, int]]) -> Plan:
        """Return what would come of these files, and what would be left out. Raises Refused."""
        found = planned(declared, self.limits, self._ignored)
        if not found.files:
            raise Refused(400, "There is no file among them that could be an image.")
        return found

    def of(self, key: str, who: str) -> Upload:
        """Return an upload. Raises Refused unless it is under way, and this person's own."""
        found = self._under_way.get(key)
        if found is None or found.who != who:
            raise Refused(404, "This upload is not under way any more: begin anew.")
        return found

    def finish(self, upload: Upload) -> Dropped:
        """Put what has arrived into the inbox, under a name that is free. Raises Refused."""
        with self._lock:
            missing = len(upload.plan.files) - len(upload.done)
            if missing:
                raise Refused(409, f"{missing:,} files have not come yet.")
            if self._under_way.pop(upload.key, None) is None:
                raise Refused(404, "This upload is not under way any more: begin anew.")
            try:
                told = self._put(upload)
            except OSError as error:
                self._under_way[upload.key] = upload
                raise Refused(507, why_not(self.inbox, error)) from error
        with contextlib.suppress(OSError):
            upload.place.rmdir()
        self.lately.appendleft(told)
        return told

    def _put(self, upload: Upload) -> Dropped:
        number, target = 1, self.inbox / upload.name
        while os.path.lexists(target):
            number += 1
            target = self.inbox / cut(upload.name, f"-{number}")
        folder = text_of(os.fsencode(target.name))
        before = self._job_before(folder)
        upload.parcel.rename(target)
        return Dropped(folder, upload.who, len(upload.done), upload.plan.size, time.time(), before)

    def discard(self, upload: Upload) -> None:
        """Throw an upload away."""
        self._under_way.pop(upload.key, None)
        shutil.rmtree(upload.place, ignore_errors=True)

    def sweep(self) -> None:
        """Give up those that nobody feeds any more, and clear away what a dead page left."""
        for upload in list(self._under_way.values()):
            if not upload.coming and time.monotonic() - upload.touched > IDLE_S:
                self.discard(upload)
        ours = {upload.place for upload in self._under_way.values()}
        for folder in {self._state, self.inbox}:
            for place in _hidden(folder):
                if place not in ours and _age_s(place) > ABANDONED_S:
                    shutil.rmtree(place, ignore_errors=True)

    def _place(self, size: int) -> Path:
        """Make a hidden folder from which one rename leads into the inbox. Raises Refused."""
        try:
            self.check_room(size)
            beside = self._beside()
            place = Path(tempfile.mkdtemp(prefix=PREFIX, dir=beside))
            (place / "parcel").mkdir()
        except OSError as error:
            raise Refused(507, why_not(self.inbox, error)) from error
        return place

    def _beside(self) -> Path:
        """Choose the state's folder, where a rename leads into the inbox: so no event is seen of each."""
        if rename_leads(self._state, self.inbox):
            return self._state
        if not self._ignored.name(PREFIX.encode()):
            raise Refused(
                507, "The inbox lies on a disk of its own, and [ingest_agent] ignore no longer holds `.*`."
            )
        return self.inbox

    def check_room(self, size: int) -> None:
        """Refuse what would leave less room on the disk than the store needs. Raises Refused and OSError."""
        free = shutil.disk_usage(self.inbox).free - self._spare_bytes
        if size > free:
            raise Refused(
                507,
                f"The disk has room for {words.size(max(0, free))} more, this is {words.size(size)}.",
            )


def _hidden(folder: Path) -> list[Path]:
    try:
        return list(folder.glob(f"{PREFIX}*"))
    except OSError:
        return []


def _age_s(place: Path) -> float:
    """Return for how long nobody has touched a place; 0 where it is gone."""
    try:
        return time.time() - place.lstat().st_mtime
    except OSError:
        return 0.0


def why_not(inbox: Path, error: OSError) -> str:
    """Say why nothing can be written there."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "The disk is full."
    return f"The inbox {inbox} cannot be written: {error.strerror or error}."
