"""Which model serves: the current bundle, and the next one once it has proved itself.

A promoted bundle is loaded beside the one that serves, in a thread of its own; loading checks its SHA-256 and
its golden outputs and warms it. The service changes over between two groups of batches. When anything fails,
the old one stays, and the failure is told once.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from model.classifier import Classifier
from model.engines import EngineError
from model.manifest import BundleError, resolve_bundle


@dataclass(frozen=True)
class Failed:
    """A bundle that could not take over, and why."""

    bundle: Path
    reason: str


class Serving:
    """The model that serves now. `load` opens a bundle's folder; `bundle` is what the configuration names."""

    def __init__(self, bundle: Path, load: Callable[[Path], Classifier]) -> None:
        self._configured = bundle
        self._load = load
        self._tried = resolve_bundle(bundle)
        self.model = load(self._tried)
        self._thread: threading.Thread | None = None
        self._ready: Classifier | Failed | None = None

    def look(self) -> None:
        """Begin to load another bundle when the configured path names one now. Cheap; call it often."""
        if self._thread is not None:
            return
        try:
            folder = resolve_bundle(self._configured)
        except BundleError:
            return  # a pointer that leads nowhere changes nothing; the gate tells about it
        if folder != self._tried:
            self._tried = folder
            self._thread = threading.Thread(target=self._prepare, args=(folder,), daemon=True)
            self._thread.start()

    def _prepare(self, folder: Path) -> None:
        try:
            self._ready = self._load(folder)
        except (BundleError, EngineError, OSError, RuntimeError, ValueError) as error:
            self._ready = Failed(folder, f"{type(error).__name__}: {error}")

    def change(self) -> Classifier | Failed | None:
        """Change over when the next model is ready; return it, or the failure, once, and None otherwise."""
        if self._ready is None:
            return None
        ready, self._ready, self._thread = self._ready, None, None
        if isinstance(ready, Classifier):
            self.model = ready
        return ready
