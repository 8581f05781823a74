"""Among which images a question was drawn, so that its answer counts where chance chose it and nowhere else.

An answer drawn from all images is drawn by chance within any job and class as well. One drawn from a single
job says nothing of the others: there it is an image that somebody chose.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from store.times import moment, stamp_of

_BEFORE = " {"


@dataclass(frozen=True)
class Scope:
    """Images to ask about: one job's, one predicted class, one model's, predicted since. None: all."""

    job: str | None = None
    label: str | None = None
    model: str | None = None
    since: datetime | None = None

    def covers(self, other: "Scope") -> bool:
        """Tell whether every image of the other scope is one of this."""
        alike = ((self.job, other.job), (self.label, other.label), (self.model, other.model))
        earlier = self.since is None or (other.since is not None and self.since <= other.since)
        return earlier and all(mine is None or mine == theirs for mine, theirs in alike)

    def written(self, stratum: str) -> str:
        """Return what stands in a review's `stratum`: its name, and behind it the scope if it is not all."""
        since = None if self.since is None else stamp_of(self.since)
        parts = {"job": self.job, "class": self.label, "model": self.model, "since": since}
        told = {name: value for name, value in parts.items() if value is not None}
        return stratum + (f" {json.dumps(told, ensure_ascii=False)}" if told else "")


def scope_in(stratum: str) -> Scope | None:
    """Return the scope that a review's `stratum` names; None where nobody can read it."""
    _, brace, rest = stratum.partition(_BEFORE)
    if not brace:
        return Scope()
    try:
        told: dict[str, Any] = json.loads("{" + rest)
        since = moment(told["since"]) if "since" in told else None
        return Scope(told.get("job"), told.get("class"), told.get("model"), since)
    except (ValueError, TypeError):
        return None
