"""Wires a schema to an application."""

import json
from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from typing import Any, Final, cast

from graphql import GraphQLSchema, MiddlewareManager

from bareasgi import (
    Application,
    Content,
    HttpHandler,
    HttpMiddleware,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    mw,
)
from bareasgi_graphql.assembly import DEFAULT_LIMITS, graphql_handler
from bareasgi_graphql.execution import MakeContext
from bareasgi_graphql.graphiql import graphiql_response
from bareasgi_graphql.handler import GraphQL
from bareasgi_graphql.hooks import MakeHook
from bareasgi_graphql.limits import Limits
from bareasgi_graphql.masking import FormatError
from bareasgi_graphql.request import Dumps, Loads
from bareasgi_graphql.response import HttpStatus
from bareasgi_graphql.web_socket import OnConnect

_METHODS: Final = ("GET", "POST")
_STREAM_METHODS: Final = ("GET", "POST", "PUT", "DELETE")


def add_graphql(
    app: Application,
    schema: GraphQLSchema | object,
    *,
    path: str = "/graphql",
    context: MakeContext | None = None,
    root_value: object = None,
    middleware: Sequence[Callable[..., Any]] | MiddlewareManager | None = None,
    graphiql: bool = True,
    subscriptions: bool = True,
    uploads: bool = False,
    batch: int = 0,
    introspection: bool = True,
    limits: Limits = DEFAULT_LIMITS,
    mask_errors: bool = True,
    format_error: FormatError | None = None,
    http_status: HttpStatus = "2025",
    cache: int = 1000,
    persisted: int = 0,
    documents: str | PathLike[str] | None = None,
    on_connect: OnConnect | None = None,
    hooks: Iterable[MakeHook] = (),
    allowed_origins: Iterable[str] | None = None,
    ping_interval: float | None = 10,
    dumps: Dumps = json.dumps,
    loads: Loads = json.loads,
) -> GraphQL:
    """Serve a schema at a path: over HTTP, WebSockets and event streams.

    Everything is at the one path: queries and mutations (GraphQL over HTTP),
    subscriptions by the WebSocket protocols `graphql-transport-ws` and `graphql-ws` and
    by event streams, GraphiQL for a browser, and the schema's text with `?sdl`. The
    options are those of `graphql_handler`. Raises what that raises, and ParseError for
    a path that does not start with a slash.
    """
    graphql = graphql_handler(
        schema,
        context=context,
        root_value=root_value,
        middleware=middleware,
        graphiql=graphiql,
        subscriptions=subscriptions,
        uploads=uploads,
        batch=batch,
        introspection=introspection,
        limits=limits,
        mask_errors=mask_errors,
        format_error=format_error,
        http_status=http_status,
        cache=cache,
        persisted=persisted,
        documents=documents,
        on_connect=on_connect,
        hooks=hooks,
        allowed_origins=allowed_origins,
        ping_interval=ping_interval,
        dumps=dumps,
        loads=loads,
    )
    methods = _STREAM_METHODS if subscriptions else _METHODS
    app.http_router.add(methods, path, graphql)
    if graphiql:
        app.http_router.add({"GET"}, _below(path), graphql.graphiql_file)
    if graphql.web_socket is not None:
        app.ws_router.add(path, graphql.web_socket)
    return graphql


def add_graphql_next(
    app: Application,
    schema: GraphQLSchema | object,
    path_prefix: str = "",
    rest_middleware: HttpMiddleware | None = None,
    view_middleware: HttpMiddleware | None = None,
    graphql_middleware: Sequence[Callable[..., Any]] | MiddlewareManager | None = None,
    ping_interval: float = 10,
) -> GraphQL:
    """Serve a schema at the older paths, for programs that were written for them.

    Below the prefix these are `/graphql`, `/subscriptions` for WebSockets and event
    streams, and `/graphiql`. `rest_middleware` is put around the first two over HTTP,
    `view_middleware` around the third. New programs call `add_graphql`.
    """
    graphql = graphql_handler(
        schema, middleware=graphql_middleware, ping_interval=ping_interval
    )

    async def view(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return graphiql_response("/graphql")

    rest: HttpHandler = graphql
    if rest_middleware is not None:
        rest = mw(rest_middleware, handler=rest)
    page: HttpHandler = view
    if view_middleware is not None:
        page = mw(view_middleware, handler=page)
    for path in (f"{path_prefix}/graphql", f"{path_prefix}/subscriptions"):
        app.http_router.add(_STREAM_METHODS, path, rest)
        app.ws_router.add(path, cast(Any, graphql.web_socket))
        app.http_router.add({"GET"}, _below(path), graphql.graphiql_file)
    app.http_router.add({"GET"}, f"{path_prefix}/graphiql", page)
    return graphql


def _below(path: str) -> str:
    """Give the path of GraphiQL's files."""
    return path.rstrip("/") + "/graphiql/{name}"
