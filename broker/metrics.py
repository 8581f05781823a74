"""The figures of one process, in the form of Prometheus: `tailorbird_*`, in seconds, bytes and totals.

No label may grow without bound: no file names, no job ids, no batch ids.
"""

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from broker import VERSION

if TYPE_CHECKING:
    from broker.line import Line

T = TypeVar("T")
PREFIX = "tailorbird_"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the histograms' buckets: from one image in a fast engine to a batch that was sent again."""

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each counter

__all__ = ["Counter", "Gauge", "Histogram", "Info", "Metrics"]


class Metrics:
    """What one service counts and measures, in any thread. A figure asked for again is the same one."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._made: dict[str, Any] = {}

    def counter(self, name: str, meaning: str) -> Counter:
        """Return a total that only grows; `_total` is added to its name."""
        return self._once(Counter, name, meaning)

    def gauge(self, name: str, meaning: str) -> Gauge:
        """Return a figure that rises and falls."""
        return self._once(Gauge, name, meaning)

    def seconds(self, name: str, meaning: str) -> Histogram:
        """Return how durations are spread; `_seconds` is added to its name."""
        return self._once(Histogram, f"{name}_seconds", meaning, buckets=SECONDS)

    def info(self, name: str, meaning: str) -> Info:
        """Return facts as labels of a figure that is always 1."""
        return self._once(Info, name, meaning)

    def _once(self, kind: Callable[..., T], name: str, meaning: str, **more: Any) -> T:
        if name not in self._made:
            self._made[name] = kind(PREFIX + name, meaning, registry=self._registry, **more)
        return cast("T", self._made[name])

    def add_service(self, line: "Line") -> None:
        """Add what every service tells: whether it is well and connected, and what it costs the machine."""
        self._registry.register(_Service(line))
        process = ProcessCollector(registry=None)
        if not process._btime:  # noqa: SLF001 - with systemd's ProcSubset=pid it finds no /proc/stat, and gives up
            process._btime = round(time.time() - time.clock_gettime(time.CLOCK_BOOTTIME))  # noqa: SLF001
        self._registry.register(process)

    def text(self, accept: str = "") -> tuple[bytes, str]:
        """Return all figures and their content type, in the best form that the asker takes."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


class _Service(Collector):
    """What is known of any service, as it is at the moment of asking."""

    def __init__(self, line: "Line") -> None:
        self._line = line

    def collect(self) -> Iterable[Metric]:
        """Yield the figures."""
        line = self._line
        report = line.health.report()
        facts = {"version": VERSION, "service": line.service, "instance": line.instance}
        yield InfoMetricFamily(f"{PREFIX}service", "What runs here.", value=facts)
        yield _gauge("up", "Whether the service is well: 1 where GET /health says 200.", report.well)
        yield _gauge("alive", "Whether it gets on by itself: 0 once it is stuck.", report.alive)
        yield _gauge("connected", "Whether the broker is there.", line.connected)
        yield _gauge("troubles", "How many troubles are open.", len(report.troubles))
        yield _gauge(
            "oldest_waiting_seconds",
            "How long the oldest image or message in the service's hands has waited.",
            report.waiting_s,
        )
        again = max(0, line.connections - 1)
        yield _total("reconnects", "How often the broker was lost and found again.", again)
        yield _total("rejects", "Messages that were put aside.", line.rejects)


def _total(name: str, meaning: str, value: int) -> CounterMetricFamily:
    return CounterMetricFamily(PREFIX + name, meaning, value=value)


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, meaning, value=float(value))
