"""`GET /metrics` and `GET /health` over a real socket."""

import json
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from broker.line import Line
from broker.memory import MemoryBroker
from broker.metrics_server import MetricsServer, port_of
from broker.settings import Metrics
from broker.topics import Topics
from tests.waiting import free_port


@pytest.fixture
def line() -> Line:
    """A store on the line."""
    return Line(MemoryBroker().connect("store", []), Topics(), service="store", instance="main")


@pytest.fixture
def server(line: Line) -> Iterator[MetricsServer]:
    """What answers for it."""
    with line, MetricsServer(Metrics(store_port=free_port()), line) as one:
        yield one


def ask(server: MetricsServer, path: str, **headers: str) -> tuple[int, str, str]:
    """Return status, content type and body."""
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as found:
            return found.status, found.headers["Content-Type"], found.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def health(server: MetricsServer) -> tuple[int, dict[str, Any]]:
    """Return what `GET /health` says."""
    status, _, body = ask(server, "/health")
    return status, json.loads(body)


def test_health_follows_the_service(server: MetricsServer, line: Line) -> None:
    """503 while it starts and while the world is not well, 200 when images flow."""
    assert (503, "starting") == (health(server)[0], health(server)[1]["state"])
    line.serves("writing")
    line.receive(limit=1, timeout_s=0.0)
    status, found = health(server)
    assert (200, "ok", "", {}) == (status, found["state"], found["why"], found["troubles"])
    assert {"service", "instance", "version", "oldest_waiting_s", "connected"} <= found.keys()
    line.begin("database-locked", "somebody writes")
    status, found = health(server)
    assert (503, "waiting", "database-locked: somebody writes") == (status, found["state"], found["why"])
    line.end("database-locked", "over")
    assert 200 == health(server)[0]


def test_figures_are_prometheus_text(server: MetricsServer, line: Line) -> None:
    """Every service tells whether it is well; names are in base units, and no label grows without bound."""
    line.serves("writing")
    line.receive(limit=1, timeout_s=0.0)
    line.metrics.counter("store_rows", "Rows.").inc(3)
    status, content_type, body = ask(server, "/metrics")
    assert (200, True) == (status, content_type.startswith("text/plain"))
    families = {one.name: one for one in text_string_to_metric_families(body)}
    values = {name: one.samples[0].value for name, one in families.items()}
    assert (1, 1, 0, 3) == tuple(
        values[f"tailorbird_{name}"] for name in ("up", "connected", "reconnects", "store_rows")
    )
    assert values["process_resident_memory_bytes"] > 1e6
    assert values["process_start_time_seconds"] > 1.5e9
    assert not [name for name in families if name.endswith(("_created", "_ms"))]


def test_figures_come_as_openmetrics_where_that_is_asked_for(server: MetricsServer) -> None:
    """Prometheus asks for it."""
    _, content_type, body = ask(server, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith("# EOF\n")


def test_other_path_is_not_found(server: MetricsServer) -> None:
    """And is told what there is."""
    assert (404, "There are /metrics and /health.\n") == ask(server, "/")[::2]


@pytest.mark.parametrize("said", [b"", b"\xff\xfe\n\n", b"BREW / HTTP/1.1\r\n\r\n", b"GET /" + b"a" * 70_000])
def test_nonsense_leaves_it_answering(server: MetricsServer, line: Line, said: bytes) -> None:
    """Whatever a client sends, or leaves out."""
    line.serves("writing")
    line.receive(limit=1, timeout_s=0.0)
    # It may hang up before it has taken all of it.
    with socket.create_connection(("127.0.0.1", server.port)) as client, suppress(ConnectionError):
        client.sendall(said)
    assert 200 == health(server)[0]


def test_taken_port_is_a_warning_and_nothing_else(line: Line) -> None:
    """It names the key, and the service is well without."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with line, MetricsServer(Metrics(store_port=port), line):
            line.serves("writing")
            line.receive(limit=1, timeout_s=0.0)
            report = line.health.report()
    assert ("degraded", True) == (report.state, report.well)
    detail = report.troubles["metrics-not-served"].detail
    assert re.match(rf"127.0.0.1:{port}: Address already in use; \[metrics\] store_port names", detail)


@pytest.mark.parametrize(
    ("service", "instance", "port"),
    [
        ("ingest_agent", "shop", 18841),
        ("store", "main", 18842),
        ("predictor_service", "1", 18851),
        ("predictor_service", "12", 18862),
        ("predictor_service", "shadow", 0),
        ("predictor_service", "0", 0),
        ("predictor_service", "9999", 28849),
        ("dashboard", "main", 0),
    ],
)
def test_port_of_each_instance(service: str, instance: str, port: int) -> None:
    """Predictor N has the Nth port; a name that is no number has none."""
    assert port == port_of(Metrics(), service, instance)


def test_port_of_zero_is_none() -> None:
    """For every instance, and beyond the last port as well."""
    assert 0 == port_of(Metrics(predictor_port=0), "predictor_service", "3")
    assert 0 == port_of(Metrics(predictor_port=65535), "predictor_service", "2")
