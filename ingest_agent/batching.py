"""Images of one job gather until they fill a batch, or have waited long enough. Pure."""

from dataclasses import dataclass, field

from broker.messages import MAX_BATCH_IMAGES
from ingest_agent.ledger_records import NamedStat
from model.preprocessing import InputSpec

# Topic, properties, ids, timings and the array headers of a packet; measured below 600 bytes.
PACKET_HEAD_BYTES = 1024
# One image in MessagePack besides its pixels and its name; its prediction in JSON, names of classes included.
PIXELS_HEAD_BYTES = 64
PREDICTION_BYTES = 450


@dataclass(frozen=True)
class Limits:
    """When a batch is full: `packet_bytes` is the broker's Maximum Packet Size, None when it has none."""

    images: int
    linger_s: float
    packet_bytes: int | None = None

    @property
    def most_images(self) -> int:
        """How many images a batch may hold."""
        return min(self.images, MAX_BATCH_IMAGES)


@dataclass
class Builder:
    """One batch in the making; all its images were made by one input spec. `began` is monotonic."""

    spec: InputSpec
    began: float
    names: list[str] = field(default_factory=list)
    images: list[NamedStat] = field(default_factory=list)
    pixels: bytearray = field(default_factory=bytearray)
    read_s: float = 0.0
    prepare_s: float = 0.0
    _answer_bytes: int = PACKET_HEAD_BYTES
    _bytes: int = PACKET_HEAD_BYTES

    def __len__(self) -> int:
        return len(self.names)

    def fits(self, name: str, limits: Limits) -> bool:
        """Tell whether one more image fits into this packet and its predictions'; the first always does."""
        if not self.names:
            return True
        if len(self.names) >= limits.most_images:
            return False
        if limits.packet_bytes is None:
            return True
        out, back = self._costs(name)
        return self._bytes + out <= limits.packet_bytes and self._answer_bytes + back <= limits.packet_bytes

    def _costs(self, name: str) -> tuple[int, int]:
        written = 2 * (len(name) if name.isascii() else len(name.encode()))
        return self.spec.height * self.spec.width + written + PIXELS_HEAD_BYTES, PREDICTION_BYTES + written

    def add(self, name: str, image: NamedStat, pixels: bytes) -> None:
        """Put one more image in; `pixels` is (height, width) uint8."""
        out, back = self._costs(name)
        self._bytes += out
        self._answer_bytes += back
        self.names.append(name)
        self.images.append(image)
        self.pixels += pixels

    def took(self, read_s: float, prepare_s: float) -> None:
        """Add what one image cost."""
        self.read_s += read_s
        self.prepare_s += prepare_s

    def is_ripe(self, now: float, limits: Limits) -> bool:
        """Tell whether the batch should go: it is full or has waited long enough."""
        return len(self.names) >= limits.most_images or now - self.began >= limits.linger_s
