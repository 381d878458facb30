"""Times: aware datetimes inside, RFC 3339 text in UTC outside."""

from datetime import UTC, datetime


def now() -> datetime:
    """Tell the time in whole milliseconds, which is what is stored and sent."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def time_text(time: datetime) -> str:
    """Write a time as `2026-11-22T18:10:00.250Z`, which sorts as text."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def parse_time(text: str) -> datetime:
    """Read what time_text wrote."""
    return datetime.fromisoformat(text)
