"""The life of bundles below one directory: list them, compare two, make one the current one, go back.

`current` names the bundle that serves, `history` the ones that did before, latest last. Both are replaced
by a rename, so that a reader sees the old or the new and nothing between. Who changes them has the folder
to himself, so that a predictor and a command at the same time lose nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model.bundle import verify
from model.manifest import CURRENT, HISTORY, MANIFEST, VERSION_NAME, BundleError, current_version, history

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.evaluation import Evaluation

# How much worse than the current bundle a new one may be, shares 0..1; speed as a share of the current one's.
ACCURACY_LOSS = 0.002
RECALL_LOSS = 0.03
CALIBRATION_LOSS = 0.005
SPEED_SHARE = 0.5


class GateError(BundleError):
    """A bundle may not become the current one; the line names each reason."""


@dataclass(frozen=True)
class Trial:
    """What a bundle showed: its figures on some data, and its speed in images per second."""

    evaluation: Evaluation
    images_per_s: float


@dataclass(frozen=True)
class Difference:
    """One figure of two bundles."""

    figure: str
    before: float
    after: float


def compare(before: Trial, after: Trial) -> list[Difference]:
    """Set the figures of two bundles, measured on the same data, side by side."""
    old, new = before.evaluation, after.evaluation
    recalls = [
        Difference(f"recall of {name}", row["recall"], new.per_class[name]["recall"])
        for name, row in old.per_class.items()
        if row["support"]
    ]
    return [
        Difference("accuracy", old.accuracy, new.accuracy),
        Difference("balanced accuracy", old.balanced_accuracy, new.balanced_accuracy),
        Difference("calibration error", old.ece, new.ece),
        Difference("suspect", old.suspect, new.suspect),
        *recalls,
        Difference("images/s", before.images_per_s, after.images_per_s),
    ]


def objections(differences: list[Difference]) -> list[str]:
    """Say why a bundle may not replace the current one; empty where nothing speaks against it."""
    found = []
    for figure in differences:
        lost = figure.before - figure.after
        name = figure.figure.partition(" (")[0]
        if name == "accuracy" and lost > ACCURACY_LOSS:
            found.append(f"{figure.figure} falls from {figure.before:.2%} to {figure.after:.2%}")
        elif figure.figure.startswith("recall of ") and lost > RECALL_LOSS:
            found.append(f"{figure.figure} falls from {figure.before:.1%} to {figure.after:.1%}")
        elif name == "calibration error" and -lost > CALIBRATION_LOSS:
            found.append(f"{figure.figure} grows from {figure.before:.2%} to {figure.after:.2%}")
        elif figure.figure == "images/s" and figure.after < SPEED_SHARE * figure.before:
            found.append(f"speed falls from {figure.before:,.0f} to {figure.after:,.0f} images/s")
    return found


def promote(
    bundles: Path,
    version: str,
    differences: list[Difference] | None = None,
    *,
    force: bool = False,
    replaces: str | None = None,
) -> list[str]:
    """Make a version the current one, in one atomic step; return the objections that `force` overrode.

    Every file of the bundle is checked first. `replaces` names the version that was compared, "" for none;
    None: whichever serves. Raises `BundleError`, also where another one serves by then, and `GateError` when
    the comparison with the current bundle speaks against it.
    """
    if not VERSION_NAME.fullmatch(version) or not (bundles / version / MANIFEST).is_file():
        raise BundleError(f"{bundles}: no bundle is called {version!r}")
    verify(bundles / version)
    overridden = objections(differences or [])
    if overridden and not force:
        raise GateError(f"{version} is not promoted: {'; '.join(overridden)}")
    with _alone(bundles):
        before = serving(bundles, replaces)
        if before not in {"", version}:
            _replace(bundles / HISTORY, "".join(f"{name}\n" for name in [*history(bundles), before]))
        _replace(bundles / CURRENT, f"{version}\n")
    return overridden


def rollback(bundles: Path, *, replaces: str | None = None, to: str | None = None) -> str:
    """Make the version before the current one current again and return it.

    `replaces` and `to` name the version that is to serve until then, and the one that is to follow; None:
    whichever they are. Raises `BundleError`, also where they are others by then.
    """
    with _alone(bundles):
        serving(bundles, replaces)
        past = history(bundles)
        if not past:
            raise BundleError(f"{bundles}: there is no version to go back to")
        if to not in {None, past[-1]}:
            raise BundleError(f"a rollback leads to {past[-1]}, not to {to}: look again")
        verify(bundles / past[-1])
        _replace(bundles / CURRENT, f"{past[-1]}\n")
        _replace(bundles / HISTORY, "".join(f"{name}\n" for name in past[:-1]))
        return past[-1]


def serving(bundles: Path, expected: str | None) -> str:
    """Return the version that serves, "" for none. Raises `BundleError` for another than expected."""
    serves = current_version(bundles) or ""
    if expected not in {None, serves}:
        raise BundleError(f"{serves or 'no bundle'} serves by now, not {expected or 'none'}: look again")
    return serves


@contextlib.contextmanager
def _alone(bundles: Path) -> Iterator[None]:
    """Have the folder to oneself: whoever comes at the same time waits. A process that dies lets go."""
    folder = os.open(bundles, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _replace(file: Path, content: str) -> None:
    """Replace a file in one step that survives a power loss."""
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    scratch = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        scratch.chmod(0o644)
        scratch.replace(file)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
