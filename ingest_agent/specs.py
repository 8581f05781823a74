"""How pixels have to be made: as the serving model announces it, or as the bundle on this machine says."""

from pathlib import Path

from broker.messages import ModelAnnouncement
from model.manifest import BundleError, load_manifest, resolve_bundle
from model.preprocessing import InputSpec


class InputSpecs:
    """The current input spec; None until somebody has told it."""

    def __init__(self, bundle: Path) -> None:
        self._bundle = bundle
        self.current: InputSpec | None = None
        self.model = ""

    def announced(self, announcement: ModelAnnouncement) -> bool:
        """Take in what the serving model wants; True when it is new. Raises ValueError in one line."""
        spec = InputSpec.from_dict(announcement.input)
        self.model = announcement.version
        if spec == self.current:
            return False  # the same object stays: batches are told apart by it
        self.current = spec
        return True

    def from_bundle(self) -> bool:
        """Look into the bundle, once nothing was announced; True when there is a spec now."""
        if self.current is None:
            try:
                manifest = load_manifest(resolve_bundle(self._bundle))
            except (BundleError, OSError):
                return False
            self.current, self.model = manifest.input, manifest.version
        return True
