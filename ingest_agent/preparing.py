"""The bytes of a file become pixels, or a reason why not; here, or in a process of its own (`decoder`)."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from model.preprocessing import ImageError, InputSpec, prepare

NO_MEMORY = "There is not enough memory to read this picture."
MAX_DETAIL_CHARS = 500


class CannotPrepare(Exception):  # noqa: N818 - a state of the world
    """No picture can be made ready at the moment; none of them can help it."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture's pixels, (height, width) uint8, and how long making them took."""

    pixels: bytes
    prepare_s: float


@dataclass(frozen=True, slots=True)
class Unprepared:
    """Why bytes are no usable picture: a word in kebab-case, and one sentence."""

    reason: str
    detail: str


class Preparer(Protocol):
    """Who makes pixels."""

    def start(self) -> None:
        """Be ready soon. Raises CannotPrepare."""

    def prepare(
        self, images: Sequence[bytes], spec: InputSpec, moved: Callable[[], None]
    ) -> list[Prepared | Unprepared]:
        """Return what becomes of each image, in order; `moved` is called at each. Raises CannotPrepare."""

    def interrupt(self) -> None:
        """Have a thread that waits in `prepare` get CannotPrepare; called by another one."""

    def close(self) -> None:
        """Give back what is held, once no thread waits."""


class InThisProcess:
    """Makes pixels where it is called: nothing to start, and a crash of the image library takes all along."""

    def start(self) -> None:
        """Be ready at once."""

    def prepare(
        self, images: Sequence[bytes], spec: InputSpec, moved: Callable[[], None]
    ) -> list[Prepared | Unprepared]:
        """Return what becomes of each image, in order; `moved` is called at each."""
        answers = []
        for data in images:
            answers.append(prepared(data, spec))
            moved()
        return answers

    def interrupt(self) -> None:
        """Do nothing: whoever prepares comes to an end by himself."""

    def close(self) -> None:
        """Do nothing: nothing is held."""


def prepared(data: bytes, spec: InputSpec) -> Prepared | Unprepared:
    """Make one picture's pixels. Raises nothing."""
    began = time.perf_counter()
    try:
        pixels = prepare(data, spec).tobytes()
    except ImageError as error:
        return Unprepared(error.reason, error.detail)
    except MemoryError:
        return Unprepared("too-many-pixels", NO_MEMORY)
    except Exception as error:  # noqa: BLE001 - OpenCV's own error is no more than an Exception
        detail = " ".join(f"The picture cannot be prepared: {type(error).__name__}: {error}".split())
        return Unprepared("not-an-image", detail[:MAX_DETAIL_CHARS])
    return Prepared(pixels, time.perf_counter() - began)
