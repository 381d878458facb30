"""Folds middleware and a handler into one handler, and keeps the result.

`mw(a, b, handler=h)` calls a, which calls b, which calls h. What each of them is given
as its next handler answers with a full response, whatever the inner one returned.
"""

import reprlib
from collections.abc import AsyncIterable, Awaitable, Sequence
from operator import is_
from typing import Final, cast

from bareasgi.errors import ResponseTypeError
from bareasgi.streaming import BufferedBody
from bareasgi.types import (
    MAX_STATUS,
    MIN_STATUS,
    Body,
    Content,
    FullHttpResponse,
    Header,
    HttpHandler,
    HttpMiddleware,
    HttpResponse,
    Info,
    NextHandler,
    Route,
    RouteMatches,
    Scope,
)

_BY_IDENTITY: Final[object] = object.__eq__


def mw(*middlewares: HttpMiddleware, handler: HttpHandler) -> HttpHandler:
    """Wrap a handler in middlewares, the first outermost.

    The result is a handler, for one route or for several. Each middleware is called
    with five positional arguments; the last is the next handler.
    """
    source: object = handler
    for middleware in reversed(middlewares):
        handler = _link(middleware, _complete(handler, source))
        source = middleware
    return handler


def chain(
    middlewares: Sequence[HttpMiddleware], handler: HttpHandler, route: Route | None
) -> HttpHandler:
    """Give the handler in its middlewares, folded anew only after they changed.

    The list belongs to the application's author, who may change it at any time. So the
    chain is kept with what it was made of. Where no route matched it is made each time.
    """
    if route is not None and route.chain is not None:
        folded, is_plain, inner, chained = route.chain
        # To compare lists looks at identity first, and is fast. Only what has an
        # `__eq__` of its own may be equal to something else, and is looked at again.
        if (
            inner is handler
            and folded == middlewares
            and (is_plain or all(map(is_, folded, middlewares)))
        ):
            return chained
    chained = mw(*middlewares, handler=handler)
    if route is not None:
        is_plain = all(type(each).__eq__ is _BY_IDENTITY for each in middlewares)
        route.chain = ([*middlewares], is_plain, handler, chained)
    return chained


def full_response(response: HttpResponse, source: object) -> FullHttpResponse:
    """Complete what a handler or a middleware returned, and check its shape.

    Raises ResponseTypeError, naming the source, for what is not a response.
    """
    if type(response) is not tuple:
        response = _as_tuple(response, source)
    match response:
        case (status, headers, body, pushes) if (
            type(status) is int
            and MIN_STATUS <= status <= MAX_STATUS
            and headers is not None
            and headers.__class__ is list
            and type(body) is BufferedBody
        ):
            # Whole already, as most are that pass a middleware.
            return status, headers, body, pushes
        case (status, headers, body):
            pushes = None
        case (status, headers, body, pushes):
            pass
        case (status, headers):
            body = pushes = None
        case (status,):
            headers = body = pushes = None
        case _:
            raise _nonsense(source, "one to four values", response)
    if type(status) is not int:
        # An IntEnum is one too, and servers want it plain.
        status = _to_int(status, source, body)
    if not MIN_STATUS <= status <= MAX_STATUS:
        raise _nonsense(source, "a status from 200 to 599", status, body)
    if headers is None:
        headers = list[Header]()
    elif headers.__class__ is not list:
        _check_sequence(headers, source, body)
    if body is not None and type(body) is not BufferedBody:
        _check_iterable(body, source)
    return status, headers, body, pushes


def _as_tuple(response: object, source: object) -> HttpResponse:
    if isinstance(response, int):
        return (response,)
    if isinstance(response, tuple):
        return cast(HttpResponse, (*cast(tuple[object, ...], response),))
    raise _nonsense(source, "a status, or a tuple that begins with one", response)


def _to_int(status: object, source: object, body: Body | None) -> int:
    if not isinstance(status, int):
        raise _nonsense(source, "an int as the status", status, body)
    return int(status)


def _check_sequence(headers: object, source: object, body: Body | None) -> None:
    if not isinstance(headers, Sequence) or isinstance(headers, (str, bytes)):
        wanted = "a list of pairs of bytes as the headers"
        raise _nonsense(source, wanted, headers, body)


def _check_iterable(body: object, source: object) -> None:
    if not hasattr(body, "__aiter__"):
        wanted = "an async iterable of bytes as the body, such as text_writer('text')"
        raise _nonsense(source, wanted, body)


def _nonsense(
    source: object, wanted: str, found: object, body: Body | None = None
) -> ResponseTypeError:
    text = reprlib.repr(found)
    if body is None and isinstance(found, (tuple, list)):
        # Wherever it stands, it must be closed.
        for part in cast(Sequence[object], found):
            if isinstance(part, AsyncIterable):
                body = cast(Body, part)
    source = getattr(source, "__wrapped__", source)
    name = getattr(source, "__qualname__", None) or repr(source)
    module = getattr(source, "__module__", None)
    return ResponseTypeError(f"{module}.{name} must return {wanted}, not {text}", body)


def _link(middleware: HttpMiddleware, handler: NextHandler) -> HttpHandler:
    def call(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> Awaitable[HttpResponse]:
        return middleware(scope, info, matches, content, handler)

    # For the errors that tell who returned nonsense.
    call.__wrapped__ = middleware  # type: ignore[attr-defined] # pyright: ignore[reportFunctionMemberAccess]
    return call


def _complete(handler: HttpHandler, source: object) -> NextHandler:
    async def call(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> FullHttpResponse:
        response = await handler(scope, info, matches, content)
        return full_response(response, source)

    return call
