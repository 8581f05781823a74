"""What the page of quality is to be about, as its address says it."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from dashboard.frame import address
from store.report_figures import Scope

PERIODS = {"24h": "24 hours", "7d": "7 days", "30d": "30 days", "all": "All"}
USUAL = "30d"
_SPANS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}


@dataclass(frozen=True)
class Choice:
    """A period, or the days from first to last; one source and one model, "" for all."""

    period: str = USUAL
    first: date | None = None
    last: date | None = None
    source: str = ""
    model: str = ""

    def scope(self, now: datetime) -> Scope:
        """Return the jobs that are meant. A period begins with a full hour, or a day."""
        since = self._since(now)
        until = None if self.last is None else _midnight(self.last + timedelta(days=1))
        return Scope(since, until, source=self.source or None, model=self.model or None)

    def _since(self, now: datetime) -> datetime | None:
        if self.period in _SPANS:
            begin = (now - _SPANS[self.period]).replace(minute=0, second=0, microsecond=0)
            return begin if self.period == "24h" else begin.replace(hour=0)
        return None if self.first is None else _midnight(self.first)

    def address(self, path: str, **more: str) -> str:
        """Return an address that says the same."""
        return address(
            path,
            period="" if self.period == USUAL else self.period,
            **{"from": self.first or "", "to": self.last or ""},
            source=self.source,
            model=self.model,
            **more,
        )

    def of_period(self, period: str) -> "Choice":
        """Return the same of another period."""
        return replace(self, period=period, first=None, last=None)


def choice_of(period: str, first: str, last: str, source: str, model: str) -> Choice:
    """Return what an address wants; what it does not know counts as not said. Days rule a period out."""
    days = day_of(first), day_of(last)
    if any(days):
        return Choice("", *days, source, model)
    return Choice(period if period in PERIODS else USUAL, None, None, source, model)


def day_of(text: str) -> date | None:
    """Return the day that a text names, None for none."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if found.year < date.max.year else None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
