"""Conditional requests: what a client has already, compared with what there is.

RFC 9110, sections 8.8 and 13. Pure: what there is, is a strong entity tag and a time of
last modification; what the client has, are the values of its header fields.
"""

import re
from calendar import timegm
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache
from typing import Final, TypeAlias

Fields: TypeAlias = Mapping[bytes, Sequence[bytes]]
"""Header fields by name: the values of all lines of that name, in order."""

NAMES: Final = frozenset(
    {
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-range",
        b"if-unmodified-since",
        b"range",
    }
)
"""The fields that make a request conditional, or partial."""

OK: Final = 200
NOT_MODIFIED: Final = 304
PRECONDITION_FAILED: Final = 412

# An entity tag of a list; what stands between two of them is commas and white space.
_TAG: Final = re.compile(rb'(W/)?("[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?:,|\Z)')

_MONTHS: Final = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_DAY: Final = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG_DAY: Final = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_MONTH: Final = rf"(?P<month>{_MONTHS})"
_TIME: Final = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_DATES: Final = [
    re.compile(pattern)
    for pattern in (
        rf"{_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT",
        rf"{_LONG_DAY}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",
        rf"{_DAY} {_MONTH} (?P<day>[0-9 ][0-9]) {_TIME} (?P<year>[0-9]{{4}})",
    )
]
_MAX_DATE: Final = 40
_HALF_CENTURY: Final = 50


def entity_tag(modified_ns: int, size: int, coding: bytes = b"identity") -> bytes:
    """Make the strong tag of a file, or of a coded form of it (section 8.8.3.3)."""
    suffix = b"" if coding == b"identity" else b"-" + coding
    return b'"%x-%x%b"' % (modified_ns, size, suffix)


def http_date(seconds: int) -> bytes:
    """Write a time in seconds since 1970 as clients expect it (section 5.6.7)."""
    return formatdate(seconds, usegmt=True).encode("ascii")


@lru_cache(maxsize=256)
def parse_http_date(value: bytes) -> int | None:
    """Read a date in any of the three forms, as seconds since 1970 (section 5.6.7).

    Gives None for anything else: it is ignored.
    """
    if len(value) > _MAX_DATE:
        return None
    text = value.decode("latin-1")
    for form in _DATES:
        match = form.fullmatch(text)
        if match is not None:
            return _seconds(match)
    return None


def evaluate(fields: Fields, etag: bytes, modified: int) -> int:
    """Give the status by the preconditions, in the order of section 13.2.2.

    200 when they hold, or there are none. The method is GET or HEAD, and `modified` in
    seconds since 1970.
    """
    if b"if-match" in fields:
        if not _matches(fields[b"if-match"], etag, is_strong=True):
            return PRECONDITION_FAILED
    elif b"if-unmodified-since" in fields:
        since = _date(fields[b"if-unmodified-since"])
        if since is not None and modified > since:
            return PRECONDITION_FAILED
    if b"if-none-match" in fields:
        if _matches(fields[b"if-none-match"], etag, is_strong=False):
            return NOT_MODIFIED
    elif b"if-modified-since" in fields:
        since = _date(fields[b"if-modified-since"])
        if since is not None and modified <= since:
            return NOT_MODIFIED
    return OK


def range_applies(fields: Fields, etag: bytes, last_modified: bytes) -> bool:
    """Whether If-Range, if there is one, lets the range be answered (section 13.1.5).

    It holds the entity tag or the date that the client got, to the letter.
    """
    values = fields.get(b"if-range")
    return values is None or [*values] in ([etag], [last_modified])


def _matches(values: Sequence[bytes], etag: bytes, *, is_strong: bool) -> bool:
    """Look for a tag in a list of them (sections 8.8.3.2, 13.1.1 and 13.1.2)."""
    value = b",".join(values).strip(b" \t")
    if value == b"*":
        return True
    position = 0
    while position < len(value):
        if value[position] in b", \t":
            position += 1
            continue
        match = _TAG.match(value, position)
        if match is None:
            # What comes after something that is no tag cannot be told from it.
            return False
        if match[2] == etag and not (match[1] and is_strong):
            return True
        position = match.end()
    return False


def _date(values: Sequence[bytes]) -> int | None:
    # Two dates are none (sections 13.1.3 and 13.1.4).
    return parse_http_date(values[0].strip(b" \t")) if len(values) == 1 else None


def _seconds(match: re.Match[str]) -> int | None:
    year = int(match["year"])
    if len(match["year"]) == 2:  # noqa: PLR2004 - digits
        # A year that seems to be more than 50 years ahead is past (section 5.6.7).
        now = datetime.now(UTC).year
        year += now - now % 100
        if year > now + _HALF_CENTURY:
            year -= 100
    try:
        moment = datetime(
            year,
            _MONTHS.index(match["month"]) // 4 + 1,
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            # There may be a leap second, which Python does not know.
            min(int(match["second"]), 59),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return timegm(moment.utctimetuple())
