"""Where a file is: the inbox, the job's folder, the name within it; and which names are nobody's image.

Paths are bytes. `relative` is a path below the inbox with `/`; its first level is the job's folder, and a
file in the inbox's root belongs to the folder "".
"""

import fnmatch
import re
from collections.abc import Iterable

RESULTS = b"results.csv"
RESULTS_UNFINISHED = b".results.csv.unfinished"
RESULTS_THEIRS = b"results.before-tailorbird.csv"
"""A `results.csv` that somebody else had in the folder is kept under this name."""
OURS = (RESULTS, RESULTS_UNFINISHED, RESULTS_THEIRS)
IMAGE_SUFFIXES = (b".png", b".jpg", b".jpeg", b".webp", b".bmp", b".tif", b".tiff", b".gif")


def folder_and_name(relative: bytes) -> tuple[bytes, bytes]:
    """Split a path below the inbox into the job's folder and the image's name."""
    folder, slash, name = relative.partition(b"/")
    return (folder, name) if slash else (b"", relative)


def parent_and_name(relative: bytes) -> tuple[bytes, bytes]:
    """Split a path below the inbox into the folder that the file lies in, and its last level."""
    parent, _, name = relative.rpartition(b"/")
    return parent, name


def relative_path(folder: bytes, name: bytes) -> bytes:
    """Put folder and name together again."""
    return folder + b"/" + name if folder else name


def has_image_suffix(name: bytes) -> bool:
    """Tell whether a name ends like an image's."""
    return name.lower().endswith(IMAGE_SUFFIXES)


class Ignored:
    """The names that are passed over: the configured patterns (any case) and the agent's own files."""

    def __init__(self, patterns: Iterable[str]) -> None:
        texts = "|".join(fnmatch.translate(pattern) for pattern in patterns)
        self._matches = re.compile(texts.encode() or rb"(?!)", re.IGNORECASE).match

    def name(self, name: bytes) -> bool:
        """Tell whether one level of a path is ignored."""
        return self._matches(name) is not None

    def path(self, relative: bytes) -> bool:
        """Tell whether a file is ignored, because of its own name or of a folder's above it."""
        return is_ours(relative) or any(self._matches(level) for level in relative.split(b"/"))


def is_ours(relative: bytes) -> bool:
    """Tell whether a path is a `results.csv` (unfinished, or put aside) at the top of a job's folder."""
    if not relative.endswith(OURS):
        return False
    levels = relative.split(b"/")
    return len(levels) <= 2 and levels[-1] in OURS
