"""What goes wrong in httpcore2, h11 and h2, said in this package's terms."""

from typing import Final

import h11
import httpcore2
from h2.errors import ErrorCodes
from h2.exceptions import DenialOfServiceError, H2Error

from bareclient.errors import (
    ClientError,
    ConnectError,
    ConnectTimeoutError,
    CutError,
    HeadersTooLargeError,
    NetworkError,
    PoolTimeoutError,
    ProtocolError,
    ProxyError,
    ReadError,
    ReadTimeoutError,
    RefusedError,
    RequestError,
    StreamResetError,
    WriteError,
    WriteTimeoutError,
)

FAILURES: Final = (
    h11.LocalProtocolError,
    httpcore2.ConnectionNotAvailable,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.ProxyError,
    httpcore2.TimeoutException,
    H2Error,
    # From a status on HTTP/2 that is no number.
    ValueError,
)
"""What is said anew, unless it is the caller's content that raised it."""

_BY_TYPE: Final[dict[type[Exception], type[ClientError]]] = {
    httpcore2.ConnectError: ConnectError,
    httpcore2.ConnectTimeout: ConnectTimeoutError,
    httpcore2.PoolTimeout: PoolTimeoutError,
    httpcore2.ProxyError: ProxyError,
    httpcore2.ReadError: ReadError,
    httpcore2.ReadTimeout: ReadTimeoutError,
    httpcore2.WriteError: WriteError,
    httpcore2.WriteTimeout: WriteTimeoutError,
}

# How the two libraries begin to tell of what has no class of its own.
_BY_TEXT: Final[dict[str, type[ProtocolError]]] = {
    "Receive buffer too long": HeadersTooLargeError,
    "Server disconnected": CutError,
    "peer closed connection": CutError,
    "peer unexpectedly closed connection": CutError,
}

_TEXTS: Final[dict[type[ClientError], str]] = {
    ConnectTimeoutError: "no connection was made in time",
    PoolTimeoutError: "no connection was free in time",
    ReadTimeoutError: "the server was silent for too long",
    WriteTimeoutError: "the server did not take the request in time",
}


def translated(error: Exception, url: str) -> ClientError:
    """Give the error that tells the caller what happened to a request."""
    cause = error.args[0] if error.args else None
    if isinstance(cause, H2Error):
        error, cause = cause, None
    if isinstance(error, DenialOfServiceError):
        return HeadersTooLargeError(f"{url}: {error}")
    if isinstance(error, (httpcore2.LocalProtocolError, h11.LocalProtocolError)):
        return RequestError(f"{url}: {error}")
    if isinstance(error, (httpcore2.RemoteProtocolError, H2Error, ValueError)):
        return _protocol_error(error, cause, url)
    kind = _BY_TYPE.get(type(error), NetworkError)
    return kind(f"{url}: {_TEXTS.get(kind) or error}")


def _protocol_error(error: Exception, cause: object, url: str) -> ProtocolError:
    code = getattr(cause, "error_code", None)
    if code is not None and getattr(cause, "remote_reset", True):
        # An event of h2: a stream was reset, or the connection is going away.
        last = getattr(cause, "last_stream_id", None)
        name = code.name if isinstance(code, ErrorCodes) else f"error {code}"
        if code == ErrorCodes.REFUSED_STREAM or last == 0:
            return RefusedError(f"{url}: the server did not begin with it ({name})")
        if last is not None:
            return CutError(f"{url}: the server ended the connection ({name})")
        return StreamResetError(f"{url}: the server reset the stream ({name})")
    text = str(error)
    for beginning, kind in _BY_TEXT.items():
        if text.startswith(beginning):
            return kind(f"{url}: {text}")
    return ProtocolError(f"{url}: {text}")
