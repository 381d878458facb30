"""Every shape of middleware, and errors."""

import urllib.error
from collections.abc import Iterable
from typing import Any

from bareasgi import (
    Application,
    Content,
    ContentTooLarge,
    FullHttpResponse,
    Headers,
    HttpChainedCallback,
    HttpDisconnectError,
    HttpError,
    HttpFullResponse,
    HttpHandler,
    HttpInternalError,
    HttpMiddleware,
    HttpMiddlewareCallback,
    HttpResponse,
    HttpRouter,
    Info,
    NextHandler,
    ParseError,
    Route,
    RouteMatches,
    Scope,
    error_response,
    mw,
    text_writer,
)
from bareasgi.basic_router import CONVERTERS, BasicHttpRouter
from bareasgi.middleware import mw as same_mw
from bareasgi.testing import checked, http_request, http_stream, lifespan


async def show(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200, None, text_writer("x")


async def add_header(
    scope: Scope,
    info: Info,
    matches: RouteMatches,
    content: Content,
    handler: NextHandler,
) -> HttpResponse:
    status, headers, body, pushes = await handler(scope, info, matches, content)
    return status, [*headers, (b"vary", b"origin")], body, pushes


async def keep(
    scope: Scope,
    info: Info,
    matches: RouteMatches,
    content: Content,
    handler: NextHandler,
) -> FullHttpResponse:
    response: HttpFullResponse = await handler(scope, info, matches, content)
    names: list[bytes] = [name for name, _ in response[1]]
    return response if names else (204, [], None, None)


async def refuse(
    scope: Scope,
    info: Info,
    matches: RouteMatches,
    content: Content,
    handler: HttpChainedCallback,
) -> HttpResponse:
    route: Route | None = scope.get("route")
    if route is None or route.path_format == "/open":
        return 403
    return await handler(scope, info, matches, content)


async def convert(
    scope: Scope,
    info: Info,
    matches: RouteMatches,
    content: Content,
    handler: NextHandler,
) -> HttpResponse:
    try:
        response = await handler(scope, info, matches, content)
    except HttpDisconnectError:
        raise
    except ContentTooLarge as error:
        limit: int = error.max_bytes
        return 413, None, text_writer(str(limit))
    except Exception as error:  # noqa: BLE001 - error_response knows which to take
        response = error_response(error, scope)
    return response


class Limit:
    """A middleware with state."""

    def __init__(self, most: int) -> None:
        self.most = most

    async def __call__(
        self,
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        return await handler(scope, info, matches, content)


middleware: HttpMiddleware = add_header
older: HttpMiddlewareCallback = middleware
app = Application(middlewares=[add_header, keep, refuse, convert, Limit(5)])
app.middlewares.append(Limit(6))
app.middlewares.insert(0, add_header)
app.middlewares[0] = keep
chain: HttpHandler = mw(add_header, Limit(7), handler=show)
app.http_router.add({"GET"}, "/", chain)
app.http_router.add({"GET"}, "/nested", mw(refuse, handler=same_mw(handler=chain)))


# Errors.


async def fail(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    headers: Headers = [(b"x-a", b"1")]
    match matches:
        case {"plain": _}:
            raise HttpError(404)
        case {"text": _}:
            raise HttpError(404, "lost", headers)
        case {"bytes": _}:
            raise HttpError(404, b"lost", {"x-a": "1"})
        case {"stream": _}:
            raise HttpError(404, text_writer("lost"), headers=None)
        case {"internal": _}:
            raise HttpInternalError("twice")
        case _:
            raise ParseError("no")


async def catch(error: HttpError) -> urllib.error.HTTPError:
    return error


# Routers and converters of one's own.


class Router(HttpRouter):
    """A router that answers everything."""

    def __init__(self) -> None:
        self._not_found: HttpResponse = 404

    @property
    def not_found_response(self) -> HttpResponse:
        return self._not_found

    @not_found_response.setter
    def not_found_response(self, value: HttpResponse) -> None:
        self._not_found = value

    def add(
        self,
        methods: Iterable[str],
        path: str,
        callback: HttpHandler,
        name: str | None = None,
    ) -> None:
        pass

    def resolve(self, method: str, path: str) -> tuple[HttpHandler, RouteMatches]:
        return show, {}


own = Application(http_router=Router())
basic = Application(http_router=BasicHttpRouter((404, None, text_writer("x"))))


def to_hex(text: str, _format: str) -> int:
    return int(text, 16)


CONVERTERS["hex"] = to_hex


# Without a server.


async def drive() -> None:
    response = await http_request(app, "GET", "/", headers=[(b"x-a", b"1")])
    status: int = response.status
    names: list[bytes] = [name for name, _ in response.headers]
    value: Any = response.json()
    async with lifespan(app) as state:
        await http_request(checked(app), "POST", "/", content=b"x", scope=state)
    async with http_stream(app, "GET", "/") as stream:
        chunk: bytes = await stream.chunk()
        raise AssertionError(status, names, value, chunk)
