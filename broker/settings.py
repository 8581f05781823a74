"""Every setting of the project: its type, its default and its bounds. `config.toml` tells the reasons.

The structs are plain values; `broker.settings_reader` makes them from a file and the environment. Units stand
in the names. A default that holds `{state}` follows `[paths] state`.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from broker.topics import CANARY_PREFIX, SOURCE_CHARS

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
PortOrNone = Annotated[int, msgspec.Meta(ge=0, le=65535)]
MOST_S = 2_000_000
"""23 days: what waits in C counts milliseconds in 32 bits."""
MOST_DAYS = 36_500
MOST = 1_000_000_000
Positive = Annotated[int, msgspec.Meta(ge=1, le=MOST)]
PositiveSeconds = Annotated[float, msgspec.Meta(gt=0, le=MOST_S)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=MOST_S)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=MOST_S)]
Days = Annotated[float, msgspec.Meta(ge=0, le=MOST_DAYS)]
Hours = Annotated[float, msgspec.Meta(gt=0, le=8784)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
ClassBound = Annotated[str, msgspec.Meta(pattern=r"^[^=]+=(0(\.[0-9]+)?|1(\.0+)?)\Z")]
"""A class and a share, such as `Shirt=0.7`."""
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
NAME_CHARS = SOURCE_CHARS - len(CANARY_PREFIX)
NAME_PATTERN = rf"^(?!{CANARY_PREFIX})[A-Za-z0-9][A-Za-z0-9_-]{{0,{NAME_CHARS - 1}}}\Z"
Name = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]
"""An agent's source: no canary's, which nobody stores; with the prefix it is its own canary's."""
HOST_NAME_PATTERN = r"^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]+)\Z"
HostName = Annotated[str, msgspec.Meta(pattern=HOST_NAME_PATTERN)]
"""A name or an address, without a port."""
VERSION_PATTERN = r"^([A-Za-z0-9][A-Za-z0-9._-]*)?\Z"
VersionOrNone = Annotated[str, msgspec.Meta(pattern=VERSION_PATTERN)]
Root = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*\Z")]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of the file."""


class Paths(Section, frozen=True, kw_only=True):
    """`[paths]`."""

    state: Path = Path("var")


class Broker(Section, frozen=True, kw_only=True):
    """`[broker]`."""

    manage: bool = True
    host: Annotated[str, msgspec.Meta(min_length=1)] = "127.0.0.1"
    port: Port = 18830
    tls: Literal["auto", "on", "off"] = "auto"
    tls_ca: Path = Path("{state}/tls/ca.crt")
    tls_certificate: Path = Path("{state}/tls/server.crt")
    tls_key: Path = Path("{state}/tls/server.key")
    allow_plain: bool = False
    local_port: Port = 18829
    root: Root = "tailorbird"
    credentials: Path = Path("{state}/credentials")
    keepalive_s: Annotated[int, msgspec.Meta(ge=2, le=65535)] = 10
    max_packet_bytes: Annotated[int, msgspec.Meta(ge=16_384, le=268_435_455)] = 4_194_304
    memory_mb: Annotated[int, msgspec.Meta(ge=32, le=1_000_000)] = 384
    max_clients: Annotated[int, msgspec.Meta(ge=10, le=100_000)] = 200


# A machine that is busy or asleep is given so many times the processor's time that an image may take.
DECODE_PATIENCE = 4


class IngestAgent(Section, frozen=True, kw_only=True):
    """`[ingest_agent]`."""

    inbox: Path = Path("{state}/inbox")
    source: Name = "shop"
    watch: Literal["auto", "events", "polling"] = "auto"
    rescan_s: PositiveSeconds = 30.0
    settle_s: Seconds = 1.0
    give_up_s: Seconds = 5.0
    quiet_s: Seconds = 1.5
    batch_images: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 256
    linger_ms: Milliseconds = 20.0
    window: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 8
    resend_min_s: PositiveSeconds = 1.0
    resend_max_s: PositiveSeconds = 60.0
    canary_s: Seconds = 60.0
    readers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 2
    decode_in: Literal["process", "agent"] = "process"
    decode_s: PositiveSeconds = 10.0
    decoder_memory_mb: Annotated[int, msgspec.Meta(ge=128, le=1_000_000)] = 640
    hard_links: Literal["read", "refuse"] = "read"
    ignore: tuple[str, ...] = (
        ".*",
        "*~",
        "*.part",
        "*.tmp",
        "*.temp",
        "*.filepart",
        "*.crdownload",
        "*.download",
        "*.swp",
        "Thumbs.db",
        "desktop.ini",
        "@eaDir",
        "__MACOSX",
    )


class PredictorService(Section, frozen=True, kw_only=True):
    """`[predictor_service]`."""

    instances: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    keepalive_s: Annotated[int, msgspec.Meta(ge=2, le=65535)] = 3
    shadow: VersionOrNone = ""


class Model(Section, frozen=True, kw_only=True):
    """`[model]`."""

    bundle: Path = Path("model/bundles")
    engine: Literal["auto", "tensorflow", "openvino", "onnxruntime"] = "auto"
    threads: Annotated[int, msgspec.Meta(ge=0, le=256)] = 0
    training_data: str = ""
    gate_images: str = ""


class Store(Section, frozen=True, kw_only=True):
    """`[store]`."""

    url: Annotated[str, msgspec.Meta(min_length=1)] = "sqlite:///{state}/tailorbird.db"
    group_rows: Positive = 5000
    group_ms: Milliseconds = 10.0
    busy_timeout_s: Seconds = 30.0
    synchronous: Literal["FULL", "NORMAL"] = "FULL"
    min_free_mb: Annotated[int, msgspec.Meta(ge=0, le=MOST)] = 200
    keep_pixels_days: Days = 30.0


class Monitor(Section, frozen=True, kw_only=True):
    """`[monitor]`: when the store raises an alert. A bound of 0 takes the bundle's, or turns a rule off."""

    window_images: Positive = 500
    least_images: Positive = 50
    expected_accuracy: Share = 0.0
    class_accuracy: tuple[ClassBound, ...] = ()
    accuracy_margin: Share = 0.05
    suspect_share: Share = 0.2
    failure_share: Share = 0.1
    one_class_share: Share = 0.8
    input_drift: NotNegative = 1.0
    mix_drift: NotNegative = 0.5
    latency_s: Seconds = 60.0
    backlog_age_s: Seconds = 600.0
    canary_late_s: Seconds = 180.0
    cooldown_s: Seconds = 60.0
    retrain: Literal["never", "propose", "auto"] = "propose"
    retrain_reviews: Positive = 200


class Upkeep(Section, frozen=True, kw_only=True):
    """`[upkeep]`: what is deleted when it is old, and what is copied before. 0 days or bytes: no limit."""

    keep_days: Days = 0.0
    keep_bytes: Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000_000_000)] = 0
    keep_events_days: Days = 365.0
    backups: Path = Path("{state}/backups")
    keep_backups: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 7
    start_check_s: Seconds = 10.0


class Dashboard(Section, frozen=True, kw_only=True):
    """`[dashboard]`: the page's address (port 0: none), its sessions, and what a drop may hold."""

    enabled: bool = True
    host: Annotated[str, msgspec.Meta(min_length=1)] = "127.0.0.1"
    port: PortOrNone = 18880
    names: tuple[HostName, ...] = ()
    tls: Literal["auto", "on", "off"] = "auto"
    tls_certificate: Path = Path("{state}/tls/server.crt")
    tls_key: Path = Path("{state}/tls/server.key")
    allow_plain: bool = False
    session_hours: Hours = 12.0
    session_most_hours: Hours = 168.0
    upload_file_bytes: Positive = 67_108_864
    upload_files: Positive = 50_000
    upload_bytes: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000_000_000)] = 20_000_000_000


class Log(Section, frozen=True, kw_only=True):
    """`[log]`."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["keyvalue", "json"] = "keyvalue"
    prefix: Literal["auto", "always", "never"] = "auto"


class Health(Section, frozen=True, kw_only=True):
    """`[health]`."""

    stuck_s: Annotated[float, msgspec.Meta(ge=5, le=MOST_S)] = 60.0


class Metrics(Section, frozen=True, kw_only=True):
    """`[metrics]`: where each service answers `GET /metrics` and `GET /health`; a port of 0: nowhere."""

    host: Annotated[str, msgspec.Meta(min_length=1)] = "127.0.0.1"
    remote: bool = False
    agent_port: PortOrNone = 18841
    store_port: PortOrNone = 18842
    predictor_port: PortOrNone = 18851


class Settings(Section, frozen=True, kw_only=True):
    """The whole configuration."""

    paths: Paths = Paths()
    broker: Broker = Broker()
    ingest_agent: IngestAgent = IngestAgent()
    predictor_service: PredictorService = PredictorService()
    model: Model = Model()
    store: Store = Store()
    monitor: Monitor = Monitor()
    upkeep: Upkeep = Upkeep()
    dashboard: Dashboard = Dashboard()
    log: Log = Log()
    health: Health = Health()
    metrics: Metrics = Metrics()
