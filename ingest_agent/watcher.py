"""inotify through watchdog, as cheap as it goes: each event ends in `Hints` within the reading thread.

watchdog's usual observer hands each event through two unbounded queues and holds everything back for half a
second after a file was moved out. Here its watch group does the recursive watching, and its queue is replaced
by a call; what the thread cannot keep up with stays in the kernel's own bounded queue, which says when it
overflows.
"""

import contextlib
import errno
import os
from collections import OrderedDict

from watchdog.observers.inotify import InotifyWatchGroup
from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchCallback,
    WatchDescriptor,
)
from watchdog.observers.inotify_move_event_grouper import (
    GroupedInotifyEvent,
    InotifyMoveEventGrouper,
    PathedInotifyEvent,
)

from broker.descent import folders_in
from broker.places import is_ours
from ingest_agent.hints import Hints

MASK = Mask(
    InotifyConstants.IN_CREATE
    | InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_MOVED_FROM
    | InotifyConstants.IN_MOVED_TO
    | InotifyConstants.IN_DELETE_SELF
    # A folder that is swapped for a link before it is watched would have the world outside watched.
    | InotifyConstants.IN_ONLYDIR
    | InotifyConstants.IN_DONT_FOLLOW
)
MOVES_KEPT = 1000


class _Telling(InotifyMoveEventGrouper):
    """Turns each event into a hint at once, and remembers where moved folders came from."""

    def __init__(self, root: bytes, hints: Hints) -> None:
        super().__init__()
        self._prefix = len(root) + 1
        self._hints = hints
        self._moved: OrderedDict[int, PathedInotifyEvent] = OrderedDict()

    def put_event(self, event: PathedInotifyEvent) -> None:
        found = event.ev
        relative = event.path[self._prefix :]
        if found.is_moved_from:
            self._moved[found.cookie] = event
            while len(self._moved) > MOVES_KEPT:
                self._moved.popitem(last=False)
        elif not relative or is_ours(relative):  # a hint at our own results.csv would keep its job open
            return
        elif found.is_directory:
            self._tell_folder(event, relative)
        elif found.is_create:
            self._hints.created(relative)
        else:
            self._hints.finished(relative)

    def _tell_folder(self, event: PathedInotifyEvent, relative: bytes) -> None:
        if event.ev.is_create or event.ev.is_moved_to:
            self._moved.pop(event.ev.cookie, None)
            self._hints.folder(relative, whole=event.ev.is_moved_to)

    def get_queued_moved_from_event(self, cookie: int) -> PathedInotifyEvent | None:
        return self._moved.get(cookie)

    def read_event(self) -> GroupedInotifyEvent | None:
        return None

    def discard_pending_events(self) -> None:
        self._moved.clear()


class _Descriptor(InotifyFD):
    """watchdog's reading thread; watching a folder twice is no news, and a refused watch is noted."""

    is_limited = False

    def _add_callback(
        self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId
    ) -> WatchDescriptor:
        try:
            watch = self._get_or_create_watch(path, mask)
        except OSError as error:
            self.is_limited |= error.errno == errno.ENOSPC
            raise
        watch.callbacks[id_] = callback
        return watch.wd


class _Group(InotifyWatchGroup):
    """watchdog's recursive watch of one tree, telling hints."""

    def __init__(self, descriptor: InotifyFD, root: bytes, hints: Hints) -> None:
        # What the dataclass would make for itself must be ours before it begins to watch.
        self._telling = _Telling(root, hints)
        self._hints = hints
        super().__init__(descriptor, root, event_mask=MASK, is_recursive=True)

    def __post_init__(self) -> None:
        self._move_event_grouper = self._telling
        super().__post_init__()

    def _add_all_callbacks(self, path: bytes) -> None:
        """Watch a folder, then the folders in it: whatever appears later than it was listed is an event.

        watchdog's own way holds all names of a folder in memory, even if they are a million files.
        """
        folders = [path]
        while folders:
            folder = folders.pop()
            self._add_callback(folder)
            with contextlib.suppress(OSError):
                folders += [folder + b"/" + name for name in folders_in(folder)]

    def _recursive_simulate(self, src_path: bytes) -> list[InotifyEvent]:  # noqa: ARG002 - watchdog's
        """Tell of nothing: the hint at the new folder has it walked, which finds what is in it already."""
        return []

    def on_queue_overflow(self) -> None:
        super().on_queue_overflow()
        self._hints.lost()


class Watcher:
    """Watches one directory tree from `start` to `stop`; both may be called again and again."""

    def __init__(self, hints: Hints) -> None:
        self._hints = hints
        self._descriptor: _Descriptor | None = None
        self._group: _Group | None = None

    def start(self, root: bytes) -> None:
        """Watch `root` and everything below it. Raises OSError when the kernel refuses to watch `root`."""
        self.stop()
        self._descriptor = _Descriptor()
        self._descriptor.start()
        try:
            self._group = _Group(self._descriptor, os.path.realpath(root), self._hints)
        except OSError:
            self.stop()
            raise

    @property
    def alive(self) -> bool:
        """Whether events can still come."""
        return self._descriptor is not None and self._descriptor.is_alive()

    @property
    def is_limited(self) -> bool:
        """Whether the kernel refused to watch some folder."""
        return self._descriptor is not None and self._descriptor.is_limited

    def stop(self) -> None:
        """Stop watching."""
        if self._group is not None:
            self._group.deactivate()
            self._group = None
        if self._descriptor is not None:
            self._descriptor.stop()
            self._descriptor.join(timeout=5.0)
            self._descriptor = None
