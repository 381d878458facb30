"""Routes HTTP requests by method and path."""

import asyncio
from collections.abc import Iterable, Sequence
from logging import Logger, getLogger
from typing import Any, Final

from bareasgi.basic_router.path_definition import PathDefinition
from bareasgi.basic_router.route_table import RouteTable
from bareasgi.closing import close_body
from bareasgi.streaming import (
    WriterBody,
    bytes_reader,
    bytes_writer,
    text_writer,
)
from bareasgi.types import (
    Body,
    Content,
    Headers,
    HttpHandler,
    HttpResponse,
    HttpRouter,
    Info,
    Pushes,
    Route,
    RouteMatches,
    Scope,
)

logger: Final[Logger] = getLogger(__name__)


class BasicHttpRouter(HttpRouter):
    """The router that an application has unless it is given another one.

    Of the routes that match a request the one added first wins. HEAD is answered by a
    HEAD route, or by the GET route without its body. A path that is routed for other
    methods only is answered with 405 and the methods (RFC 9110, section 15.5.6), and a
    path that is not routed with `not_found_response`.
    """

    def __init__(self, not_found_response: HttpResponse | None = None) -> None:
        self._tables: dict[str, RouteTable[HttpHandler]] = {}
        self._names: dict[str, PathDefinition] = {}
        self._routes: list[Route] = []
        self._not_allowed: dict[tuple[str, ...], HttpHandler] = {}
        self.not_found_response = (
            (404, [(b"content-type", b"text/plain")], text_writer("Not Found"))
            if not_found_response is None
            else not_found_response
        )

    @property
    def not_found_response(self) -> HttpResponse:
        """The response to a path without a route.

        It may be used many times at once: a body that can be read only once is read at
        its first use, and kept.
        """
        return self._not_found_response

    @not_found_response.setter
    def not_found_response(self, value: HttpResponse) -> None:
        self._not_found_response = value
        self._not_found: HttpHandler = _Constant(value).answer

    def add(
        self,
        methods: Iterable[str],
        path: str,
        callback: HttpHandler,
        name: str | None = None,
    ) -> None:
        """Route requests with one of the methods and a matching path to the handler.

        The methods are any iterable of str, in either case. A name makes the route
        known to `url_for`. Raises ParseError for a template that cannot be understood,
        TypeError for an unknown parameter type and for methods that are a plain str,
        and ValueError for no method and for a name that is taken.
        """
        definition = PathDefinition(path)
        upper = _check_methods(methods)
        if not callable(callback):
            raise TypeError(f"the handler of {path!r} is not callable: {callback!r}")
        if name is not None:
            if name in self._names:
                raise ValueError(
                    f"the name {name!r} is taken by {self._names[name].path!r}"
                )
            self._names[name] = definition
        self._add(upper, definition, callback, name)

    def add_route(
        self, method: str, path_definition: PathDefinition, callback: HttpHandler
    ) -> None:
        """Route requests with one method and a matching path to the handler."""
        self._add(_check_methods([method]), path_definition, callback, None)

    def resolve(self, method: str, path: str) -> tuple[HttpHandler, RouteMatches]:
        """Find the handler, which answers 404 or 405 where there is no route."""
        handler, matches, _ = self.find(method, path)
        return handler, matches

    def find(
        self, method: str, path: str
    ) -> tuple[HttpHandler, RouteMatches, Route | None]:
        """Find the handler, and the route that matched, or None."""
        found = None
        table = self._tables.get(method)
        if table is not None:
            # Most paths have no parameters, and need no call to be looked up.
            literal = table.literals.get(path)
            if literal is not None:
                handler, route = literal
                return handler, {}, route
            if table.has_templates:
                found = table.find(path)
        if found is None and method == "HEAD" and "GET" in self._tables:
            found = self._tables["GET"].find(path)
        if found is None:
            return self._miss(method, path), {}, None
        return found

    def url_for(self, name: str, /, **params: Any) -> str:
        """Make the path of a named route, percent-encoded (RFC 3986, section 2.1).

        Raises LookupError when there is no such name, and ValueError when the
        parameters are not those of the template, or a value does not fit.
        """
        definition = self._names.get(name)
        if definition is None:
            raise LookupError(
                f"no route is named {name!r}: the names are {sorted(self._names)}"
            )
        return definition.make(params)

    @property
    def routes(self) -> Sequence[Route]:
        """The routes in the order they were added."""
        return tuple(self._routes)

    def _add(
        self,
        methods: list[str],
        definition: PathDefinition,
        callback: HttpHandler,
        name: str | None,
    ) -> None:
        route = Route(
            definition.path,
            definition.path_format,
            name,
            methods=methods,
            handler=callback,
        )
        self._routes.append(route)
        for method in methods:
            table = self._tables.setdefault(method, RouteTable())
            if not table.add(definition, route, callback):
                logger.warning(
                    "%s %s is never reached: an earlier route matches it",
                    method,
                    definition.path,
                )

    def _miss(self, method: str, path: str) -> HttpHandler:
        logger.debug("no route for %s %r", method, path)
        allowed = [
            other
            for other, table in self._tables.items()
            if other != method and table.find(path) is not None
        ]
        if not allowed:
            return self._not_found
        # Kept, for a preflight comes this way too, and middleware answers in its place.
        methods = tuple(allowed)
        if methods not in self._not_allowed:
            self._not_allowed[methods] = _method_not_allowed(allowed)
        return self._not_allowed[methods]


class _Constant:
    """A response whose body may be sent any number of times."""

    def __init__(self, response: HttpResponse) -> None:
        self._response = response
        self._reading: asyncio.Task[None] | None = None
        self._unread: tuple[int, Headers | None, Body, Pushes | None] | None = None
        match response:
            case (status, headers, body) if body is not None and _is_one_shot(body):
                self._unread = status, headers, body, None
            case (status, headers, body, pushes) if body is not None and _is_one_shot(
                body
            ):
                self._unread = status, headers, body, pushes
            case _:
                pass

    async def answer(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        """Give the response, as the handler that it is."""
        if self._unread is not None:
            # Several requests may be the first. One task reads for all of them, and is
            # not cancelled with any.
            if self._reading is None:
                self._reading = asyncio.create_task(self._read(*self._unread))
            await asyncio.shield(self._reading)
        return self._response

    async def _read(
        self, status: int, headers: Headers | None, body: Body, pushes: Pushes | None
    ) -> None:
        try:
            data = await bytes_reader(body, max_bytes=None)
        finally:
            await close_body(body)
        self._response = status, headers, bytes_writer(data), pushes
        self._unread = None


def _method_not_allowed(allowed: list[str]) -> HttpHandler:
    if "GET" in allowed:
        allowed = [*allowed, "HEAD"]
    allow = ", ".join(sorted(set(allowed))).encode()
    return _Constant(
        (
            405,
            [(b"allow", allow), (b"content-type", b"text/plain")],
            text_writer("Method Not Allowed"),
        )
    ).answer


def _is_one_shot(body: Body) -> bool:
    return hasattr(body, "__anext__") and not isinstance(body, WriterBody)


def _check_methods(methods: Iterable[str]) -> list[str]:
    if isinstance(methods, (str, bytes)):
        raise TypeError(f"methods must be a set: write {{{methods!r}}}")
    upper = sorted({method.upper() for method in methods})
    if not upper:
        raise ValueError("methods must not be empty: write {'GET'}")
    return upper
