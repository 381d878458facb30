"""Operations over event streams, by the protocol "GraphQL over Server-Sent Events".

Distinct connections: the response to an operation is a stream of its results. Single
connection: a client reserves a stream, opens it, and asks by further requests for
operations whose results all come in that stream; for browsers, which open no more than
six connections of HTTP/1.1 to a site. Either way each result is an event `next`, and an
event `complete` follows the last one.
"""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import aclosing
from functools import partial
from http import HTTPStatus
from logging import Logger, getLogger
from typing import Final, TypeAlias, cast

from bareasgi import (
    EVENT_STREAM_HEADERS,
    Body,
    Event,
    FullHttpResponse,
    Headers,
    HttpError,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    after_body,
    event_stream,
    same_origin,
    text_response,
)
from bareasgi_graphql.errors import BAD_REQUEST, RequestError, Result
from bareasgi_graphql.execution import Engine
from bareasgi_graphql.masking import MASKED
from bareasgi_graphql.request import Dumps, GraphQLRequest, query_fields
from bareasgi_graphql.reservations import RESERVED_FOR, OperationStream, Reservations
from bareasgi_graphql.response import (
    ANSWERS,
    EVENT_STREAM,
    JSON,
    ResultStream,
    acceptable,
    encoded,
)

logger: Final[Logger] = getLogger(__name__)

ReadRequest: TypeAlias = Callable[[], Awaitable[GraphQLRequest]]
"""Reads the operation that a request asks for."""

KEEP_ALIVE: Final = 15.0
"""Seconds without a result after which a comment is sent."""

# hypercorn keeps the headers back until the body begins, and a client waits for them
# before it asks for operations. Readers drop comments. Not all of them know `retry`.
_OPENING: Final = b":\n\n"

_TOKEN_HEADER: Final = b"x-graphql-event-stream-token"
_TEXT: Final = b"text/plain; charset=utf-8"
_TOKEN_HEADERS: Final[Headers] = [(b"cache-control", b"no-store")]
_RETRY_AFTER: Final[Headers] = [(b"retry-after", b"%d" % RESERVED_FOR)]
_ALLOW: Final[Headers] = [(b"allow", b"DELETE, GET, POST, PUT")]
_ALLOW_POST: Final[Headers] = [(b"allow", b"POST")]


def event_stream_response(
    results: ResultStream,
    *,
    dumps: Dumps = json.dumps,
    keepalive: float | None = KEEP_ALIVE,
) -> FullHttpResponse:
    """Make the response that streams the results of one operation.

    This is the mode of distinct connections: the client leaves to stop the operation,
    which closes the results. They are closed, too, when the response is never sent. An
    operation that cannot be run is one result without `data`, for a browser's
    `EventSource` can read nothing but an event stream.
    """
    status, headers, body = _response(_events(results, dumps), keepalive)
    # Results that never begin may have something to close all the same.
    return status, headers, after_body(body, results.aclose), None


class EventStreams:
    """The mode of a single connection, for all clients of one server.

    A client makes a reservation (PUT) and is given a token, which comes with all that
    it asks for from then on: in the header `x-graphql-event-stream-token`, or as the
    query parameter `token`. It opens the stream (GET), asks for operations (POST), and
    stops them (DELETE). When it leaves, its operations are stopped, their sources are
    closed, and the token is void.

    All of this is in the memory of one process. Where several share the work, all
    requests of a client have to reach the same one; else use distinct connections, or
    WebSockets.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        allowed_origins: Collection[str] = (),
        keepalive: float | None = KEEP_ALIVE,
        dumps: Dumps = json.dumps,
    ) -> None:
        self._engine = engine
        self._allowed_origins = allowed_origins
        self._keepalive = keepalive
        self._dumps = dumps
        self._streams = Reservations(engine.limits)

    def takes(self, scope: Scope) -> bool:
        """Tell whether a request is for `handle`: PUT, DELETE, or one with a token.

        A parameter `token` beside a `query` may be the application's own: it counts if
        there is a stream with this token. Raises RequestError for a query string that
        cannot be decoded.
        """
        if scope["method"] in ("PUT", "DELETE") or _header_token(scope) is not None:
            return True
        # Most requests have no query string, which costs time to take apart.
        if b"token=" not in scope["query_string"]:
            return False
        fields = _fields(scope)
        return "token" in fields and (
            "query" not in fields or self._streams.get(fields["token"]) is not None
        )

    async def handle(
        self, scope: Scope, info: Info, matches: RouteMatches, read: ReadRequest
    ) -> HttpResponse:
        """Answer a request that reserves, opens or uses a stream.

        `read` is called for one that asks for an operation, and what it raises passes
        through. Raises RequestError for an operation that cannot be run, and HttpError
        otherwise: 403 for a page of a foreign origin, 404 for a token that is not
        valid, 405 for other methods, 409 for a stream that is open already and for an
        operation id in use, 429 for a reservation too many.
        """
        if not same_origin(scope, self._allowed_origins):
            raise _error(HTTPStatus.FORBIDDEN, "The origin is not allowed")
        fields = _fields(scope)
        token = _header_token(scope) or fields.get("token", "")
        match scope["method"]:
            case "PUT":
                return self._reserve(scope)
            case "DELETE":
                return await self._stop(token, fields.get("operationId"))
            case "GET" | "POST":
                if _is_opening(scope, fields):
                    return self._open(token)
                return await self._run(scope, info, matches, token, read)
            case _:
                reason = "The method is none of those for event streams"
                raise _error(HTTPStatus.METHOD_NOT_ALLOWED, reason, _ALLOW)

    def _reserve(self, scope: Scope) -> HttpResponse:
        # A token that comes with it is that of a stream which the client just left.
        if acceptable(scope["headers"], [_TEXT]) is None:
            raise _error(HTTPStatus.NOT_ACCEPTABLE, "A token is text/plain")
        new_token = self._streams.reserve()
        if new_token is None:
            reason = "Too many event streams are reserved"
            raise _error(HTTPStatus.TOO_MANY_REQUESTS, reason, _RETRY_AFTER)
        return text_response(HTTPStatus.CREATED, _TOKEN_HEADERS, new_token)

    def _open(self, token: str) -> HttpResponse:
        stream = self._find(token)
        if not self._streams.open(token):
            raise _error(HTTPStatus.CONFLICT, "The event stream is open already")
        status, headers, body = _response(stream.events(), self._keepalive)
        # However the response ends, and even if it never begins.
        return status, headers, after_body(body, partial(self._streams.close, token))

    async def _run(
        self,
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        token: str,
        read: ReadRequest,
    ) -> HttpResponse:
        self._find(token)
        request = await read()
        # The client may have left meanwhile.
        stream = self._find(token)
        identity = (request.extensions or {}).get("operationId")
        if not isinstance(identity, str) or not identity:
            raise RequestError("The extension 'operationId' must be a string")
        if identity in stream:
            raise _error(HTTPStatus.CONFLICT, "The operation id is in use")
        try:
            operation = self._engine.operation(request, scope, info)
        except RequestError as error:
            # As application/json it might be a 200, which clients take for success.
            raise RequestError(error.errors, error.status or BAD_REQUEST) from error
        with operation.hooks:
            if operation.kind == "mutation" and scope["method"] == "GET":
                raise RequestError(
                    "Mutations must be sent by POST", 405, headers=_ALLOW_POST
                )
            if not self._streams.has_room(stream):
                raise RequestError("Too many operations are live")
            results = self._engine.results(operation, scope, info, matches)
            stream.run(identity, _events(results, self._dumps, identity))
            return HTTPStatus.ACCEPTED

    async def _stop(self, token: str, identity: str | None) -> HttpResponse:
        stream = self._find(token)
        if not identity:
            raise _error(HTTPStatus.BAD_REQUEST, "'operationId' is missing")
        await stream.stop(identity)
        return HTTPStatus.OK

    def _find(self, token: str) -> OperationStream:
        stream = self._streams.get(token)
        if stream is None:
            raise _error(HTTPStatus.NOT_FOUND, "There is no such event stream")
        return stream


async def _events(
    results: ResultStream, dumps: Dumps, identity: str | None = None
) -> AsyncGenerator[Event, None]:
    """Make the events of an operation, with its id where a stream has several."""

    def data(result: Result) -> bytes:
        value = result if identity is None else {"id": identity, "payload": result}
        return encoded(value, dumps)

    async with aclosing(results):
        async for result in results:
            try:
                text = data(result)
            except Exception:
                # A resolver gave what cannot be written as JSON.
                logger.exception("a result cannot be sent")
                yield Event(data({"errors": [{"message": MASKED}]}), "next")
                break
            yield Event(text, "next")
    # Browsers drop an event without the field `data`, but not one where it is empty.
    end = b"" if identity is None else encoded({"id": identity}, dumps)
    yield Event(end, "complete")


def _response(
    events: AsyncGenerator[Event, None], keepalive: float | None
) -> tuple[int, Headers, Body]:
    body = event_stream(events, keepalive=keepalive)
    return HTTPStatus.OK, EVENT_STREAM_HEADERS, _after_opening(body)


async def _after_opening(body: Body) -> AsyncGenerator[bytes, None]:
    async with aclosing(cast(AsyncGenerator[bytes, None], body)):
        yield _OPENING
        async for chunk in body:
            yield chunk


def _fields(scope: Scope) -> dict[str, str]:
    return dict(query_fields(scope["query_string"]))


def _header_token(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == _TOKEN_HEADER:
            return cast(bytes, value).decode("latin-1")
    return None


def _is_opening(scope: Scope, fields: dict[str, str]) -> bool:
    """Tell a request that opens the stream from one that asks for an operation.

    It accepts an event stream rather than JSON, or has no operation to ask for.
    """
    if scope["method"] == "GET" and "query" not in fields:
        return acceptable(scope["headers"], [EVENT_STREAM]) is not None
    return acceptable(scope["headers"], [*ANSWERS, EVENT_STREAM]) == EVENT_STREAM


def _error(status: HTTPStatus, message: str, headers: Headers = ()) -> HttpError:
    """Make the answer to a client that breaks the protocol: an error of GraphQL."""
    text = json.dumps({"errors": [{"message": message}]})
    return HttpError(status, text, [(b"content-type", JSON), *headers])
