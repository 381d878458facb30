"""Everything that the framework raises, and whose fault it is.

The developer's: ParseError when a route is added, HttpInternalError and
WebSocketInternalError when the protocol is misused. The client's: HttpError and
ContentTooLarge, which become responses, and HttpDisconnectError, which ends a request
quietly.
"""

from collections.abc import AsyncIterable, Iterable
from typing import Any, Protocol, TypeAlias, cast
from urllib.error import HTTPError

_Reason: TypeAlias = str | bytes | AsyncIterable[bytes] | None


class _WithItems(Protocol):
    def items(self) -> Iterable[tuple[Any, Any]]: ...


_ErrorHeaders: TypeAlias = Iterable[tuple[bytes, bytes]] | _WithItems | None


class ParseError(ValueError):
    """A path template that cannot be understood. Raised when the route is added."""


class HttpInternalError(Exception):
    """A server or an application that does not keep to ASGI."""


class WebSocketInternalError(Exception):
    """A WebSocket that was used out of order, or whose client has left."""


class HttpDisconnectError(Exception):
    """The client left. Raised from reading `content`, and ends the request quietly."""


class ContentDroppedError(HttpDisconnectError):
    """The content was not read in time, and dropped. The client is still there."""


class ResponseTypeError(TypeError):
    """A handler returned what is no response. The client gets a plain 500."""

    def __init__(self, message: str, body: AsyncIterable[bytes] | None = None) -> None:
        super().__init__(message)
        self.body = body


class HttpError(HTTPError):
    """A response, raised instead of returned.

    The reason becomes the body: text as UTF-8, bytes and async iterables as they are,
    None no body. Headers are pairs of bytes, used as given, or a mapping. Text without
    a content type is sent as `text/plain; charset=utf-8`. A middleware sees the
    exception, and may answer otherwise. The status is from 200 to 599: another one is
    logged, and answered with a plain 500. Raises TypeError for a reason that is data,
    such as a dict: it needs a form first.
    """

    def __init__(
        self, status: int, reason: _Reason = None, headers: _ErrorHeaders = None
    ) -> None:
        if isinstance(cast(object, reason), (dict, list, tuple)):
            raise TypeError(
                "the reason must be text, bytes or an async iterable of bytes, not"
                f" {reason!r}: json.dumps makes a text"
            )
        # The base class is typed for what urllib gives it. It keeps what it gets, and
        # accepts None in place of the file that a client's response would have.
        super().__init__("", status, cast(Any, reason), cast(Any, headers), None)


class ContentTooLarge(HttpError):  # noqa: N818 - the name of the status
    """A request body over the reader's limit: 413 (RFC 9110, section 15.5.14)."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(413, "Content Too Large")
        self.max_bytes = max_bytes
