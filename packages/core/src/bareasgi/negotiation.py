"""Chooses among what the server can send by what the client says it accepts.

One parser for everybody who answers in more than one form: for content codings and for
media types.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from bareasgi.types import Headers

_Ranges: TypeAlias = dict[bytes, list[tuple[frozenset[tuple[bytes, bytes]], float]]]
"""By media range in lower case: the parameters that it was listed with, and weights."""

_IDENTITY: Final = b"identity"
_ANY: Final = b"*"

_LEAST: Final = 0.0005
"""Below every weight that a client can give but zero: those have three decimals."""

ALIASES: Final = {b"x-gzip": b"gzip", b"x-compress": b"compress"}
"""Older names of codings that mean the same (RFC 9110, section 8.4.1)."""

_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_WEIGHT: Final = rb"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?"
_PARAMETER: Final = (
    rb"[ \t]*+;[ \t]*+(?:(%(token)s)=(%(token)s|\"(?:[^\"\\]++|\\.)*\"))?"
    % {b"token": _TOKEN}
)
# Possessive in what repeats one character: whatever does not match is found out in time
# that grows with its length. Not so for groups, where Python 3.11.2 is mistaken.
_is_weight: Final = re.compile(_WEIGHT).fullmatch
_coding: Final = re.compile(
    rb"(%b)(?:[ \t]*+;[ \t]*+[Qq]=(%b))?" % (_TOKEN, _WEIGHT)
).fullmatch
_media_range: Final = re.compile(
    rb"(%b/%b)((?:%b)*)" % (_TOKEN, _TOKEN, _PARAMETER), re.DOTALL
).fullmatch
_parameters: Final = re.compile(_PARAMETER, re.DOTALL).findall
# A comma in a quoted string does not separate. One that is not closed goes to the end.
_items: Final = re.compile(rb"(?:[^\",]++|\"(?:[^\"\\]++|\\.)*\"?)+", re.DOTALL).findall
_unescape: Final = re.compile(rb"\\(.)", re.DOTALL).sub

_SHORT: Final = 256
"""Clients say the same over and over. What it came to is kept up to this length."""


def accepted_coding(headers: Headers, offered: Sequence[bytes]) -> bytes | None:
    """Choose the content coding that a client likes best, of those offered.

    `headers` are the request's, with all of its accept-encoding lines. `offered` are
    names in lower case, our favourite first, with `b"identity"` among them, normally
    last, if the content can be sent as it is. The highest weight wins, and among equal
    ones the order of `offered`. An `identity` that the client does not name is worse
    than any coding that it takes, and is refused only by `*;q=0`. Without the field it
    is identity, or the first offered. None means that nothing is acceptable, which is
    a 406. Malformed items are ignored, a coding listed twice has its highest weight,
    and `x-gzip` means gzip (RFC 9110, sections 8.4.1, 12.4.2 and 12.5.3).
    """
    value = _combined(headers, b"accept-encoding")
    if value is None:
        return _IDENTITY if _IDENTITY in offered else next(iter(offered), None)
    if len(value) <= _SHORT:
        return _known_choice(value, tuple(offered))
    return _choose_coding(value, offered)


def accepted_media_type(headers: Headers, offered: Sequence[bytes]) -> bytes | None:
    """Choose the media type that a client likes best, of those offered.

    `headers` are the request's, with all of its accept lines. `offered` are media types
    such as `b"text/html; charset=utf-8"`, our favourite first; the one chosen is given
    back as it was given. The weight of a type is that of the most specific range that
    matches it: with parameters before without, `text/html` before `text/*` before
    `*/*`. A range with parameters matches only what was offered with the same, in
    whatever case, quoted or not; one without matches any. The highest weight wins, and
    among equal ones the order of `offered`. Without the field, or with nothing well
    formed in it, it is the first offered. None means that nothing is acceptable, which
    is a 406. Malformed items are ignored (RFC 9110, sections 12.4.2 and 12.5.1).
    Raises ValueError for something offered that is no media type.
    """
    value = _combined(headers, b"accept")
    ranges: _Ranges = {}
    if value is not None:
        ranges = _known_ranges(value) if len(value) <= _SHORT else _parse_ranges(value)
    if not ranges:
        return next(iter(offered), None)
    best, highest = None, 0.0
    for media_type in offered:
        weight = _weight(ranges, *_offer(media_type))
        if weight > highest:
            best, highest = media_type, weight
    return best


def _combined(headers: Headers, wanted: bytes) -> bytes | None:
    """Give all lines of a field as one list (RFC 9110, section 5.3)."""
    values = [value for name, value in headers if name == wanted]
    if len(values) == 1:
        return values[0]
    return b",".join(values) if values else None


def _choose_coding(value: bytes, offered: Sequence[bytes]) -> bytes | None:
    weights = _parse_codings(value)
    unlisted = weights.get(_ANY)
    best, highest = None, 0.0
    for coding in offered:
        weight = weights.get(coding)
        if weight is None:
            if coding == _IDENTITY:
                weight = 0.0 if unlisted == 0.0 else _LEAST
            else:
                weight = unlisted or 0.0
        if weight > highest:
            best, highest = coding, weight
    return best


_known_choice: Final = lru_cache(maxsize=128)(_choose_coding)


def _parse_codings(value: bytes) -> dict[bytes, float]:
    weights: dict[bytes, float] = {}
    for item in value.split(b","):
        match = _coding(item.strip(b" \t"))
        if match is not None:
            coding = match[1].lower()
            coding = ALIASES.get(coding, coding)
            weight = 1.0 if match[2] is None else float(match[2])
            weights[coding] = max(weight, weights.get(coding, 0.0))
    return weights


def _parse_ranges(value: bytes) -> _Ranges:
    ranges: _Ranges = {}
    for item in _items(value):
        parsed = _parse_media_range(item.strip(b" \t"))
        if parsed is None:
            continue
        media_range, parameters = parsed
        weights = [text for name, text in parameters if name == b"q"] or [b"1"]
        if len(weights) > 1 or not _is_weight(weights[0]):
            continue
        wanted = frozenset(each for each in parameters if each[0] != b"q")
        ranges.setdefault(media_range, []).append((wanted, float(weights[0])))
    return ranges


_known_ranges: Final = lru_cache(maxsize=128)(_parse_ranges)


def _parse_media_range(
    text: bytes,
) -> tuple[bytes, list[tuple[bytes, bytes]]] | None:
    """Give a media range in lower case, and its parameters."""
    match = _media_range(text)
    if match is None or (match[1].startswith(b"*/") and match[1] != b"*/*"):
        return None
    parameters = [
        (name.lower(), _unquoted(value).lower())
        for name, value in _parameters(match[2])
        if name
    ]
    return match[1].lower(), parameters


def _unquoted(value: bytes) -> bytes:
    return _unescape(rb"\1", value[1:-1]) if value.startswith(b'"') else value


@lru_cache(maxsize=256)
def _offer(media_type: bytes) -> tuple[bytes, frozenset[tuple[bytes, bytes]]]:
    parsed = _parse_media_range(media_type)
    if parsed is None:
        raise ValueError(f"{media_type!r} is not a media type")
    return parsed[0], frozenset(parsed[1])


def _weight(
    ranges: _Ranges, name: bytes, parameters: frozenset[tuple[bytes, bytes]]
) -> float:
    """Give the weight of the most specific range that matches a media type."""
    for media_range in (name, name.partition(b"/")[0] + b"/*", b"*/*"):
        matching = [
            (len(wanted), weight)
            for wanted, weight in ranges.get(media_range, ())
            if wanted <= parameters
        ]
        if matching:
            return max(matching)[1]
    return 0.0
