"""Cookie headers, both ways (RFC 6265).

What is sent is checked, since a control character or a semicolon in a value would add
fields or attributes of its own. What comes in may be any bytes, and nothing of it
raises.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, Required, TypedDict

_HARMFUL: Final = re.compile(rb"[\x00-\x1f\x7f;]")
_HARMFUL_IN_PAIR: Final = re.compile(rb"[\x00-\x1f\x7f;=]")
_HARMFUL_IN_NAME: Final = re.compile(rb"[\x00-\x20\x7f;,=]")

_PREFIXES: Final = (b"__secure-", b"__host-")
_SAME_SITE: Final = {b"strict", b"lax", b"none"}
_BLANK: Final = b" \t"

# What is between semicolons, but for what is empty.
_pieces: Final = re.compile(rb"[^; \t][^;]*").findall

# Thirteen digits are 300,000 years. More would not fit, and take int() ever longer.
_is_seconds: Final = re.compile(rb"-?[0-9]{1,13}").fullmatch

# RFC 6265, section 5.1.1. What stands behind the digits is ignored.
# Compiled when the first date comes, and not by every program that imports this.
_date_tokens: Final = partial(
    re.findall, rb"[^\t\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+"
)
_time: Final = partial(re.match, rb"(\d{1,2}):(\d{1,2}):(\d{1,2})(?!\d)")
_day: Final = partial(re.match, rb"(\d{1,2})(?!\d)")
_year: Final = partial(re.match, rb"(\d{2,4})(?!\d)")
_DAYS: Final = b"Mon Tue Wed Thu Fri Sat Sun".split()
_MONTHS: Final = b"jan feb mar apr may jun jul aug sep oct nov dec".split()
_FIRST_YEAR: Final = 1601
_CENTURY: Final = 100
_LAST_YEAR_OF_2000: Final = 69


class SetCookie(TypedDict, total=False):
    """What `decode_set_cookie` found. Keys but the name and value may be absent."""

    name: Required[bytes]
    value: Required[bytes]
    expires: datetime
    max_age: timedelta
    domain: bytes
    path: bytes
    secure: bool
    http_only: bool
    same_site: bytes


def encode_set_cookie(
    name: bytes,
    value: bytes,
    *,
    expires: datetime | None = None,
    max_age: int | timedelta | None = None,
    path: bytes | None = None,
    domain: bytes | None = None,
    secure: bool = False,
    http_only: bool = False,
    same_site: bytes | None = None,
) -> bytes:
    """Make the value of a set-cookie header (RFC 6265, section 4.1).

    A date without a timezone is UTC. `max_age` is in seconds, cut to whole ones; zero
    or less makes the browser drop the cookie. `same_site` is `b"Lax"`, `b"Strict"` or
    `b"None"`. The value is sent as it is: it may have blanks, commas and bytes beyond
    ASCII, which some clients refuse. Raises ValueError for a control character or a
    semicolon anywhere, for an empty name, for white space, a comma or an equals sign in
    the name, and for another `same_site`; RuntimeError for a name that begins with
    `__Secure-` or `__Host-` and is not secure, which browsers drop; TypeError for what
    is not bytes.
    """
    _check("name", name, _HARMFUL_IN_NAME)
    _check("value", value, _HARMFUL)
    if not name:
        raise ValueError("the name of a cookie must not be empty")
    if not secure and name.lower().startswith(_PREFIXES):
        raise RuntimeError(f"the cookie {name!r} must be secure, as its prefix says")
    parts = [name + b"=" + value]
    if expires is not None:
        parts.append(b"Expires=" + _format_date(expires))
    if max_age is not None:
        if isinstance(max_age, timedelta):
            max_age = int(max_age.total_seconds())
        parts.append(b"Max-Age=%d" % max_age)
    if domain is not None:
        _check("domain", domain, _HARMFUL)
        parts.append(b"Domain=" + domain)
    if path is not None:
        _check("path", path, _HARMFUL)
        parts.append(b"Path=" + path)
    if secure:
        parts.append(b"Secure")
    if http_only:
        parts.append(b"HttpOnly")
    if same_site is not None:
        if same_site.lower() not in _SAME_SITE:
            raise ValueError(
                f"same_site must be b'Lax', b'Strict' or b'None', not {same_site!r}"
            )
        parts.append(b"SameSite=" + same_site)
    return b"; ".join(parts)


def decode_set_cookie(set_cookie: bytes) -> SetCookie:
    """Take the value of a set-cookie header apart, as a browser does.

    Never raises. White space around names and values is dropped, and nothing else:
    quotes and case are kept. Without an equals sign all of it is the name. The last
    attribute of a kind counts, unknown ones are left out, and so is an `expires` that
    is no date and a `max_age` that is no number of at most 13 digits. Dates are aware,
    in UTC (RFC 6265, sections 5.1.1 and 5.2).
    """
    pair, _, attributes = set_cookie.partition(b";")
    name, value = _split(pair)
    cookie = SetCookie(name=name, value=value)
    for attribute in _pieces(attributes):
        name, value = _split(attribute)
        match name.lower():
            case b"expires":
                date = _parse_date(value)
                if date is not None:
                    cookie["expires"] = date
            case b"max-age":
                if _is_seconds(value):
                    cookie["max_age"] = timedelta(seconds=int(value))
            case b"domain":
                cookie["domain"] = value
            case b"path":
                cookie["path"] = value
            case b"secure":
                cookie["secure"] = True
            case b"httponly":
                cookie["http_only"] = True
            case b"samesite":
                cookie["same_site"] = value
            case _:
                pass
    return cookie


def encode_cookies(cookies: Mapping[bytes, Sequence[bytes]]) -> bytes:
    """Make the value of a cookie header (RFC 6265, section 4.2).

    Each name has a list of values, and stands once for each of them. Raises ValueError
    for a control character or a semicolon, and for an equals sign in a name; TypeError
    for what is not bytes. Whatever else `decode_cookies` gave can be sent on.
    """
    pairs: list[bytes] = []
    for name, values in cookies.items():
        _check("name", name, _HARMFUL_IN_PAIR)
        for value in values:
            _check("value", value, _HARMFUL)
            pairs.append(name + b"=" + value)
    return b"; ".join(pairs)


def decode_cookies(cookies: bytes) -> dict[bytes, list[bytes]]:
    """Take the value of a cookie header apart.

    Never raises. Gives the values of each name, both in the order in which they came.
    Semicolons separate, white space around names and values is dropped, and empty
    pieces are ignored. A piece without an equals sign is a name with an empty value.
    Where a client sent several cookie lines, as HTTP/2 allows, they are to be joined
    with `b"; "` first (RFC 6265, section 5.4; RFC 9113, section 8.2.3).
    """
    decoded: dict[bytes, list[bytes]] = {}
    for pair in _pieces(cookies):
        # Not by `_split`: a call for each of a million pairs takes its time.
        name, _, value = pair.partition(b"=")
        decoded.setdefault(name.strip(_BLANK), []).append(value.strip(_BLANK))
    return decoded


def _check(what: str, text: object, harmful: re.Pattern[bytes]) -> None:
    if not isinstance(text, bytes):
        raise TypeError(f"the {what} of a cookie must be bytes, not {text!r}")
    found = harmful.search(text)
    if found is not None:
        raise ValueError(
            f"the {what} of a cookie must not have {found[0]!r} in it: {text!r}"
        )


def _split(pair: bytes) -> tuple[bytes, bytes]:
    name, _, value = pair.partition(b"=")
    return name.strip(_BLANK), value.strip(_BLANK)


def _format_date(date: datetime) -> bytes:
    """Write a date as HTTP does (RFC 9110, section 5.6.7)."""
    date = (date.replace(tzinfo=UTC) if date.tzinfo is None else date).astimezone(UTC)
    # The names that strftime knows are those of the locale.
    day, month = _DAYS[date.weekday()], _MONTHS[date.month - 1].capitalize()
    rest = b"%04d %02d:%02d:%02d GMT"
    return b"%s, %02d %s " % (day, date.day, month) + rest % (
        date.year,
        date.hour,
        date.minute,
        date.second,
    )


def _parse_date(text: bytes) -> datetime | None:
    """Find a date in whatever form it is (RFC 6265, section 5.1.1)."""
    time = day = month = year = None
    for token in _date_tokens(text):
        if time is None and (match := _time(token)):
            time = int(match[1]), int(match[2]), int(match[3])
        elif day is None and (match := _day(token)):
            day = int(match[1])
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS.index(token[:3].lower()) + 1
        elif year is None and (match := _year(token)):
            year = int(match[1])
    if time is None or day is None or month is None or year is None:
        return None
    if year < _CENTURY:
        year += 2000 if year <= _LAST_YEAR_OF_2000 else 1900
    if year < _FIRST_YEAR:
        return None
    try:
        return datetime(year, month, day, *time, tzinfo=UTC)
    except ValueError:
        return None
