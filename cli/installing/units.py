"""The units as they are written to /etc/systemd/system: the project's, with this machine's paths."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from broker.listeners import is_local
from broker.settings import Settings
from cli.installing.configuration import written_folders
from cli.installing.places import PREFIX, Places

SERVICES = ("broker", "store", "predictor", "agent", "dashboard")
"""In the order in which they start; they stop in the reverse one."""
TARGET = "tailorbird.target"
TIMERS = ("tailorbird-upkeep.timer", "tailorbird-export.timer")
STATE = Path("/var/lib/tailorbird")
CREDENTIALS = Path("/etc/tailorbird/credentials")
PAGE = "tailorbird-dashboard.service"
READERS = ("tailorbird-export.service", PAGE)
DATABASES = ("tailorbird-store.service", "tailorbird-upkeep.service", *READERS)
BROKER_SPARE_MB = 256
AGENT_SPARE_MB = 256
"""What they may use beside what the configuration counts."""
AGENT_TASKS, TASKS_OF_READER = 48, 8
_ALWAYS = (TARGET, "tailorbird-open.timer", "tailorbird-close.timer", "tailorbird-close.target")
_OF_SERVICE: Mapping[str, Sequence[str]] = {
    "broker": ["tailorbird-broker.service"],
    "store": [
        "tailorbird-store.service",
        *TIMERS,
        *(timer.replace(".timer", ".service") for timer in TIMERS),
    ],
    "predictor": ["tailorbird-predictor@.service"],
    "agent": ["tailorbird-agent.service"],
    "dashboard": ["tailorbird-dashboard.service"],
}


@dataclass(frozen=True)
class Chosen:
    """Which services this machine runs, and how many predictors."""

    services: tuple[str, ...] = SERVICES
    predictors: int = 1

    def units(self) -> list[str]:
        """Return the services' units, in the order in which they start."""
        found = []
        for service in (name for name in SERVICES if name in self.services):
            if service == "predictor":
                found += [f"tailorbird-predictor@{number + 1}.service" for number in range(self.predictors)]
            else:
                found.append(f"tailorbird-{service}.service")
        return found

    def timers(self) -> list[str]:
        """Return the timers that are enabled: those beside the database."""
        return list(TIMERS) if "store" in self.services else []


def chosen_before(target: Path) -> Chosen | None:
    """Return what an installed target starts, None where there is none."""
    if not target.is_file():
        return None
    wanted = " ".join(re.findall(r"^Wants=(.*)$", target.read_text("utf-8"), re.MULTILINE))
    services = tuple(name for name in SERVICES if re.search(rf"tailorbird-{name}[.@]", wanted))
    return Chosen(services, len(re.findall(r"tailorbird-predictor@", wanted)) or 1)


def prefix_before(target: Path) -> Path | None:
    """Return where the program of an installed target lies, None where there is none."""
    text = target.read_text("utf-8") if target.is_file() else ""
    found = re.search(r"^Documentation=file://(/.+)/README\.md$", text, re.MULTILINE)
    return Path(found[1]) if found is not None else None


def rendered(source: Path, places: Places, settings: Settings, chosen: Chosen) -> dict[str, str]:
    """Return each unit's file name and text."""
    names = [*_ALWAYS, *(name for service in chosen.services for name in _OF_SERVICE[service])]
    return {
        name: _rendered(name, (source / name).read_text("utf-8"), places, settings, chosen)
        for name in sorted(names)
    }


def _rendered(name: str, text: str, places: Places, settings: Settings, chosen: Chosen) -> str:
    state = settings.paths.state
    text = text.replace(f"{PREFIX}/", f"{places.prefix}/").replace(f"={PREFIX} ", f"={places.prefix} ")
    text = re.sub(rf"={PREFIX}$", f"={places.prefix}", text, flags=re.MULTILINE)
    text = text.replace(f"{STATE}/exports", f"{state}/exports")
    text = text.replace(f":{CREDENTIALS}/", f":{settings.broker.credentials}/")
    if name == TARGET:
        return re.sub(r"^(Wants|After)=.*$", rf"\1={' '.join(chosen.units())}", text, flags=re.MULTILINE)
    if not name.endswith(".service"):
        return text
    for folder in _outside(name, settings):
        text = text.replace("[Unit]\n", f"[Unit]\nRequiresMountsFor={_quoted(folder)}\n", 1)
        text = text.replace("[Service]\n", f"[Service]\nReadWritePaths={_quoted(folder)}\n", 1)
    if _goes_out(name, settings):
        text = text.replace("\nIPAddressAllow=localhost\n", "\nIPAddressAllow=any\n")
    return _with_room(name, text, settings)


def _outside(name: str, settings: Settings) -> list[Path]:
    """Return the folders that a unit writes to beside /var/lib/tailorbird."""
    folders = [settings.paths.state]
    if name in {"tailorbird-agent.service", "tailorbird-dashboard.service"}:
        folders.append(settings.ingest_agent.inbox)
    if name in DATABASES:  # SQLite writes beside the file also for who only reads
        written = written_folders(settings)
        folders += written[1:] if name in READERS else written
    found = [folder for folder in dict.fromkeys(folders) if not folder.is_relative_to(STATE)]
    return [one for one in found if not any(one != other and one.is_relative_to(other) for other in found)]


def _goes_out(name: str, settings: Settings) -> bool:
    """Tell whether a unit speaks with another machine: then every address is allowed.

    Our own broker, and the page, listen outside by themselves; services beside reach the broker on loopback.
    """
    broker, url, metrics = settings.broker, settings.store.url, settings.metrics
    to_broker = not is_local(broker.host) and (name == "tailorbird-broker.service" or not broker.manage)
    to_database = name in DATABASES and not url.startswith("sqlite")
    to_browsers = name == PAGE and not is_local(settings.dashboard.host)
    asked_for_figures = metrics.remote and not is_local(metrics.host) and bool(_metrics_port(name, settings))
    return to_broker or to_database or to_browsers or asked_for_figures


def _metrics_port(name: str, settings: Settings) -> int:
    metrics = settings.metrics
    ports = {
        "tailorbird-agent.service": metrics.agent_port,
        "tailorbird-store.service": metrics.store_port,
        "tailorbird-predictor@.service": metrics.predictor_port,
    }
    return ports.get(name, 0)


def _with_room(name: str, text: str, settings: Settings) -> str:
    """Raise a unit's limits where the configuration asks for more than they leave room for."""
    agent = settings.ingest_agent
    match name:
        case "tailorbird-broker.service":
            # Beside what Mosquitto may hold itself, which the kernel must not end before Mosquitto refuses.
            return _at_least(text, settings.broker.memory_mb + BROKER_SPARE_MB, 0)
        case "tailorbird-agent.service":
            decoders = agent.readers if agent.decode_in == "process" else 0
            memory_mb = AGENT_SPARE_MB + decoders * agent.decoder_memory_mb
            return _at_least(text, memory_mb, AGENT_TASKS + agent.readers * TASKS_OF_READER)
        case _:
            return text


def _at_least(text: str, memory_mb: int, tasks: int) -> str:
    ((size, unit),) = re.findall(r"^MemoryMax=(\d+)([MG])$", text, re.MULTILINE)
    limit = int(size) * (1024 if unit == "G" else 1)
    if memory_mb > limit:
        text = re.sub(r"^MemoryMax=.*$", f"MemoryMax={memory_mb}M", text, flags=re.MULTILINE)
    if tasks > int(re.findall(r"^TasksMax=(\d+)$", text, re.MULTILINE)[0]):
        text = re.sub(r"^TasksMax=.*$", f"TasksMax={tasks}", text, flags=re.MULTILINE)
    return text


def _quoted(path: Path) -> str:
    """Return a path as a unit's value: no specifier, one word."""
    text = str(path).replace("%", "%%")
    return f'"{text}"' if " " in text else text
