"""What an application is made of. Hands each scope to its protocol."""

from collections.abc import (
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    MutableMapping,
)
from functools import partial
from typing import Any, TypeVar, cast

from bareasgi.basic_router import BasicHttpRouter
from bareasgi.http import Find, handle_http
from bareasgi.lifespan import handle_lifespan
from bareasgi.types import (
    HttpHandler,
    HttpMiddleware,
    HttpResponse,
    HttpRouter,
    Info,
    LifespanHandler,
    Scope,
)

_Handler = TypeVar("_Handler", bound=HttpHandler)
_Lifespan = TypeVar("_Lifespan", bound=LifespanHandler)


class Application:
    """An ASGI 3 application.

    The middlewares run around every request, the first outermost. `info` is the
    application's own: the one object is given to every handler. Lists and `info` are
    used themselves, and may be changed at any time, also while serving; a change takes
    effect with the next request. `not_found_response` is for the router that is made
    when none is given.
    """

    def __init__(
        self,
        *,
        middlewares: list[HttpMiddleware] | None = None,
        http_router: HttpRouter | None = None,
        startup_handlers: list[LifespanHandler] | None = None,
        shutdown_handlers: list[LifespanHandler] | None = None,
        not_found_response: HttpResponse | None = None,
        info: MutableMapping[str, Any] | None = None,
    ) -> None:
        self._middlewares = [] if middlewares is None else middlewares
        self._http_router = (
            BasicHttpRouter(not_found_response) if http_router is None else http_router
        )
        self._startup_handlers = [] if startup_handlers is None else startup_handlers
        self._shutdown_handlers = [] if shutdown_handlers is None else shutdown_handlers
        self._info: Info = {} if info is None else info
        # A router of the user's own may be any object, and know nothing of `find`.
        self._find: Find = getattr(
            self._http_router, "find", partial(HttpRouter.find, self._http_router)
        )

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
    def startup_handlers(self) -> list[LifespanHandler]:
        """What runs before the first request, in order."""
        return self._startup_handlers

    @property
    def shutdown_handlers(self) -> list[LifespanHandler]:
        """What runs after the last request, in order."""
        return self._shutdown_handlers

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

    async def __call__(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Serve one connection scope of an ASGI server.

        Raises ValueError for a type of scope that is not known.
        """
        match scope["type"]:
            case "http":
                await handle_http(
                    scope,  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
                    receive,
                    send,
                    self._info,
                    self._find,
                    self._middlewares,
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
