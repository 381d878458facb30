"""Everything that the client raises, by whose fault it is.

The caller's: RequestError, and nothing was sent. The network's: NetworkError and
TimedOutError. The server's: ProtocolError and what is below it, the limits, and
StatusError, which is raised only by those who ask for it.
"""

from bareasgi import Headers, HttpError


class ClientError(Exception):
    """A request that did not get the whole of an answer."""


class RequestError(ClientError, ValueError):
    """A request that cannot be sent as it is: its URL, method, fields or content."""


class NetworkError(ClientError):
    """The connection failed."""


class ConnectError(NetworkError):
    """No connection could be made; or its certificate is not to be trusted."""


class ReadError(NetworkError):
    """The connection broke while the answer was read."""


class WriteError(NetworkError):
    """The connection broke while the request was sent."""


class ProxyError(NetworkError):
    """The proxy refused to connect."""


class TimedOutError(ClientError, TimeoutError):
    """Something took longer than the caller was willing to wait."""


class ConnectTimeoutError(TimedOutError):
    """No connection was made in time."""


class ReadTimeoutError(TimedOutError):
    """The server was silent for too long."""


class WriteTimeoutError(TimedOutError):
    """The server did not take the request in time."""


class PoolTimeoutError(TimedOutError):
    """All connections were in use for too long."""


class ProtocolError(ClientError):
    """The server does not keep to HTTP."""


class CutError(ProtocolError):
    """The server closed the connection before the answer was whole."""


class StreamResetError(ProtocolError):
    """The server reset the stream of the request (RFC 9113, section 6.4)."""


class RefusedError(ProtocolError):
    """The server did not begin with the request, which may be made again.

    It reset the stream with REFUSED_STREAM, or said in a GOAWAY that the stream came
    too late (RFC 9113, section 8.7).
    """


class HeadersTooLargeError(ProtocolError):
    """The header of the answer is over the limit, in bytes or in fields."""


class BodyTooLargeError(ClientError):
    """The body of the answer is over the limit of its reader, or of decompression."""


class DecodingError(ClientError):
    """The body is not in the coding that its content-encoding names, or was cut."""


class RedirectError(ClientError):
    """A redirect that cannot be followed, or one too many."""


class StatusError(ClientError, HttpError):
    """An answer without a status from 200 to 299, raised by `raise_for_status`.

    It is a `urllib.error.HTTPError` as well, so a handler that lets it through answers
    with the same status and its name. The server's own fields are not passed on.

    Attributes:
        response_headers: the fields of the answer.
    """

    def __init__(
        self, status: int, reason: str, url: str, response_headers: Headers
    ) -> None:
        HttpError.__init__(self, status, reason)
        self.filename = url
        self.response_headers: Headers = response_headers

    def __str__(self) -> str:
        return f"{self.filename} answered {self.code} {self.reason}"
