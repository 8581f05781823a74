"""`GET /metrics` and `GET /health` of one service, over HTTP, for this machine.

One thread answers one question after the other: a service's own work comes first, and nobody can pile
questions up.
"""

import functools
import json
import re
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Self

from broker import VERSION
from broker.health import Report
from broker.line import Line
from broker.settings import Metrics as MetricsSettings

ANSWER_S = 2.0
"""How long a client may let itself be waited for."""
LOOK_S = 0.2
"""How often it looks whether it should end: what that adds to a service's own end."""
JSON_TYPE = "application/json"
TEXT_TYPE = "text/plain; charset=utf-8"
PORTS = {"ingest_agent": "agent_port", "store": "store_port", "predictor_service": "predictor_port"}


def port_of(settings: MetricsSettings, service: str, instance: str) -> int:
    """Return the port of a service's instance, 0 for none.

    Predictor N has the Nth port from `predictor_port` on; one whose name is no number has none.
    """
    if service not in PORTS:
        return 0
    first: int = getattr(settings, PORTS[service])
    if service != "predictor_service" or not first:
        return first
    if not re.fullmatch(r"[1-9][0-9]{0,3}", instance):
        return 0
    port = first + int(instance) - 1
    return port if port <= 65535 else 0


def health_of(line: Line, report: Report) -> dict[str, Any]:
    """Return what `GET /health` answers."""
    now = time.monotonic()
    return {
        "state": report.state,
        "why": report.why,
        "connected": line.connected,
        "oldest_waiting_s": round(report.waiting_s, 3),
        "troubles": {
            name: {"detail": one.detail, "since_s": round(now - one.since, 1)}
            for name, one in report.troubles.items()
        },
        "service": line.service,
        "instance": line.instance,
        "version": VERSION,
    }


class _Handler(BaseHTTPRequestHandler):
    """Answers one request and closes the connection."""

    timeout = ANSWER_S
    server: "_HttpServer"
    server_version = "tailorbird"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with the figures, the health, or what there is to ask for."""
        path = self.path.partition("?")[0]
        line = self.server.line
        if path == "/metrics":
            self._answer(200, *line.metrics.text(self.headers.get("Accept", "")))
        elif path == "/health":
            report = line.health.report()
            body = json.dumps(health_of(line, report), indent=2) + "\n"
            self._answer(200 if report.well else 503, body.encode(), JSON_TYPE)
        else:
            self._answer(404, b"There are /metrics and /health.\n", TEXT_TYPE)

    def do_HEAD(self) -> None:
        """Answer the same without its body."""
        self.do_GET()

    def _answer(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write nothing: a question each few seconds is no news."""


class _HttpServer(HTTPServer):
    """One service's server."""

    allow_reuse_address = True
    request_queue_size = 16

    def __init__(self, host: str, port: int, line: Line) -> None:
        self.line = line
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        """Say in one line what went wrong: as a rule, a client that went away."""
        error = sys.exception()
        self.line.log("debug", "question-not-answered", detail=f"{type(error).__name__}: {error}")


class MetricsServer:
    """Answers while the `with` block lasts; where it cannot, that is told, and the service goes on."""

    def __init__(self, settings: MetricsSettings, line: Line) -> None:
        self._host = settings.host
        self._line = line
        self._server: _HttpServer | None = None
        self._thread: threading.Thread | None = None
        self.port = port_of(settings, line.service, line.instance)

    def __enter__(self) -> Self:
        """Listen, unless the port is 0."""
        if not self.port:
            return self
        try:
            self._server = _HttpServer(self._host, self.port, self._line)
        except OSError as error:
            key = PORTS[self._line.service]
            why = f"{self._host}:{self.port}: {error.strerror or error}"
            self._line.begin(
                "metrics-not-served", f"{why}; [metrics] {key} names another port, or 0 for none"
            )
            return self
        self._line.metrics.add_service(self._line)
        serve = functools.partial(self._server.serve_forever, poll_interval=LOOK_S)
        self._thread = threading.Thread(target=serve, name="metrics", daemon=True)
        self._thread.start()
        self._line.log("info", "metrics-served", url=f"http://{self._host}:{self.port}/metrics")
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(ANSWER_S)
