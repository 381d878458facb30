"""Makes the messages of a response, and refuses what must not be sent."""

import re
from collections.abc import Sequence
from functools import lru_cache
from logging import Logger, getLogger
from typing import Final, cast

from bareasgi.extensions import PATHSEND, TRAILERS, WrappedBody, wants_trailers
from bareasgi.responses import internal_server_error
from bareasgi.streaming import BufferedBody
from bareasgi.types import (
    Body,
    FullHttpResponse,
    Header,
    Headers,
    Message,
    Pushes,
    Scope,
)

logger: Final[Logger] = getLogger(__name__)

CR, LF, NUL = b"\r\n\0"
_WITHOUT_CONTENT: Final = frozenset({204, 304})

# The names that are known to be well formed, and whether they tell where a body ends.
_NAMES: Final = {b"content-length": True, b"transfer-encoding": True}
_MAX_NAMES: Final = 1024
_MAX_NAME: Final = 64
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")


def messages(
    scope: Scope, response: FullHttpResponse
) -> tuple[list[Message], Body | None]:
    """Make the messages of a response, and give the body to send before the last one.

    There is no such body when it is in memory, since the last message holds it, and
    none for HEAD, 204 and 304 (RFC 9110, section 6.4.1). Where the length is known the
    client is told. What must not be sent is logged, and replaced with a plain 500.
    """
    status, headers, body, pushes = response
    has_content = status not in _WITHOUT_CONTENT
    data = b""
    if type(body) is BufferedBody:
        data, body = body.data, None
    length = len(data) if body is None and has_content else None
    try:
        headers = checked_headers(headers, length)
        pushed = None if pushes is None else _push_messages(scope, pushes)
    except (TypeError, ValueError) as error:
        # The error says it all: its traceback is ours, not the application's.
        logger.error(  # noqa: TRY400
            "the response to %s %r cannot be sent: %s",
            scope["method"],
            scope["path"],
            error,
        )
        return messages(scope, internal_server_error())
    if not has_content or scope["method"] == "HEAD":
        data, body = b"", None
    start = {"type": "http.response.start", "status": status, "headers": headers}
    last = {"type": "http.response.body", "body": data, "more_body": False}
    if isinstance(body, WrappedBody):
        if body.trailers is not None and wants_trailers(scope):
            start["trailers"] = True
        elif body.path is not None and PATHSEND in (scope.get("extensions") or ()):
            last, body = {"type": PATHSEND, "path": body.path}, None
    return [start, last] if pushed is None else [start, *pushed, last], body


def trailers_message(body: WrappedBody) -> Message:
    """Make the message with the fields after a body (RFC 9110, section 6.5)."""
    fields = checked_headers([] if body.trailers is None else body.trailers())
    return {"type": TRAILERS, "headers": fields}


def checked_headers(headers: Headers, length: int | None = None) -> Headers:
    """Check the headers, and add the body's length if it is known and they do not.

    CR, LF and NUL would end a field, or worse (RFC 9110, section 5.5). Raises TypeError
    or ValueError.
    """
    for name, value in headers:
        frames = _NAMES.get(name)
        if frames is None:
            frames = _check_name(name)
        if frames:
            length = None
        if name.__class__ is not bytes or value.__class__ is not bytes:
            raise TypeError(f"the value of {name!r} must be bytes, not {value!r}")
        if CR in value or LF in value or NUL in value:
            raise ValueError(f"the value of {name!r} has a control character")
    return headers if length is None else [*headers, _content_length(length)]


@lru_cache(maxsize=1024)
def _content_length(length: int) -> Header:
    return b"content-length", b"%d" % length


def _check_name(name: bytes) -> bool:
    if not isinstance(cast(object, name), bytes):
        raise TypeError(f"the name {name!r} must be bytes, such as b'accept'")
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"the name {name!r} is not a token in lower case")
    if len(_NAMES) < _MAX_NAMES and len(name) <= _MAX_NAME:
        _NAMES[name] = False
    return False


def _push_messages(scope: Scope, pushes: Pushes) -> Sequence[Message]:
    try:
        messages = [_push(path, headers) for path, headers in pushes]
    except Exception as error:
        raise ValueError(
            f"pushes must be pairs of path and headers; {error}"
        ) from error
    return messages if "http.response.push" in (scope.get("extensions") or ()) else ()


def _push(path: str, headers: Headers) -> Message:
    if not path.startswith("/"):
        raise ValueError(f"the path {path!r} must start with a slash")
    checked_headers([*headers, (b"path", path.encode("ascii"))])
    return {"type": "http.response.push", "path": path, "headers": headers}
