"""What a service says of itself over HTTP: how it is, and what it costs this machine."""

import http.client
import json
import re
from dataclasses import dataclass

from broker.metrics_server import port_of
from broker.settings import Metrics

ASK_S = 1.0
MOST_BYTES = 1_000_000
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with
FIGURE = re.compile(r"^(process_resident_memory_bytes|process_cpu_seconds_total) ([0-9.e+]+)$", re.MULTILINE)


@dataclass(frozen=True)
class Cost:
    """How a service is (`ok`, `waiting` ...), why, its memory, and its processor time so far."""

    state: str
    why: str
    memory_bytes: float | None
    cpu_s: float | None


def cost_of(settings: Metrics, service: str, instance: str) -> Cost | None:
    """Ask a service of this machine; None where it answers nowhere."""
    port = port_of(settings, service, instance)
    if not port:
        return None
    host = EVERYWHERE.get(settings.host, settings.host)
    try:
        health = json.loads(_answer(host, port, "/health"))
        if (health["service"], health["instance"]) != (service, instance):
            return None  # somebody else's port
        figures = dict(FIGURE.findall(_answer(host, port, "/metrics")))
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    memory, cpu = (
        float(figures[name]) if name in figures else None
        for name in ("process_resident_memory_bytes", "process_cpu_seconds_total")
    )
    return Cost(str(health["state"]), str(health["why"]), memory, cpu)


def _answer(host: str, port: int, path: str) -> str:
    connection = http.client.HTTPConnection(host, port, timeout=ASK_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().read(MOST_BYTES).decode()
    finally:
        connection.close()
