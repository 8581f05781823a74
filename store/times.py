"""Times as they stand in SQL: UTC, ISO 8601 with milliseconds, so that text sorts as time does."""

from datetime import UTC, datetime

from broker.errors import MessageError


def stamp(text: str) -> str:
    """Return a time from the wire as it stands in SQL. Raises MessageError for one that no calendar has."""
    try:
        return stamp_of(moment(text))
    except ValueError as error:
        raise MessageError(f"{text[:40]!r} is no time in ISO 8601") from error


def moment(text: str) -> datetime:
    """Return the moment that an ISO 8601 date or time names; without a zone it is UTC. Raises ValueError."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def seconds_between(earlier: str, later: str) -> float:
    """Return the seconds from one time to another, 0 where another machine's clock runs ahead."""
    return max(0.0, (moment(later) - moment(earlier)).total_seconds())


def stamp_of(when: datetime) -> str:
    """Return a moment as it stands in SQL. Raises ValueError where UTC's calendar does not reach."""
    try:
        return when.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    except OverflowError as error:
        raise ValueError("the time lies outside the calendar") from error
