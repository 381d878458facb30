"""Results as HTTP responses: in which media type, and with which status.

GraphQL over HTTP, section 6. `application/graphql-response+json` tells by its status
whether the operation was run. `application/json` is 200 for every well-formed request,
since any other status may come from a proxy.
"""

from collections.abc import AsyncIterator, Awaitable, Iterable
from typing import Final, Literal, Protocol, TypeAlias

from bareasgi import FullHttpResponse, Header, Headers, bytes_writer
from bareasgi.negotiation import accepted_media_type
from bareasgi_graphql.errors import BAD_REQUEST, RequestError, Result
from bareasgi_graphql.request import Dumps

HttpStatus: TypeAlias = Literal["2025", "2026"]
"""Which draft of GraphQL over HTTP the statuses are taken from."""

JSON: Final = b"application/json; charset=utf-8"
GRAPHQL_RESPONSE: Final = b"application/graphql-response+json; charset=utf-8"
EVENT_STREAM: Final = b"text/event-stream"
HTML: Final = b"text/html"

ANSWERS: Final = (JSON, GRAPHQL_RESPONSE)
"""What an answer may be, our favourite first."""

OK: Final = 200
PARTIAL_SUCCESS: Final = 294
UNPROCESSABLE_CONTENT: Final = 422


class ResultStream(Protocol):
    """Results that come one after the other, and that have to be closed."""

    def __aiter__(self) -> AsyncIterator[Result]: ...

    def aclose(self) -> Awaitable[None]:
        """End it, wherever it is, even if it has not begun."""
        ...


def acceptable(headers: Headers, offered: Iterable[bytes]) -> bytes | None:
    """Choose a media type, or None when the client accepts none of them.

    Of types that it likes equally it gets the one that it names first; what it does not
    name, as in `*/*`, comes after that in the order of `offered` (RFC 9110, section
    12.5.1).
    """
    text = b",".join([value for name, value in headers if name == b"accept"]).lower()

    def place(media_type: bytes) -> int:
        found = text.find(media_type.partition(b";")[0])
        return len(text) if found < 0 else found

    return accepted_media_type(headers, sorted(offered, key=place))


def json_response(
    result: Result | list[Result],
    dumps: Dumps,
    media_type: bytes,
    http_status: HttpStatus,
) -> FullHttpResponse:
    """Make the response for an operation that was run, or for a batch."""
    status = OK
    if (
        http_status == "2026"
        and media_type == GRAPHQL_RESPONSE
        and isinstance(result, dict)
        and "errors" in result
    ):
        status = PARTIAL_SUCCESS
    return _response(status, (), result, dumps, media_type)


def refusal_response(
    error: RequestError,
    result: Result,
    dumps: Dumps,
    media_type: bytes,
    http_status: HttpStatus,
) -> FullHttpResponse:
    """Make the response for a request that is not run."""
    if error.status is not None:
        status = error.status
    elif media_type == JSON:
        status = OK
    elif http_status == "2026" and error.is_invalid:
        status = UNPROCESSABLE_CONTENT
    else:
        status = BAD_REQUEST
    return _response(status, error.headers, result, dumps, media_type)


def encoded(value: object, dumps: Dumps) -> bytes:
    """Write JSON as bytes. Half a pair of surrogates, which UTF-8 lacks, is escaped.

    Raises RequestError for a result that is nested too deeply: a scalar may give back
    what the client sent.
    """
    try:
        text = dumps(value)
    except RecursionError:
        raise RequestError("The result is nested too deeply") from None
    return text.encode(errors="backslashreplace") if isinstance(text, str) else text


def _response(
    status: int,
    headers: Headers,
    result: Result | list[Result],
    dumps: Dumps,
    media_type: bytes,
) -> FullHttpResponse:
    fields: list[Header] = [(b"content-type", media_type), *headers]
    return status, fields, bytes_writer(encoded(result, dumps)), None
