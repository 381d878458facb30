"""The shapes that handlers, middleware, routers and servers exchange.

Nothing here runs on the way of a request: these are names for plain Python objects, so
that a signature says what it takes. The lowest layer: it imports none of the others.
"""

from abc import ABC, abstractmethod
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    MutableMapping,
    Sequence,
)
from typing import Any, Final, Literal, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
"""The connection scope of ASGI 3, as the server made it."""

Info: TypeAlias = MutableMapping[str, Any]
"""The application's own data: one object, passed by identity to every handler."""

Message: TypeAlias = Mapping[str, Any]
"""One ASGI event, as received from the server or sent to it."""

Receive: TypeAlias = Callable[[], Awaitable[Message]]
"""Waits for the next event from the server."""

Send: TypeAlias = Callable[[Any], Awaitable[None]]
"""Gives one event to the server."""

Header: TypeAlias = tuple[bytes, bytes]
"""A field name in lower case and its value (RFC 9110, section 5)."""

Headers: TypeAlias = Sequence[Header]
"""Header fields in order. Read-only once returned: make a new list to change them."""

RouteMatches: TypeAlias = Mapping[str, Any]
"""The values of a path template's parameters, by name, in the template's order."""

Content: TypeAlias = AsyncIterable[bytes]
"""A request's body: a single pass over its chunks, in the order of arrival."""

Body: TypeAlias = AsyncIterable[bytes]
"""A response's body: each chunk is sent as soon as it is produced."""

Push: TypeAlias = tuple[str, Headers]
"""A path, and the request headers to push it with (RFC 9113, section 8.4)."""

Pushes: TypeAlias = Iterable[Push]
"""What to push, in order, on servers that offer `http.response.push`."""

HttpResponse: TypeAlias = (
    int
    | tuple[int]
    | tuple[int, Headers | None]
    | tuple[int, Headers | None, Body | None]
    | tuple[int, Headers | None, Body | None, Pushes | None]
)
"""What a handler may return: a status, or a tuple without its right-hand parts."""

MIN_STATUS: Final = 200
MAX_STATUS: Final = 599
"""The first and the last status of a final response (RFC 9110, section 15)."""

FullHttpResponse: TypeAlias = tuple[int, Headers, Body | None, Pushes | None]
"""What the next handler gives a middleware: all four parts, headers never None."""

HttpHandler: TypeAlias = Callable[
    [Scope, Info, RouteMatches, Content], Awaitable[HttpResponse]
]
"""Answers a request: `async (scope, info, matches, content)`."""

NextHandler: TypeAlias = Callable[
    [Scope, Info, RouteMatches, Content], Awaitable[FullHttpResponse]
]
"""The handler that a middleware calls: always answers with a full response."""

HttpMiddleware: TypeAlias = Callable[
    [Scope, Info, RouteMatches, Content, NextHandler], Awaitable[HttpResponse]
]
"""Wraps a handler: `async (scope, info, matches, content, handler)`."""

LifespanHandler: TypeAlias = Callable[[Scope, Info, Message], Awaitable[None]]
"""Runs at start-up or shutdown: `async (scope, info, message)`."""


class Route:
    """A path template with what it leads to, as added to a router.

    While a connection that matched it is handled it is `scope["route"]`.

    Attributes:
        path: the template as written: `/users/{id:int}`.
        path_format: the template without types: `/users/{id}`. One value for all
            requests to the route, so it is fit for the label of a metric.
        name: what `url_for` knows it by, or None.
        kind: what it takes: `http`, `websocket`, or, below its path, `mount`.
        methods: of a route for HTTP, in order; empty for the others.
        handler: what it leads to; for a mount an ASGI application.
        chain: the framework's: the middlewares of the last request, whether they
            compare by identity, its handler, and all of them folded into one.
    """

    __slots__ = ("chain", "handler", "kind", "methods", "name", "path", "path_format")

    path: str
    path_format: str
    name: str | None
    kind: Literal["http", "websocket", "mount"]
    methods: tuple[str, ...]
    handler: Callable[..., Awaitable[Any]] | None
    chain: tuple[list[HttpMiddleware], bool, HttpHandler, HttpHandler] | None

    def __init__(
        self,
        path: str,
        path_format: str,
        name: str | None = None,
        *,
        kind: Literal["http", "websocket", "mount"] = "http",
        methods: Iterable[str] = (),
        handler: Callable[..., Awaitable[Any]] | None = None,
    ) -> None:
        self.path = path
        self.path_format = path_format
        self.name = name
        self.kind = kind
        self.methods = tuple(methods)
        self.handler = handler
        self.chain = None

    def __repr__(self) -> str:
        return f"Route({self.path!r}, {self.path_format!r}, {self.name!r})"


class HttpRouter(ABC):
    """Finds the handler for a method and a path.

    Any object with these methods will do: the class is never checked for.
    """

    @property
    @abstractmethod
    def not_found_response(self) -> HttpResponse:
        """The response when no route matches the path. Its body may be used often."""

    @not_found_response.setter
    @abstractmethod
    def not_found_response(self, value: HttpResponse) -> None: ...

    @abstractmethod
    def add(
        self,
        methods: Iterable[str],
        path: str,
        callback: HttpHandler,
        name: str | None = None,
    ) -> None:
        """Route requests with one of the methods and a matching path to the handler."""

    @abstractmethod
    def resolve(self, method: str, path: str) -> tuple[HttpHandler, RouteMatches]:
        """Find the handler and the values of the template's parameters.

        There always is a handler: without a route it is one that answers 404 or 405.
        """

    def find(
        self, method: str, path: str
    ) -> tuple[HttpHandler, RouteMatches, Route | None]:
        """Resolve, and also tell which route matched, or None when none did.

        Routers that know no `Route` leave this as it is.
        """
        handler, matches = self.resolve(method, path)
        return handler, matches, None

    def url_for(self, name: str, /, **params: Any) -> str:
        """Make the path of a named route, percent-encoded (RFC 3986, section 2.1).

        Raises LookupError when there is no such name.
        """
        raise LookupError(f"no route is named {name!r}: this router keeps no names")

    @property
    def routes(self) -> Sequence[Route]:
        """The routes in the order they were added.

        Routers that know no `Route` leave this as it is.
        """
        return ()


class WebSocket(ABC):
    """One WebSocket connection, as its handler has it (RFC 6455).

    The framework makes it; any object with these methods will do in tests. One task may
    receive while others send: what they send goes out whole, in the order of the calls.
    """

    __slots__ = ()

    @abstractmethod
    async def accept(
        self, subprotocol: str | None = None, headers: Headers | None = None
    ) -> None:
        """Accept the connection, before anything is sent or received.

        The subprotocol is one of those that the client offers, which are in
        `scope["subprotocols"]` (RFC 6455, section 4.2.2), or None. The headers go into
        the response to the handshake. Raises WebSocketInternalError for a second call,
        after `close`, when the client has left, and for a subprotocol that was not
        offered; TypeError or ValueError for headers that must not be sent.
        """

    @abstractmethod
    async def receive(self) -> str | bytes | None:
        """Wait for the next message: str for text, bytes for binary.

        Either may be empty. None when the connection is over: then `code` is set, and
        every further call gives None at once. Raises WebSocketInternalError before
        `accept`, and while another call waits.
        """

    @abstractmethod
    async def send(self, content: str | bytes | bytearray | memoryview) -> None:
        """Send a message, text for a str and binary for the others.

        Waits while the client does not read, until it does or has left. Raises
        ValueError for anything else, and WebSocketInternalError before `accept`, after
        `close`, and when the client has left. The last of these need not be caught: it
        ends the handler quietly.
        """

    @abstractmethod
    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close the connection, or refuse it when it was not accepted.

        A refused client gets a 403, whatever the code. Does nothing when the connection
        is over. The code is one that a close frame may carry (RFC 6455, section 7.4),
        and the reason at most 123 bytes of UTF-8, else ValueError is raised.
        """

    @property
    @abstractmethod
    def code(self) -> int | None:
        """The close code when the connection is over, None before.

        It is the one that this side closed with, or the client's; 1005 when the server
        gave none (RFC 6455, section 7.1.5).
        """

    @property
    @abstractmethod
    def reason(self) -> str | None:
        """What was said to the close code, or None (RFC 6455, section 7.1.6)."""

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Receive message after message, until the connection is over."""
        return self

    async def __anext__(self) -> str | bytes:
        message = await self.receive()
        if message is None:
            raise StopAsyncIteration
        return message


WebSocketHandler: TypeAlias = Callable[
    [Scope, Info, RouteMatches, WebSocket], Awaitable[None]
]
"""Serves a connection: `async (scope, info, matches, web_socket)`."""

WebSocketMiddleware: TypeAlias = Callable[
    [Scope, Info, RouteMatches, WebSocket, WebSocketHandler], Awaitable[None]
]
"""Wraps a handler: `async (scope, info, matches, web_socket, handler)`."""


class WebSocketRouter(ABC):
    """Finds the handler for the path of a WebSocket.

    Any object with these methods will do: the class is never checked for.
    """

    @abstractmethod
    def add(self, path: str, callback: WebSocketHandler) -> None:
        """Route connections with a matching path to the handler."""

    @abstractmethod
    def resolve(self, path: str) -> tuple[WebSocketHandler | None, RouteMatches]:
        """Find the handler and the values of the template's parameters.

        The handler is None when no route matches; ValueError and LookupError mean the
        same.
        """

    def find(
        self, path: str
    ) -> tuple[WebSocketHandler | None, RouteMatches, Route | None]:
        """Resolve, and also tell which route matched, or None when none did.

        Routers that know no `Route` leave this as it is.
        """
        handler, matches = self.resolve(path)
        return handler, matches, None

    @property
    def routes(self) -> Sequence[Route]:
        """The routes in the order they were added.

        Routers that know no `Route` leave this as it is.
        """
        return ()


# The older names. They mean the same and stay, so that older programs keep running.
PushResponse: TypeAlias = Push
PushResponses: TypeAlias = Pushes
HttpFullResponse: TypeAlias = FullHttpResponse
HttpRequestCallback: TypeAlias = HttpHandler
HttpChainedCallback: TypeAlias = NextHandler
HttpMiddlewareCallback: TypeAlias = HttpMiddleware
WebSocketRequestCallback: TypeAlias = WebSocketHandler
WebSocketMiddlewareCallback: TypeAlias = WebSocketMiddleware
