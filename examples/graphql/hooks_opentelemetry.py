"""Traces of operations, for OpenTelemetry.

Each operation has a hook, which makes a span of it by OpenTelemetry's conventions for
GraphQL. Spans that resolvers make are below it, and it is below that of the request, if
there is one. This needs no more than `opentelemetry-api`, and does nothing until there
is an SDK that takes the spans: start it as `opentelemetry-instrument python ...`, or
set a tracer provider of your own.

Run it with `python examples/graphql/hooks_opentelemetry.py` and open
http://127.0.0.1:9009/graphql, where GraphiQL is. Another port is taken from the
environment variable PORT.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from functools import partial

from graphql import DocumentNode, GraphQLError, GraphQLResolveInfo, build_schema
from hypercorn.asyncio import serve
from hypercorn.config import Config
from opentelemetry import context, trace
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer

from bareasgi import Application, Info, Scope
from bareasgi_graphql import GraphQLRequest, Hook, add_graphql

SDL = """
type Query {
  hello(name: String = "World"): String!
  "Fails, to be seen in the trace."
  broken: String
}
"""


class Root:
    """What the fields give."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    async def hello(self, info: GraphQLResolveInfo[Info], name: str) -> str:
        """A greeting, which takes its time."""
        with self._tracer.start_as_current_span("think of a greeting"):
            await asyncio.sleep(0.01)
        return f"Hello, {name}!"

    def broken(self, info: GraphQLResolveInfo[Info]) -> str:
        """No greeting."""
        raise ValueError("nobody must know this but the trace")


class Traced(Hook):
    """Makes a span of one operation."""

    _span: Span

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._outside = context.get_current()

    def started(self, scope: Scope, info: Info, request: GraphQLRequest) -> None:
        """Begins the span, and makes it the parent of those to come."""
        # Neither the document nor its variables: what is in them may be private.
        self._span = self._tracer.start_span("GraphQL Operation", kind=SpanKind.SERVER)
        context.attach(trace.set_span_in_context(self._span))

    def parsed(self, document: DocumentNode) -> None:
        """Notes when the document was parsed, and so that it was not known."""
        self._span.add_event("parsed")

    def validated(self, name: str | None, kind: str) -> None:
        """Tells what it is. The client chooses names: none is in that of the span."""
        self._span.update_name(kind)
        self._span.set_attribute("graphql.operation.type", kind)
        if name is not None:
            self._span.set_attribute("graphql.operation.name", name)

    def executed(self, errors: Sequence[GraphQLError]) -> None:
        """Notes a result, and what went wrong in it."""
        self._span.add_event("executed")
        for error in errors:
            self._span.record_exception(error.original_error or error)

    def ended(self, error: BaseException | None) -> None:
        """Ends the span. That a client left is no error."""
        if isinstance(error, Exception):
            self._span.record_exception(error)
            self._span.set_status(StatusCode.ERROR, str(error))
        self._span.end()
        # A response that streams ends in another task than the one that began it. There
        # a token is not valid; and the span may not be the current one.
        if trace.get_current_span() is self._span:
            context.attach(self._outside)


def make_application(tracer: Tracer) -> Application:
    """Wires the schema, and the spans to where they go."""
    app = Application()
    schema = build_schema(SDL)
    hooks = [partial(Traced, tracer)]
    add_graphql(app, schema, root_value=Root(tracer), hooks=hooks)
    return app


async def main() -> None:
    """Serves until SIGINT or SIGTERM, and ends subscriptions before the server."""
    app = make_application(trace.get_tracer("library"))
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)

    async def stop() -> None:
        await stopping.wait()
        await app.drain()

    config = Config()
    config.bind = [f"127.0.0.1:{os.environ.get('PORT', '9009')}"]
    await serve(app, config, shutdown_trigger=stop)


if __name__ == "__main__":
    asyncio.run(main())
