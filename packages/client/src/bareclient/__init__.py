"""An HTTP client that mirrors bareASGI: bytes headers, streams, the same middleware."""

from bareclient.client import Call, Client
from bareclient.errors import (
    BodyTooLargeError,
    ClientError,
    ConnectError,
    ConnectTimeoutError,
    CutError,
    DecodingError,
    HeadersTooLargeError,
    NetworkError,
    PoolTimeoutError,
    ProtocolError,
    ProxyError,
    ReadError,
    ReadTimeoutError,
    RedirectError,
    RefusedError,
    RequestError,
    StatusError,
    StreamResetError,
    TimedOutError,
    WriteError,
    WriteTimeoutError,
)
from bareclient.event_stream import ServerEvent, read_events
from bareclient.functions import (
    get,
    get_json,
    get_text,
    post,
    post_json,
    post_text,
    request,
)
from bareclient.middleware.authorization import (
    basic_authorization,
    bearer_authorization,
)
from bareclient.middleware.cookies import cookies, make_jar
from bareclient.middleware.decompression import decompression
from bareclient.middleware.redirects import redirects
from bareclient.middleware.retries import retries
from bareclient.response import RawBody, Response
from bareclient.sessions import HttpClient, HttpSession, HttpUnboundSession
from bareclient.settings import Limits, Timeouts
from bareclient.transport.asgi import AsgiTransport
from bareclient.transport.network import NetworkTransport

__all__ = [
    "AsgiTransport",
    "BodyTooLargeError",
    "Call",
    "Client",
    "ClientError",
    "ConnectError",
    "ConnectTimeoutError",
    "CutError",
    "DecodingError",
    "HeadersTooLargeError",
    "HttpClient",
    "HttpSession",
    "HttpUnboundSession",
    "Limits",
    "NetworkError",
    "NetworkTransport",
    "PoolTimeoutError",
    "ProtocolError",
    "ProxyError",
    "RawBody",
    "ReadError",
    "ReadTimeoutError",
    "RedirectError",
    "RefusedError",
    "RequestError",
    "Response",
    "ServerEvent",
    "StatusError",
    "StreamResetError",
    "TimedOutError",
    "Timeouts",
    "WriteError",
    "WriteTimeoutError",
    "basic_authorization",
    "bearer_authorization",
    "cookies",
    "decompression",
    "get",
    "get_json",
    "get_text",
    "make_jar",
    "post",
    "post_json",
    "post_text",
    "read_events",
    "redirects",
    "request",
    "retries",
]
