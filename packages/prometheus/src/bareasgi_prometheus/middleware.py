"""Measures requests and WebSockets: what comes in here is counted when it is over."""

import sys
from collections.abc import Callable
from operator import attrgetter
from time import perf_counter
from typing import Final, Protocol, Unpack, cast
from urllib.error import HTTPError

from prometheus_client import CollectorRegistry

from bareasgi import (
    Body,
    Content,
    FullHttpResponse,
    Headers,
    HttpMiddleware,
    HttpResponse,
    Info,
    NextHandler,
    RouteMatches,
    Scope,
    WebSocket,
    WebSocketHandler,
    WebSocketMiddleware,
    after_body,
    bytes_writer,
    error_response,
    with_path,
    with_trailers,
)
from bareasgi_prometheus.exchange import (
    CONTENT_LENGTH,
    LEFT,
    Exchange,
    ObservedBody,
    content_length,
)
from bareasgi_prometheus.labels import NO_STATUS
from bareasgi_prometheus.metrics import Metrics
from bareasgi_prometheus.naming import CANCELLED, COMPLETE, FAILED
from bareasgi_prometheus.options import MetricsOptions

_WITHOUT_CONTENT: Final = frozenset({204, 304})
_PATHSEND: Final = "http.response.pathsend"


class _Decorated(Protocol):
    path: str | None
    trailers: Callable[[], Headers] | None


_data: Final[Callable[[object], bytes]] = attrgetter("data")

# The classes of what the core makes: bytes in memory, and what has a path or trailers.
_KNOWN: Final[type] = type(bytes_writer(b""))
_DECORATED: Final[type] = type(with_path(bytes_writer(b""), "/"))


def metrics_middleware(
    registry: CollectorRegistry | Metrics, **options: Unpack[MetricsOptions]
) -> HttpMiddleware:
    """Make the middleware that measures requests.

    Its metrics are added to the registry; the options, and what is raised, are those of
    Metrics. To measure several routes, or WebSockets too, into one registry, make
    Metrics once, and give that in its place. An exception is answered here, with
    `error_response`, so that its answer is measured too.
    """
    if not isinstance(registry, Metrics):
        metrics = Metrics(registry, **options)
    elif options:
        raise TypeError(f"give Metrics, or options, not both: {sorted(options)}")
    else:
        metrics = registry

    async def measure(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        started = perf_counter()
        requests = metrics.requests(scope)
        if requests is None:
            return await handler(scope, info, matches, content)
        requests.in_progress.inc()
        outcome = COMPLETE
        try:
            try:
                response = await handler(scope, info, matches, content)
            except Exception as error:  # noqa: BLE001 - whatever it is gets an answer
                if not isinstance(error, HTTPError):
                    outcome = FAILED
                response = error_response(error, scope)
        except BaseException:
            # The client has left, or the server ends: there is no answer.
            Exchange(requests, scope, NO_STATUS, started, CANCELLED).over()
            raise
        status, headers, body, pushes = response
        if body is None or type(body) is _KNOWN:
            has_content = status not in _WITHOUT_CONTENT and scope["method"] != "HEAD"
            size = len(_data(body)) if has_content and body is not None else 0
            exchange = Exchange(requests, scope, status, started, outcome, size)
            return status, headers, after_body(body, exchange.over), pushes
        exchange = Exchange(requests, scope, status, started, outcome)
        return (
            status,
            headers,
            _observed(body, exchange, _unread(scope, response)),
            pushes,
        )

    return measure


def web_socket_metrics_middleware(metrics: Metrics) -> WebSocketMiddleware:
    """Make the middleware that measures WebSockets, for `app.ws_middlewares`."""

    async def measure(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        web_socket: WebSocket,
        handler: WebSocketHandler,
    ) -> None:
        sockets = metrics.web_sockets(scope)
        if sockets is None:
            await handler(scope, info, matches, web_socket)
            return
        sockets.inc()
        try:
            await handler(scope, info, matches, web_socket)
        finally:
            sockets.dec()

    return measure


def _observed(body: Body, exchange: Exchange, unread: int | None) -> Body:
    """Put around a stream what counts its chunks, and keep what it is decorated with.

    `unread` is how many bytes are sent if it is not iterated; None means that there is
    something wrong then.
    """
    stream = ObservedBody(body, exchange)

    def over() -> None:
        if not stream.is_complete and sys.exception() is None:
            if unread is None:
                # The application is drained, and has sent something else.
                exchange.outcome = CANCELLED
            else:
                exchange.size = unread
        exchange.over(LEFT)

    observed: Body = stream
    if type(body) is _DECORATED:
        decorated = cast(_Decorated, body)
        if decorated.trailers is not None:
            observed = with_trailers(observed, decorated.trailers)
        if decorated.path is not None:
            observed = with_path(observed, decorated.path)
    return after_body(observed, over)


def _unread(scope: Scope, response: FullHttpResponse) -> int | None:
    """Tell how many bytes are sent of a body that is not iterated, or None.

    HEAD, 204 and 304 send none of it, and a server may send a file by itself. None
    means that it is always iterated.
    """
    status, headers, body, _ = response
    if scope["method"] == "HEAD" or status in _WITHOUT_CONTENT:
        return 0
    if type(body) is not _DECORATED or cast(_Decorated, body).path is None:
        return None
    if _PATHSEND not in (scope.get("extensions") or ()):
        return None
    lengths = [value for name, value in headers if name == CONTENT_LENGTH]
    return (content_length(lengths[0]) or 0) if lengths else 0
