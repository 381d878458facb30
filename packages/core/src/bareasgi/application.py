"""What an application is made of. Hands each scope to its protocol."""

from collections.abc import (
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    MutableMapping,
    Sequence,
)
from functools import partial
from typing import Any, TypeAlias, TypeVar, cast

from bareasgi.basic_router import BasicHttpRouter, BasicWebSocketRouter
from bareasgi.extensions import offer_hints
from bareasgi.http import Find, handle_http
from bareasgi.lifespan import handle_lifespan
from bareasgi.mount import check_mount, find_mount, mounted_scope, path_below_root
from bareasgi.running import Running
from bareasgi.types import (
    HttpHandler,
    HttpMiddleware,
    HttpResponse,
    HttpRouter,
    Info,
    LifespanHandler,
    Route,
    Scope,
    WebSocketHandler,
    WebSocketMiddleware,
    WebSocketRouter,
)
from bareasgi.websocket import FindSocket, handle_websocket

ASGIApplication: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
"""Any application of ASGI 3, however narrowly it types scope, receive and send."""

_Handler = TypeVar("_Handler", bound=HttpHandler)
_Lifespan = TypeVar("_Lifespan", bound=LifespanHandler)
_Socket = TypeVar("_Socket", bound=WebSocketHandler)


class Application:
    """An ASGI 3 application.

    The middlewares run around every request, the first outermost, and `ws_middlewares`
    around every WebSocket. `info` is the application's own: the one object is given to
    every handler. Lists and `info` are used themselves, and may be changed at any time,
    also while serving; a change takes effect with the next request.
    `not_found_response` is for the router that is made when none is given.
    `web_socket_router` is another name for `ws_router`; to give both is a TypeError.
    """

    def __init__(
        self,
        *,
        middlewares: list[HttpMiddleware] | None = None,
        http_router: HttpRouter | None = None,
        ws_router: WebSocketRouter | None = None,
        startup_handlers: list[LifespanHandler] | None = None,
        shutdown_handlers: list[LifespanHandler] | None = None,
        not_found_response: HttpResponse | None = None,
        info: MutableMapping[str, Any] | None = None,
        ws_middlewares: list[WebSocketMiddleware] | None = None,
        web_socket_router: WebSocketRouter | None = None,
    ) -> None:
        if ws_router is None:
            ws_router = web_socket_router
        elif web_socket_router is not None:
            raise TypeError("ws_router and web_socket_router are one: give either")
        self._middlewares = [] if middlewares is None else middlewares
        self._http_router = (
            BasicHttpRouter(not_found_response) if http_router is None else http_router
        )
        self._ws_middlewares = [] if ws_middlewares is None else ws_middlewares
        self._ws_router = BasicWebSocketRouter() if ws_router is None else ws_router
        self._startup_handlers = [] if startup_handlers is None else startup_handlers
        self._shutdown_handlers = [] if shutdown_handlers is None else shutdown_handlers
        self._info: Info = {} if info is None else info
        # A router of the user's own may be any object, and know nothing of `find`.
        self._find: Find = getattr(
            self._http_router, "find", partial(HttpRouter.find, self._http_router)
        )
        self._find_socket: FindSocket = getattr(
            self._ws_router, "find", partial(WebSocketRouter.find, self._ws_router)
        )
        self._mounts: list[Route] = []
        self._running = Running()

    @property
    def info(self) -> Info:
        """The application's own data."""
        return self._info

    @property
    def middlewares(self) -> list[HttpMiddleware]:
        """The middlewares, the first outermost."""
        return self._middlewares

    @property
    def http_router(self) -> HttpRouter:
        """The router for HTTP requests."""
        return self._http_router

    @property
    def ws_router(self) -> WebSocketRouter:
        """The router for WebSockets."""
        return self._ws_router

    @property
    def ws_middlewares(self) -> list[WebSocketMiddleware]:
        """The middlewares around WebSockets, the first outermost."""
        return self._ws_middlewares

    @property
    def startup_handlers(self) -> list[LifespanHandler]:
        """What runs before the first request, in order."""
        return self._startup_handlers

    @property
    def shutdown_handlers(self) -> list[LifespanHandler]:
        """What runs after the last request, in order."""
        return self._shutdown_handlers

    @property
    def routes(self) -> Sequence[Route]:
        """The routes for HTTP, those for WebSockets, and the mounted applications.

        Each kind is in the order of adding. A router of the user's own may not tell.
        """
        return (
            *getattr(self._http_router, "routes", ()),
            *getattr(self._ws_router, "routes", ()),
            *self._mounts,
        )

    @property
    def is_draining(self) -> bool:
        """Whether `drain` was called, for a readiness probe to tell."""
        return self._running.is_draining

    def on_http_request(
        self, methods: Iterable[str], path: str, name: str | None = None
    ) -> Callable[[_Handler], _Handler]:
        """Route requests to the decorated handler, as `http_router.add` does."""

        def add(handler: _Handler) -> _Handler:
            if name is None:
                # Routers of the user's own may know no names.
                self._http_router.add(methods, path, handler)
            else:
                self._http_router.add(methods, path, handler, name)
            return handler

        return add

    def on_ws_request(self, path: str) -> Callable[[_Socket], _Socket]:
        """Route WebSockets to the decorated handler, as `ws_router.add` does."""

        def add(handler: _Socket) -> _Socket:
            self._ws_router.add(path, handler)
            return handler

        return add

    def on_startup(self, handler: _Lifespan) -> _Lifespan:
        """Run the decorated handler at start-up, after those added before."""
        self._startup_handlers.append(handler)
        return handler

    def on_shutdown(self, handler: _Lifespan) -> _Lifespan:
        """Run the decorated handler at shutdown, after those added before."""
        self._shutdown_handlers.append(handler)
        return handler

    def url_for(self, name: str, /, **params: Any) -> str:
        """Make the path of a named route, percent-encoded (RFC 3986, section 2.1).

        Raises LookupError when there is no such name, and ValueError when the
        parameters are not those of the template, or a value does not fit.
        """
        return self._http_router.url_for(name, **params)

    def mount(self, path: str, asgi_app: ASGIApplication) -> None:
        """Hand all that is below a path to another ASGI application.

        That goes for HTTP and WebSockets. They do not pass our middlewares, and our
        routes below the path are not reached; of several mounts the nearest wins. The
        application finds the path in its `root_path`, and `path` as it was (ASGI 3,
        HTTP connection scope). Lifespan events are not forwarded. Raises ParseError for
        a path that does not start with a slash or that ends with one, for parameters in
        it, and ValueError for a path that is taken.
        """
        check_mount(path, asgi_app, self._mounts)
        self._mounts.append(Route(path, path, kind="mount", handler=asgi_app))

    async def drain(self, timeout: float = 5.0) -> bool:  # noqa: ASYNC109 - in seconds
        """End what would go on for ever, so that the server can end.

        Streams that have begun are cancelled and cut, and WebSockets are cancelled and
        closed with 1001 (RFC 6455, section 7.4.1). From now on new streams and sockets
        are refused with 503. Other requests are answered as ever. Waits until all have
        ended, or for `timeout` seconds, and tells whether they have.
        """
        return await self._running.drain(timeout)

    async def __call__(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Serve one connection scope of an ASGI server.

        Raises ValueError for a type of scope that is not known.
        """
        kind = scope["type"]
        if self._mounts and kind in ("http", "websocket"):
            mount = find_mount(self._mounts, path_below_root(cast(Scope, scope)))
            if mount is not None and mount.handler is not None:
                below = mounted_scope(cast(Scope, scope), mount)
                await mount.handler(below, receive, send)
                return
        match kind:
            case "http":
                if scope.get("extensions"):
                    offer_hints(cast(Scope, scope), send)
                await handle_http(
                    scope,  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
                    receive,
                    send,
                    self._info,
                    self._find,
                    self._middlewares,
                    self._running,
                )
            case "websocket":
                await handle_websocket(
                    cast(Scope, scope),
                    receive,
                    send,
                    self._info,
                    self._find_socket,
                    self._ws_middlewares,
                    self._running,
                )
            case "lifespan":
                await handle_lifespan(
                    cast(Scope, scope),
                    receive,
                    send,
                    self._info,
                    self._startup_handlers,
                    self._shutdown_handlers,
                )
            case unknown:
                raise ValueError(f"the scope has the unknown type {unknown!r}")
