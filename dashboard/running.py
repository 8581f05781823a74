"""The services as System lists them: how each is, since when, and what it costs the machine."""

import os
import socket
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from broker import VERSION
from broker.messages import Status
from broker.up_record import RunningBroker
from dashboard.costs import Cost
from dashboard.frame import Table
from dashboard.watch import Present
from dashboard.words import NONE, lasting, rough, size
from store.times import seconds_between, stamp_of

Costs = Mapping[tuple[str, str], Cost]
Row = tuple[str, ...]

COLUMNS = ("Service", "State", "Up for", "Memory", "Processor time", "Process", "Machine", "Release")
SERVICES = Table(
    "Services",
    COLUMNS,
    right=COLUMNS[2:6],
    wide=COLUMNS[3:],
)
GONE = frozenset({"offline", "stopped"})
SIGNS = {"online": "\N{CHECK MARK} online", "offline": "\N{BALLOT X} offline"}
STARTED_AT = stamp_of(datetime.now(UTC))
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def rows(now: Present, broker: RunningBroker | None, costs: Costs, *, is_admin: bool) -> list[Row]:
    """Return a row for each service, the broker that `up` runs, and the page itself."""
    costs = {**costs, ("dashboard", "main"): Cost("ok", "", _own_memory(), time.process_time())}
    return [
        _row(one, costs.get((one.service, one.instance)), now, is_admin=is_admin)
        for one in known(now, broker)
    ]


def known(now: Present, broker: RunningBroker | None) -> list[Status]:
    """Return the broker that `up` runs, each service that has said something, and the page itself."""
    own = Status(
        service="dashboard",
        instance="main",
        state="online",
        pid=os.getpid(),
        host=socket.gethostname(),
        version=VERSION,
        since=STARTED_AT,
    )
    return [*_broker(broker, is_there=now.connected), *now.services, own]


def show(found: list[Row]) -> None:
    """Show the rows."""
    with SERVICES.made():
        for row in found:
            SERVICES.row(*row)


def _broker(found: RunningBroker | None, *, is_there: bool) -> list[Status]:
    if found is None:
        return []
    return [
        Status(
            service="broker",
            instance=found.instance,
            state="online" if is_there else "offline",
            pid=found.pid,
            host=found.host,
            version=f"Mosquitto {found.version}",
            since=found.since,
        )
    ]


def _row(one: Status, cost: Cost | None, now: Present, *, is_admin: bool) -> Row:
    is_up = one.state not in GONE
    up = rough(seconds_between(one.since, stamp_of(now.at))) if is_up else NONE
    memory = size(cost.memory_bytes) if cost else NONE
    spent = lasting(cost.cpu_s) if cost else NONE
    where = (str(one.pid), one.host) if is_admin else (NONE, NONE)
    return f"{one.service} {one.instance}", _state(one.state, cost), up, memory, spent, *where, one.version


def _state(said: str, cost: Cost | None) -> str:
    """Return what a service says of its health, where it says more than that it is there."""
    if said == "online" and cost is not None and cost.state != "ok":
        return f"! {cost.state}"
    return SIGNS.get(said, said)


def _own_memory() -> float:
    return float(Path("/proc/self/statm").read_text("ascii").split()[1]) * PAGE_BYTES
