"""GraphQL over HTTP: one handler for all that may be asked of the path.

The first that fits answers: the schema's text, an event stream that was reserved,
GraphiQL for a browser, and then GET and POST as the specification says.
"""

from contextlib import AsyncExitStack
from functools import partial

from graphql import print_schema

from bareasgi import (
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    WebSocketHandler,
    after_body,
    text_response,
)
from bareasgi_graphql.accepting import accepted
from bareasgi_graphql.answering import NOT_ACCEPTABLE, Answers
from bareasgi_graphql.errors import RequestError
from bareasgi_graphql.event_stream import EventStreams
from bareasgi_graphql.execution import Engine
from bareasgi_graphql.graphiql import graphiql_file, graphiql_response
from bareasgi_graphql.reading import READING, Reader
from bareasgi_graphql.request import query_fields


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
        reader: Reader,
        answers: Answers,
        *,
        web_socket: WebSocketHandler | None,
        streams: EventStreams | None,
        graphiql: bool,
        introspection: bool,
    ) -> None:
        self.engine: Engine = answers.engine
        self.web_socket: WebSocketHandler | None = web_socket
        self._reader = reader
        self._answers = answers
        self._streams = streams
        self._graphiql = graphiql
        self._sdl = print_schema(self.engine.schema) + "\n" if introspection else None

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
            if client.answer is None and client.parts is None and client.live is None:
                return self._answers.refusal(NOT_ACCEPTABLE, client)
            if not self._reader.takes_files(scope):
                request = await self._reader.read(scope, content)
                return await self._answers.answer(request, client, scope, info, matches)
            async with AsyncExitStack() as files:
                reading = self._reader.read_files(scope, content)
                request = await files.enter_async_context(reading)
                response = await self._answers.answer(
                    request, client, scope, info, matches
                )
                status, headers, body, pushes = response
                # A response that streams needs the files until it is over.
                body = after_body(body, files.pop_all().aclose)
                return status, headers, body, pushes
        except RequestError as error:
            return self._answers.refusal(error, client)

    async def graphiql_file(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        """Answer with a file of GraphiQL, whose name is the match `name`."""
        return graphiql_file(matches["name"], scope)


def _asks_for_sdl(scope: Scope) -> bool:
    return (
        b"sdl" in scope["query_string"]
        and scope["method"] in READING
        and any(name == "sdl" for name, _ in query_fields(scope["query_string"]))
    )
