"""Calls an application without a server: requests, streams, sockets and lifespan.

Stands where the server stands, at the outer end of a request's way, and drives any
application of ASGI 3. Everything goes through a strict checker: an
application that breaks the protocol fails its test.
"""

from bareasgi.testing.checker import ProtocolError, checked
from bareasgi.testing.client_socket import ClientSocket
from bareasgi.testing.driver import (
    LifespanError,
    http_request,
    http_stream,
    lifespan,
    web_socket,
)
from bareasgi.testing.stream import Response, Stream

__all__ = [
    "ClientSocket",
    "LifespanError",
    "ProtocolError",
    "Response",
    "Stream",
    "checked",
    "http_request",
    "http_stream",
    "lifespan",
    "web_socket",
]
