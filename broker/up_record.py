"""`<state>/up.json`: what `up` runs on this machine, written by `up` while it lasts."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

RECORD = "up.json"


@dataclass(frozen=True)
class RunningBroker:
    """The broker that `up` runs as its child."""

    instance: str
    pid: int
    host: str
    since: str
    version: str


def running_broker(state: Path) -> RunningBroker | None:
    """Return the broker that `up` runs, None where no `up` runs, or one without a broker."""
    try:
        record = json.loads((state / RECORD).read_text("utf-8"))
        child = next(one for one in record["children"] if one["service"] == "broker")
        os.kill(record["pid"], 0)
        version = str(record["broker"]["version"])
        return RunningBroker(child["instance"], child["pid"], record["host"], child["started_at"], version)
    except (OSError, ValueError, KeyError, StopIteration):
        return None
