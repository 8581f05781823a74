"""The units as they are written to /etc/systemd/system: the project's, with this machine's paths."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from broker.listeners import is_local
from broker.settings import Settings
from cli.installing.places import PREFIX, Places

SERVICES = ("broker", "store", "predictor", "agent")
"""In the order in which they start; they stop in the reverse one."""
TARGET = "tailorbird.target"
TIMERS = ("tailorbird-upkeep.timer", "tailorbird-export.timer")
STATE = Path("/var/lib/tailorbird")
CREDENTIALS = Path("/etc/tailorbird/credentials")
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
        text = re.sub(r"^IPAddress(Allow|Deny)=.*\n", "", text, flags=re.MULTILINE)
    return text


def _outside(name: str, settings: Settings) -> list[Path]:
    """Return the folders that a unit writes to beside /var/lib/tailorbird."""
    folders = [settings.paths.state]
    if name == "tailorbird-agent.service":
        folders.append(settings.ingest_agent.inbox)
    return [folder for folder in folders if not folder.is_relative_to(STATE)]


def _goes_out(name: str, settings: Settings) -> bool:
    """Tell whether a unit speaks with another machine: then addresses are not filtered."""
    broker, url = settings.broker, settings.store.url
    if not is_local(broker.host):
        # Our own broker listens outside, and the services beside it reach it on loopback.
        return name == "tailorbird-broker.service" if broker.manage else True
    return not url.startswith("sqlite") and re.search(r"store|upkeep|export", name) is not None


def _quoted(path: Path) -> str:
    """Return a path as a unit's value: no specifier, one word."""
    text = str(path).replace("%", "%%")
    return f'"{text}"' if " " in text else text
