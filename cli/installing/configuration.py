"""The administrator's own files: written where there are none, and never again."""

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path

from broker.credentials import ACCOUNTS, make_credentials
from broker.settings import Settings
from broker.settings_reader import read_settings
from cli.errors import CannotRun
from cli.installing.machine import Machine
from cli.installing.places import Places, check_folder
from cli.installing.program import DEFAULTS
from cli.ownership import acting_as_owner, make_folder
from store.database import file_of

CONFIGURATION = """\
# Tailorbird on this machine: what differs from the defaults, which stand with their units and reasons in
# {defaults}. This file is never overwritten. After a change:
#   sudo tailorbird config check && sudo systemctl restart tailorbird.target
# and, where inbox, state or broker moved, `sudo tailorbird install`, which tells the units.

[paths]
state = {state}

[broker]
credentials = {credentials}

[model]
bundle = {models}
"""
INBOX = """
[ingest_agent]
inbox = {inbox}
"""


def new_configuration(places: Places, inbox: Path | None) -> str:
    """Return the text of the first configuration."""
    words = {
        "defaults": str(places.prefix / DEFAULTS),
        "state": json.dumps(str(places.state)),
        "credentials": json.dumps(str(places.credentials)),
        "models": json.dumps(str(places.models)),
        "inbox": json.dumps(str(inbox)),
    }
    return (CONFIGURATION + (INBOX if inbox is not None else "")).format(**words)


def installed_settings(places: Places, inbox: Path | None) -> Settings:
    """Return the settings as this release reads them, from the file or from what it would hold.

    Raises SettingsError, or CannotRun where the file names another inbox than the command, or one that the
    services would not see.
    """
    if not places.config.exists():
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "config.toml")
            file.write_text(new_configuration(places, inbox), encoding="utf-8")
            settings = read_settings(file, {}).settings
    else:
        settings = read_settings(places.config, {}).settings
        if inbox is not None and inbox != settings.ingest_agent.inbox:
            raise CannotRun(
                f"{places.config} names the inbox {settings.ingest_agent.inbox}: change it there, in"
                " [ingest_agent], and install again without --inbox"
            )
    check_folder("the inbox", settings.ingest_agent.inbox)
    for written in written_folders(settings):
        check_folder("[upkeep] backups, [store] url", written)
    return settings


def write_configuration(machine: Machine, places: Places, inbox: Path | None) -> None:
    """Write the first configuration; it may come to hold a database's password."""
    places.configuration.mkdir(mode=0o755, parents=True, exist_ok=True)
    part = places.config.with_name(".config.toml.part")
    part.write_text(new_configuration(places, inbox), encoding="utf-8")
    machine.give_to_read(part)
    part.replace(places.config)


def has_credentials(settings: Settings) -> bool:
    """Tell whether every account has its file."""
    return all((settings.broker.credentials / account).is_file() for account in ACCOUNTS)


def write_credentials(settings: Settings) -> None:
    """Make a password for each account that has none, for root to read; below the state as its owner."""
    credentials, state = settings.broker.credentials, settings.paths.state
    below = credentials.is_relative_to(state)
    with acting_as_owner(state) if below else contextlib.nullcontext():
        make_credentials(credentials)


def make_folders(machine: Machine, settings: Settings) -> None:
    """Make the folders that services write to, their own; an inbox that is there stays as it is.

    Raises OSError for a folder that is there, outside the state, and that they may not write to.
    """
    state = settings.paths.state
    state.mkdir(mode=0o750, parents=True, exist_ok=True)
    machine.give(state)
    for folder in dict.fromkeys((state / "exports", *written_folders(settings))):
        make_folder(state, folder, 0o750)
    inbox = settings.ingest_agent.inbox
    if not inbox.exists():
        make_folder(state, inbox, 0o2770)


def written_folders(settings: Settings) -> list[Path]:
    """Return the folders of the database and of its copies, which may lie outside the state."""
    database = file_of(settings.store.url)
    return [settings.upkeep.backups, *([] if database is None else [database.parent])]


def new_bundles(source: Path, models: Path) -> list[str]:
    """Return the versions that come with this release and are not installed."""
    shipped = sorted(path.parent.name for path in source.glob("*/manifest.json"))
    return [version for version in shipped if not (models / version / "manifest.json").is_file()]


def add_bundles(source: Path, models: Path) -> None:
    """Add the bundles that are new. The first one serves; after that `models promote` decides."""
    state = models.parent
    make_folder(state, models, 0o755)
    with acting_as_owner(state):
        for version in new_bundles(source, models):
            part = models / f".{version}.part"
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(source / version, part)
            _readable(part)
            part.rename(models / version)
        if not os.path.lexists(models / "current"):
            shutil.copyfile(source / "current", models / "current")
            (models / "current").chmod(0o644)


def _readable(folder: Path) -> None:
    for path, _, names in os.walk(folder):
        Path(path).chmod(0o755)
        for name in names:
            Path(path, name).chmod(0o644)
