"""Responses in one call, and the one place where an exception becomes a response."""

import json
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from functools import partial
from logging import Logger, getLogger
from typing import Final, cast
from urllib.error import HTTPError

from bareasgi.closing import close_body
from bareasgi.errors import HttpDisconnectError, ResponseTypeError
from bareasgi.extensions import after_body
from bareasgi.streaming import bytes_writer, text_writer
from bareasgi.types import (
    MAX_STATUS,
    MIN_STATUS,
    Body,
    FullHttpResponse,
    Header,
    Headers,
    Pushes,
    Scope,
)

# The log of the request, not of this module: a plugin may be the one who calls.
logger: Final[Logger] = getLogger("bareasgi.http")

PLAIN_TEXT: Final[list[Header]] = [(b"content-type", b"text/plain")]


def bytes_response(
    status: int,
    headers: Headers | None,
    buf: bytes,
    content_type: bytes = b"application/octet-stream",
    chunk_size: int = -1,
    pushes: Pushes | None = None,
) -> FullHttpResponse:
    """Make a response of bytes.

    The headers are copied, and the content type is added when they have none. The chunk
    size is the one of `bytes_writer`.
    """
    return (
        status,
        _with_content_type(headers, content_type),
        bytes_writer(buf, chunk_size),
        pushes,
    )


def text_response(
    status: int,
    headers: Headers | None,
    text: str,
    encoding: str = "utf-8",
    content_type: bytes | None = None,
    chunk_size: int = -1,
    pushes: Pushes | None = None,
) -> FullHttpResponse:
    """Make a response of text.

    The headers are copied. When they have no content type, it is the one given, or
    `text/plain` with the encoding as its charset. The chunk size is the one of
    `text_writer`.
    """
    if content_type is None:
        content_type = b"text/plain; charset=" + encoding.encode("ascii")
    return (
        status,
        _with_content_type(headers, content_type),
        text_writer(text, encoding, chunk_size),
        pushes,
    )


def json_response(
    status: int,
    headers: Headers | None,
    obj: object,
    content_type: bytes = b"application/json",
    dumps: Callable[[object], str | bytes] = json.dumps,
    chunk_size: int = -1,
    pushes: Pushes | None = None,
) -> FullHttpResponse:
    """Make a response of a value as JSON (RFC 8259).

    The headers are copied, and the content type is added when they have none. `dumps`
    may return text, which is sent as UTF-8, or bytes. What it raises is raised here.
    """
    dumped = dumps(obj)
    return (
        status,
        _with_content_type(headers, content_type),
        text_writer(dumped, chunk_size=chunk_size)
        if isinstance(dumped, str)
        else bytes_writer(dumped, chunk_size),
        pushes,
    )


def error_response(error: Exception, scope: Scope) -> FullHttpResponse:
    """Make the response to an exception.

    An HttpError, like any `urllib.error.HTTPError`, says itself what it is answered
    with. Anything else is logged with its traceback, and answered with a constant 500.
    Raises HttpDisconnectError again: there is nobody left to answer.
    """
    if isinstance(error, HttpDisconnectError):
        raise error
    unused: object = None
    if isinstance(error, HTTPError):
        try:
            return _from_http_error(error)
        except (TypeError, ValueError) as failure:
            failure.__cause__ = error
            unused = error.reason
            error = failure
    elif isinstance(error, ResponseTypeError):
        unused = error.body
    logger.error("%s %r failed", scope.get("method"), scope.get("path"), exc_info=error)
    status, headers, body, pushes = internal_server_error()
    if isinstance(unused, AsyncIterable):
        # It is closed when the response in its place is over.
        body = after_body(body, partial(close_body, unused))
    return status, headers, body, pushes


def internal_server_error() -> FullHttpResponse:
    """Make the answer to whatever the developer has to mend. It tells nothing."""
    return 500, PLAIN_TEXT, bytes_writer(b"Internal Server Error"), None


def _from_http_error(error: HTTPError) -> FullHttpResponse:
    # urllib says that the code is an int, the reason a str and the headers an e-mail
    # message. They are whatever the application gave.
    status, reason = cast(object, error.code), cast(object, error.reason)
    if not isinstance(status, int) or not MIN_STATUS <= status <= MAX_STATUS:
        raise ValueError(f"the status must be from 200 to 599, not {status!r}")
    headers = _error_headers(cast(object, error.headers))
    body: Body | None = None
    match reason:
        case str(text):
            headers = _with_content_type(headers, b"text/plain; charset=utf-8")
            body = text_writer(text)
        case bytes(data):
            body = bytes_writer(data)
        case AsyncIterable():
            body = cast(Body, reason)
        case _:
            pass
    return int(status), headers, body, None


def _error_headers(headers: object) -> Headers:
    """Take pairs of bytes as they are, and those of any mapping as bytes."""
    if headers is None:
        return []
    if hasattr(headers, "items"):
        items = cast(Mapping[object, object], headers).items()
        return [(_field(name).lower(), _field(value)) for name, value in items]
    pairs = cast(Iterable[Header], headers)
    return pairs if isinstance(pairs, (list, tuple)) else [*pairs]


def _field(text: object) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode("latin-1")


def _with_content_type(headers: Headers | None, content_type: bytes) -> list[Header]:
    if not headers:
        return [(b"content-type", content_type)]
    copy = [*headers]
    if all(name != b"content-type" for name, _ in copy):
        copy.append((b"content-type", content_type))
    return copy
