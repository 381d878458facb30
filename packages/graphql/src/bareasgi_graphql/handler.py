"""GraphQL over HTTP: one handler for all that may be asked of the path.

The first that fits answers: the schema's text, an event stream that was reserved,
GraphiQL for a browser, and then GET and POST as the specification says.
"""

from collections.abc import AsyncGenerator, Iterable
from functools import partial
from typing import Final

from graphql import print_schema

from bareasgi import (
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    WebSocketHandler,
    same_origin,
    text_response,
)
from bareasgi_graphql.errors import RequestError, Result
from bareasgi_graphql.event_stream import EventStreams, event_stream_response
from bareasgi_graphql.execution import Engine, Operation
from bareasgi_graphql.graphiql import graphiql_file, graphiql_response
from bareasgi_graphql.reading import READING, Reader
from bareasgi_graphql.request import Dumps, GraphQLRequest, query_fields
from bareasgi_graphql.response import (
    ANSWERS,
    EVENT_STREAM,
    JSON,
    Accepted,
    HttpStatus,
    accepted,
    json_response,
    refusal_response,
)

_NOT_ACCEPTABLE: Final = RequestError(
    "Nothing but these types can be sent: "
    + b", ".join((*ANSWERS, EVENT_STREAM)).decode("ascii"),
    406,
)


class GraphQL:
    """A GraphQL server: what `add_graphql` gives, and adds to the routers.

    It is a handler for HTTP itself, for GET and POST, and for PUT and DELETE when it
    has subscriptions.

    Attributes:
        engine: the schema and how it is run.
        web_socket: the handler for WebSockets, None without subscriptions.
    """

    def __init__(
        self,
        engine: Engine,
        reader: Reader,
        *,
        web_socket: WebSocketHandler | None,
        streams: EventStreams | None,
        allowed_origins: Iterable[str],
        graphiql: bool,
        introspection: bool,
        http_status: HttpStatus,
        keepalive: float | None,
        dumps: Dumps,
    ) -> None:
        self.engine: Engine = engine
        self.web_socket: WebSocketHandler | None = web_socket
        self._reader = reader
        self._streams = streams
        self._allowed_origins = allowed_origins
        self._graphiql = graphiql
        self._sdl = print_schema(engine.schema) + "\n" if introspection else None
        self._http_status: HttpStatus = http_status
        self._keepalive = keepalive
        self._dumps = dumps

    async def __call__(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        """Answer a request."""
        client = accepted(scope["headers"])
        try:
            if self._sdl is not None and _asks_for_sdl(scope):
                return text_response(200, None, self._sdl)
            if self._streams is not None and self._streams.takes(scope):
                read = partial(self._reader.read_one, scope, content)
                return await self._streams.handle(scope, info, matches, read)
            if client.prefers_html and self._graphiql and scope["method"] in READING:
                return graphiql_response(scope["path"])
            if client.answer is None and not client.has_streams:
                return self._refuse(_NOT_ACCEPTABLE, client)
            request = await self._reader.read(scope, content)
            if isinstance(request, list):
                return await self._run_batch(request, client, scope, info, matches)
            operation = self.engine.operation(request)
            if operation.kind == "subscription" or client.answer is None:
                return self._stream(operation, client, scope, info, matches)
            _check_method(operation, scope)
            result = await self.engine.result(operation, scope, info, matches)
            return json_response(result, self._dumps, client.answer, self._http_status)
        except RequestError as error:
            return self._refuse(error, client)

    async def graphiql_file(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        """Answer with a file of GraphiQL, whose name is the match `name`."""
        return graphiql_file(matches["name"], scope)

    def _stream(
        self,
        operation: Operation,
        client: Accepted,
        scope: Scope,
        info: Info,
        matches: RouteMatches,
    ) -> HttpResponse:
        """Answer with the results as they come."""
        if self._streams is None:
            raise RequestError("Subscriptions are not served")
        if not client.has_streams:
            raise RequestError("A subscription needs accept: text/event-stream", 406)
        if not same_origin(scope, self._allowed_origins):
            raise RequestError("The origin is not allowed", 403)
        _check_method(operation, scope)
        return event_stream_response(
            self.engine.results(operation, scope, info, matches),
            dumps=self._dumps,
            keepalive=self._keepalive,
        )

    async def _run_batch(
        self,
        requests: list[GraphQLRequest],
        client: Accepted,
        scope: Scope,
        info: Info,
        matches: RouteMatches,
    ) -> HttpResponse:
        """Run operations one after another, since later ones may build on earlier."""
        if client.answer is None:
            raise RequestError("A batch needs accept: application/json", 406)
        results: list[Result] = []
        for request in requests:
            try:
                operation = _not_live(self.engine.operation(request))
                result = await self.engine.result(operation, scope, info, matches)
            except RequestError as error:
                result = self.engine.refusal(error)
            results.append(result)
        return json_response(results, self._dumps, client.answer, self._http_status)

    def _refuse(self, error: RequestError, client: Accepted) -> HttpResponse:
        result = self.engine.refusal(error)
        if error.status is None and client.answer is None:
            # A browser's EventSource can read nothing else.
            return event_stream_response(
                _only(result), dumps=self._dumps, keepalive=self._keepalive
            )
        return refusal_response(
            error, result, self._dumps, client.answer or JSON, self._http_status
        )


def _asks_for_sdl(scope: Scope) -> bool:
    return (
        b"sdl" in scope["query_string"]
        and scope["method"] in READING
        and any(name == "sdl" for name, _ in query_fields(scope["query_string"]))
    )


def _check_method(operation: Operation, scope: Scope) -> None:
    """Refuse to change anything for a link or a picture (RFC 9110, section 9.2.1)."""
    if operation.kind == "mutation" and scope["method"] in READING:
        raise RequestError(
            "Mutations must be sent by POST", 405, headers=[(b"allow", b"POST")]
        )


def _not_live(operation: Operation) -> Operation:
    if operation.kind == "subscription":
        raise RequestError("A batch cannot have subscriptions")
    return operation


async def _only(result: Result) -> AsyncGenerator[Result, None]:
    yield result
