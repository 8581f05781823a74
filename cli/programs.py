"""Which programs make the line on one machine, in the order in which they start."""

import os
import sys
from collections.abc import Mapping
from dataclasses import replace

from broker.mosquitto import BrokerStart
from broker.settings import Settings
from broker.settings_reader import PROJECT
from cli.child import Program
from cli.given import Given

BROKER = "broker"
DASHBOARD = "dashboard"
SHADOW = "shadow"
STOP_S: Mapping[str, float] = {
    "ingest_agent": 5.0,
    "predictor_service": 3.0,
    "store": 4.0,
    DASHBOARD: 5.0,
    BROKER: 2.0,
}
"""How long each may take to end by itself. The page ends beside the agent; together the others stay below the
15 s in which `up` ends."""


def programs(given: Given, settings: Settings, broker: BrokerStart | None) -> list[Program]:
    """Return the broker (when it is ours), the store, the predictors, the agent and the page."""
    log = settings.paths.state / "log"
    first = []
    if broker is not None:
        environment = dict(broker.environment)
        path = log / f"{BROKER}-main.log"
        first = [Program(BROKER, "main", broker.arguments, path, STOP_S[BROKER], environment)]
    predictors = settings.predictor_service
    services = [
        ("store", "main"),
        *(("predictor_service", str(i + 1)) for i in range(predictors.instances)),
        ("ingest_agent", settings.ingest_agent.source),
    ]
    needed = [_service(given, settings, *service) for service in services]
    if predictors.shadow:
        trial = _service(given, settings, "predictor_service", SHADOW, "--shadow", predictors.shadow)
        needed.insert(-1, replace(trial, needed=False))
    return [*first, *needed, *_page(given, settings)]


def _page(given: Given, settings: Settings) -> list[Program]:
    """Return the page, unless there is to be none. Images flow without it."""
    if not settings.dashboard.enabled or not settings.dashboard.port:
        return []
    return [replace(_service(given, settings, DASHBOARD, "main"), needed=False)]


def _service(given: Given, settings: Settings, service: str, instance: str, *more: str) -> Program:
    config = [] if given.config is None else ["--config", str(given.config.absolute())]
    return Program(
        service,
        instance,
        (sys.executable, "-m", service, *config, "--instance", instance, *more),
        settings.paths.state / "log" / f"{service}-{instance}.log",
        STOP_S[service],
        {**given.overrides, "PYTHONPATH": _path(), "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"},
    )


def _path() -> str:
    others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join(dict.fromkeys([str(PROJECT), *filter(None, others)]))
