"""What a client accepts: in one piece, in parts, or as it comes."""

from functools import lru_cache
from typing import Final, NamedTuple

from bareasgi import Headers
from bareasgi_graphql.multipart_mixed import incremental_type, subscription_type
from bareasgi_graphql.response import ANSWERS, EVENT_STREAM, HTML, acceptable

_SHORT: Final = 256


class Accepted(NamedTuple):
    """The types that a client gets, each None if it does not accept any.

    Attributes:
        answer: of an answer in one piece.
        parts: of an answer in parts, for `@defer` and `@stream`.
        live: of the results of a subscription.
        prefers_html: whether it would rather have a page, as browsers do.
    """

    answer: bytes | None
    parts: bytes | None
    live: bytes | None
    prefers_html: bool


def accepted(headers: Headers) -> Accepted:
    """Find out what a client accepts. What it came to is kept: clients say the same."""
    accept = b",".join([value for name, value in headers if name == b"accept"])
    return _known(accept) if len(accept) <= _SHORT else _parse(accept)


def _parse(accept: bytes) -> Accepted:
    headers = [(b"accept", accept)] if accept else []
    return Accepted(
        acceptable(headers, ANSWERS),
        incremental_type(headers),
        subscription_type(headers),
        acceptable(headers, (*ANSWERS, EVENT_STREAM, HTML)) == HTML,
    )


_known: Final = lru_cache(maxsize=128)(_parse)
