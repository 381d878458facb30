"""The client: from a method and a URL to an answer, through middleware to a transport.

The chain is folded once. Outermost are the caller's middlewares, then redirects,
cookies and retries where they are asked for, then the transport.
"""

from collections.abc import Awaitable, Callable, Generator, Sequence
from functools import lru_cache, partial
from http.cookiejar import CookieJar
from types import TracebackType
from typing import Any, Final, Self, cast

from bareasgi import (
    Content,
    FullHttpResponse,
    Headers,
    HttpHandler,
    HttpMiddleware,
    Info,
    NextHandler,
    RouteMatches,
    Scope,
    mw,
)
from bareclient.content import Sendable, as_content, close
from bareclient.fields import request_fields
from bareclient.middleware.cookies import cookies as cookies_middleware
from bareclient.middleware.cookies import make_jar
from bareclient.middleware.redirects import redirects
from bareclient.middleware.retries import retries as retries_middleware
from bareclient.request import last_scope, make_scope
from bareclient.response import Response
from bareclient.settings import DEFAULT_TIMEOUTS, Limits, Timeouts, timeouts
from bareclient.transport.network import NetworkTransport
from bareclient.url import Url, parse_url

MAX_REDIRECTS: Final = 20
"""How many redirects are followed when they are followed."""

_PARSED_URLS: Final = 512


class Client:
    """Sends requests, and keeps connections for the next ones.

    For `async with`, or close it with `aclose`: the transport is closed with it. Only
    `async with` starts up an application in this process (`AsgiTransport`).

    `base_url` is what a relative URL is relative to (RFC 3986, section 5). `headers`
    are sent with each request that does not have its own of that name. `timeout` is
    `Timeouts`, one number of seconds for all four, or None for none. `follow_redirects`
    is False, True for up to 20 of them, or how many. `retries` is how often a request
    that may be made again is made again. `cookies` is True, or a jar to keep them in.
    `middlewares` have the signature of the server's, the first is the outermost; they
    see `scope`, the client's `info`, no matches, the content and the next handler.
    `transport` is a `NetworkTransport`, an `AsgiTransport`, or any handler.

    Bad arguments raise RequestError or ValueError at once.

    Attributes:
        info: what middlewares are given, the very object.
        limits: those that were given, or the default ones.
        timeouts: those of a request without its own.
        cookies: the jar, or None.
        transport: what carries the requests.
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        headers: Headers | None = None,
        timeout: Timeouts | float | None = DEFAULT_TIMEOUTS,
        limits: Limits | None = None,
        follow_redirects: bool | int = False,
        retries: int = 0,
        cookies: bool | CookieJar = False,
        middlewares: Sequence[HttpMiddleware] = (),
        transport: HttpHandler | None = None,
        info: Info | None = None,
    ) -> None:
        if base_url is not None:
            parse_url(base_url)
        self.info: Info = {} if info is None else info
        self.limits: Limits = limits or Limits()
        self.cookies: CookieJar | None = (
            make_jar() if cookies is True else None if cookies is False else cookies
        )
        self._headers = request_fields(headers or [])
        self.timeouts: Timeouts = timeouts(timeout)
        self._parse_url: Callable[[str], Url] = lru_cache(_PARSED_URLS)(
            partial(parse_url, base=base_url)
        )
        self.transport: HttpHandler = transport or NetworkTransport(limits=self.limits)
        chain = [*middlewares]
        if follow_redirects is not False:
            limit = MAX_REDIRECTS if follow_redirects is True else follow_redirects
            chain.append(redirects(limit))
        if self.cookies is not None:
            chain.append(cookies_middleware(self.cookies))
        if retries:
            chain.append(retries_middleware(retries))
        if chain or not isinstance(self.transport, NetworkTransport):
            # What others return may lack its right-hand parts. What a middleware is
            # given never does.
            chain.insert(0, _complete)
        self._handler = cast(NextHandler, mw(*chain, handler=self.transport))

    def request(
        self,
        method: str,
        url: str,
        headers: Headers | None = None,
        content: Sendable = None,
        *,
        timeout: Timeouts | float | None = None,
    ) -> "Call":
        """Make a request, to be awaited or entered.

        `await` gives the answer as soon as its header is there; its body owns the
        connection until it is read or closed. `async with` closes it at the end of the
        block. `content` is bytes, or an async iterable of bytes, such as what a writer
        makes or what a handler is given. `timeout` stands in for the client's.

        Raises RequestError for what cannot be sent, ClientError for what went wrong,
        and what the content raises.
        """
        return Call(partial(self._send, method, url, headers, content, timeout))

    async def aclose(self) -> None:
        """Close the transport, and with it all connections."""
        await close(self.transport)

    async def __aenter__(self) -> Self:
        """Open the transport, where there is something to open."""
        enter = getattr(self.transport, "__aenter__", None)
        if enter is not None:
            await enter()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close everything."""
        await self.aclose()

    async def _send(
        self,
        method: str,
        url: str,
        headers: Headers | None,
        content: Sendable,
        patience: Timeouts | float | None,
    ) -> Response:
        body = as_content(content)
        try:
            scope = make_scope(
                method,
                self._parse_url(url),
                self._fields(headers),
                self.timeouts if patience is None else timeouts(patience),
            )
            answer = await self._handler(scope, self.info, {}, body)
        except BaseException:
            await close(body)
            raise
        return Response(answer, last_scope(scope), self.limits)

    def _fields(self, headers: Headers | None) -> Headers:
        if not headers:
            return self._headers
        fields = request_fields(headers)
        if not self._headers:
            return fields
        names = {name for name, _ in fields}
        return [*(each for each in self._headers if each[0] not in names), *fields]


class Call:
    """A request that is made when it is awaited or entered."""

    __slots__ = ("_response", "_send")

    def __init__(self, send: Callable[[], Awaitable[Response]]) -> None:
        self._send = send

    def __await__(self) -> Generator[Any, None, Response]:
        return self._send().__await__()

    async def __aenter__(self) -> Response:
        """Make the request."""
        self._response = await self._send()
        return self._response

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the answer."""
        await self._response.aclose()


async def _complete(
    scope: Scope,
    info: Info,
    matches: RouteMatches,
    content: Content,
    handler: NextHandler,
) -> FullHttpResponse:
    return await handler(scope, info, matches, content)
