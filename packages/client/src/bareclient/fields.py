"""Header fields, checked and in lower case, on their way out and on their way in."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, cast

from bareasgi import Header, Headers
from bareclient.errors import HeadersTooLargeError, ProtocolError, RequestError
from bareclient.settings import Limits

CR, LF, NUL = b"\r\n\0"

# What concerns one connection only (RFC 9110, section 7.6.1), and the trailers that
# it would announce, which are not sent.
_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"http2-settings",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CREDENTIALS: Final = frozenset({b"authorization", b"cookie"})


def request_fields(headers: Headers) -> list[Header]:
    """Check the fields of a request, and leave out those of another connection.

    Raises RequestError for what is not a list of pairs of bytes, for a name that is not
    a token, and for CR, LF or NUL in a value (RFC 9110, section 5).
    """
    checked: list[Header] = []
    has_connection = False
    for field in cast(Iterable[object], headers):
        match field:
            case (bytes() as name, bytes() as value):
                lower = _field_name(name)
            case _:
                raise RequestError(
                    f'a header field is a pair of bytes, as (b"accept", b"*/*"), not'
                    f" {field!r}"
                )
        if CR in value or LF in value or NUL in value:
            raise RequestError(f"the value of {name!r} has a control character")
        has_connection = has_connection or lower == b"connection"
        checked.append((lower, value.strip(b" \t")))
    return _end_to_end(checked, has_connection=has_connection)


def answer_fields(headers: Headers, limits: Limits) -> list[Header]:
    """Take the fields of an answer, without those of its connection.

    Raises HeadersTooLargeError over the limits, and ProtocolError for control
    characters, which HTTP/2 lets through.
    """
    if len(headers) > limits.header_fields:
        raise HeadersTooLargeError(
            f"the answer has {len(headers)} header fields: the limit is"
            f" {limits.header_fields}"
        )
    size = 0
    has_connection = False
    taken: list[Header] = []
    for name, value in headers:
        lower = name.lower()
        size += len(name) + len(value)
        if CR in value or LF in value or NUL in value:
            raise ProtocolError(f"the answer's field {name!r} has a control character")
        has_connection = has_connection or lower in _HOP_BY_HOP
        taken.append((lower, value))
    if size > limits.header_bytes:
        raise HeadersTooLargeError(
            f"the answer's header has {size} bytes: the limit is {limits.header_bytes}"
        )
    return _end_to_end(taken, has_connection=has_connection)


def find(headers: Headers, name: bytes) -> bytes | None:
    """Give the first value of a field, or None."""
    for other, value in headers:
        if other == name:
            return value
    return None


def without(headers: Headers, *names: bytes) -> list[Header]:
    """Copy the fields, but for some."""
    return [field for field in headers if field[0] not in names]


def without_credentials(headers: Headers) -> list[Header]:
    """Copy the fields, but for those that tell who the caller is."""
    return without(headers, *_CREDENTIALS)


def members(headers: Headers, name: bytes) -> list[bytes]:
    """Give the members of a list, over all its lines (RFC 9110, section 5.6.1)."""
    lines = [value for other, value in headers if other == name]
    parts = [part.strip(b" \t").lower() for part in b",".join(lines).split(b",")]
    return [part for part in parts if part]


def _end_to_end(headers: list[Header], *, has_connection: bool) -> list[Header]:
    if not has_connection:
        return [field for field in headers if field[0] not in _HOP_BY_HOP]
    return without(headers, *_HOP_BY_HOP, *members(headers, b"connection"))


@lru_cache(maxsize=1024)
def _field_name(name: bytes) -> bytes:
    if _TOKEN.fullmatch(name) is None:
        raise RequestError(f"{name!r} is not the name of a field")
    return name.lower()
