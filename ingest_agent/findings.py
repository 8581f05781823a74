"""What is found in the inbox, and what became of it: plain values between looking, reading and gathering."""

import os
from dataclasses import dataclass

from ingest_agent.reading import Pixels, Stat
from model.preprocessing import InputSpec


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may be taken. `finished` when somebody said that it is whole."""

    relative: bytes
    found: os.stat_result
    version: Stat
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
