"""Whether what was started serves: its units are active, each service says so, and a canary came through."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from broker.settings import Settings
from broker.topics import canary_source
from cli.errors import CannotRun
from cli.installing.machine import Machine
from cli.installing.places import Places
from cli.installing.units import Chosen

HEALTHY_S = 120.0
STEP_S = 1.0
MANY_RESTARTS = 5
"""A unit that systemd has started again so often will not become healthy by waiting."""


@dataclass(frozen=True)
class Unit:
    """What systemd says of a unit. `restarts`: how often it has started it again by itself."""

    name: str
    active: str = "unknown"
    sub: str = ""
    status: str = ""
    restarts: int = 0

    @property
    def is_starting(self) -> bool:
        """Whether it says that it migrates, or loads a model: systemd ends it where it stops saying so."""
        return self.active == "activating" and self.sub == "start" and self.status.startswith("starting")

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.name} is {self.active}{self.status and f' ({self.status})'}"


def wait_until_healthy(
    machine: Machine, places: Places, settings: Settings, chosen: Chosen, began: datetime
) -> None:
    """Wait for health, and as long as a unit is at its start. Raises CannotRun with what is missing.

    Or at once with the last words of a unit that ends again and again.
    """
    deadline = time.monotonic() + HEALTHY_S
    while True:
        units = units_now(machine, chosen.units())
        for unit in units:
            if unit.restarts >= MANY_RESTARTS:
                raise CannotRun(f"{unit.name} ends again and again{_last_words(machine, unit.name)}")
        missing = [str(unit) for unit in units if unit.active != "active"]
        if not missing:
            report = _report(machine, places)
            missing = unserved(report, expected(settings, chosen), began)
            missing += unseen(report, settings, chosen, began)
        if not missing:
            return
        if any(unit.is_starting for unit in units):
            deadline = time.monotonic() + HEALTHY_S
        elif time.monotonic() > deadline:
            raise CannotRun(f"not healthy after {HEALTHY_S:.0f} s: {', '.join(missing)}")
        time.sleep(STEP_S)


def units_now(machine: Machine, names: Sequence[str]) -> list[Unit]:
    """Ask systemd for each unit's state."""
    asked = "Id,ActiveState,SubState,StatusText,NRestarts"
    said = machine.run("systemctl", "show", "-p", asked, *names, check=False)
    found = {}
    for block in said.split("\n\n"):
        words = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        count = words.get("NRestarts", "")
        found[words.get("Id", "")] = Unit(
            words.get("Id", ""),
            words.get("ActiveState", "unknown"),
            words.get("SubState", ""),
            words.get("StatusText", ""),
            int(count) if count.isdigit() else 0,
        )
    return [found.get(name, Unit(name)) for name in names]


def _report(machine: Machine, places: Places) -> Mapping[str, Any]:
    """Ask the installed release's own `status`."""
    text = machine.run(
        *("env", f"PYTHONPATH={places.prefix}", "PYTHONSAFEPATH=1"),
        *(places.python, "-m", "cli", "--config", places.config, "status", "--json"),
        check=False,
    )
    try:
        return dict(json.loads(text))
    except ValueError:
        return {"trouble": ["`tailorbird status` gives no answer"]}


def expected(settings: Settings, chosen: Chosen) -> list[tuple[str, str]]:
    """Return the service and the instance of each that must be online; the broker says so by answering."""
    found = [("store", "main")] if "store" in chosen.services else []
    if "predictor" in chosen.services:
        found += [("predictor_service", str(number + 1)) for number in range(chosen.predictors)]
    if "agent" in chosen.services:
        found.append(("ingest_agent", settings.ingest_agent.source))
    return found


def unserved(report: Mapping[str, Any], wanted: Sequence[tuple[str, str]], began: datetime) -> list[str]:
    """Say which services are not online since the start; others' troubles are not this machine's."""
    if not report.get("broker", {}).get("reachable"):
        return list(report.get("trouble", [])) or ["the broker is not reachable"]
    online = {
        (service["service"], service["instance"])
        for service in report.get("services", ())
        if service["state"] == "online" and _moment(service["since"]) >= began
    }
    return [
        f"{service}-{instance} is not online"
        for service, instance in wanted
        if (service, instance) not in online
    ]


def unseen(report: Mapping[str, Any], settings: Settings, chosen: Chosen, began: datetime) -> list[str]:
    """Say that no canary has come to the database yet, where the whole way lies on this machine."""
    whole = {"agent", "predictor", "store"} <= set(chosen.services)
    if not whole or settings.ingest_agent.canary_s == 0:
        return []
    source = canary_source(settings.ingest_agent.source)
    for canary in report.get("canaries", ()):
        if canary["source"] == source and canary["stored_at"] and _moment(canary["stored_at"]) >= began:
            return []
    return ["no canary has reached the database"]


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _last_words(machine: Machine, unit: str) -> str:
    """Return what a unit's program said last; a service says in one line why it cannot run."""
    words = machine.run("journalctl", "-q", "-o", "cat", "-n", "30", "-u", unit, check=False)
    systemds = ("tailorbird-", "Started ", "Starting ", "Stopped ", "Stopping ", "Failed ")
    own = [line.strip() for line in words.splitlines() if line.strip() and not line.startswith(systemds)]
    return f": {own[-1]}" if own else ""
