"""When the latest backup and check of the database were, and whether that backup is still there."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from broker import upkeep_record
from store.backups import listed


@dataclass(frozen=True)
class LatestUpkeep:
    """The latest backup that is still there ("" and None for none), and when all was looked through."""

    backup: str
    backup_at: datetime | None
    check_at: datetime | None


def latest_upkeep(state: Path, backups: Path) -> LatestUpkeep:
    """Return what is known of them. Raises OSError for a folder of backups that cannot be read."""
    facts = upkeep_record.read(state)
    found = listed(backups)
    backup = str(found[-1]) if found else str(facts.get("backup", ""))
    is_there = bool(backup) and Path(backup).is_file()
    backup_at = upkeep_record.moment(facts, "backup_at") if is_there else None
    return LatestUpkeep(backup if is_there else "", backup_at, upkeep_record.moment(facts, "check_at"))
