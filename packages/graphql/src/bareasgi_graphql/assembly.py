"""Puts the parts together that serve a schema."""

import json
from collections.abc import Callable, Iterable, Sequence
from math import inf
from os import PathLike
from typing import Any, Final, cast

from graphql import GraphQLSchema, MiddlewareManager, assert_valid_schema

from bareasgi_graphql.answering import Answers
from bareasgi_graphql.event_stream import EventStreams
from bareasgi_graphql.execution import Engine, MakeContext
from bareasgi_graphql.handler import GraphQL
from bareasgi_graphql.hooks import MakeHook, checked
from bareasgi_graphql.limits import Limits
from bareasgi_graphql.masking import FormatError, Masking
from bareasgi_graphql.reading import Reader
from bareasgi_graphql.request import Dumps, Loads
from bareasgi_graphql.response import HttpStatus
from bareasgi_graphql.trusted import load_documents
from bareasgi_graphql.web_socket import OnConnect, web_socket_handler

DEFAULT_LIMITS: Final = Limits()


def graphql_handler(
    schema: GraphQLSchema | object,
    *,
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
    """Make the handlers for a schema, for routes of your own.

    `schema` is graphql-core's, or an object that holds one as `graphql_schema` or
    `_schema`, as strawberry's does. The result is a handler for HTTP, and has one for
    WebSockets as `web_socket` and one for GraphiQL's files as `graphiql_file`.

    `context` makes what resolvers have as `info.context`, once for each operation;
    without it that is the application's `info`. What it raises ends the operation: over
    HTTP an HttpError is the response. `middleware` wraps the resolvers. `batch` is how
    many operations a request may bring as a JSON list, 0 for no lists; they run one
    after another. Without `introspection` there is no schema to be seen, nor any names
    suggested in errors. `limits` bound what a client may ask for.

    Only what was raised as a GraphQLError is told to clients, all else is logged and
    masked, unless `mask_errors` is False. `format_error` makes the object for each.
    `http_status` is the year of the draft of GraphQL over HTTP that gives the statuses:
    "2026" has 294 for a partial answer and 422 for one that is not valid. `cache` is
    how many documents are kept parsed and validated, of 512 KiB of text together.

    `uploads` has files taken, as the GraphQL multipart request convention sends them:
    then a request may also be `multipart/form-data`. `persisted` is how many documents
    are kept for clients that send their hashes (Apollo's automatic persisted queries),
    0 for none. `documents` is a folder of trusted documents, or a manifest: they are
    parsed and validated here, clients send their ids, as `documentId` or in the
    extension `persistedQuery`, and nothing else is run. No limit of a document holds
    for them.

    `on_connect(scope, info, payload)`, sync or async, sees a WebSocket's
    `connection_init`: a mapping goes into the acknowledgement, False or an HttpError
    closes the socket with 4403. A page of another origin may use sockets and event
    streams only if it is one of `allowed_origins`. `ping_interval` is in seconds, None
    for neither pings nor keep-alive comments.

    `hooks` are classes of `Hook`. Each is called for each operation, and makes what is
    told of it.

    Raises TypeError for a schema that is none or not valid and for options of the wrong
    types, ValueError for values out of range, and DocumentsError, which is one, for
    trusted documents that cannot be read or are not valid.
    """
    if not isinstance(cast(object, limits), Limits):
        raise TypeError(
            f"limits must be a set of them: write Limits(depth=20), not {limits!r}"
        )
    if documents is not None and persisted:
        raise ValueError(
            "with trusted documents no others are kept: leave out persisted"
        )
    engine = Engine(
        _schema(schema),
        limits=limits,
        context=context,
        root_value=root_value,
        middleware=middleware,
        introspection=introspection,
        masking=Masking(
            mask=mask_errors, format_error=format_error, limit=limits.errors
        ),
        cache=_not_negative("cache", cache),
        persisted=_not_negative("persisted", persisted),
        documents=None if documents is None else load_documents(documents),
        hooks=checked(hooks),
    )
    if http_status not in ("2025", "2026"):
        raise ValueError(f"http_status must be '2025' or '2026', not {http_status!r}")
    if isinstance(allowed_origins, str):
        raise TypeError(f"allowed_origins must be a set: write {{{allowed_origins!r}}}")
    origins = frozenset(allowed_origins or ())
    if ping_interval is not None and not 0 < ping_interval < inf:
        raise ValueError(f"ping_interval must be positive, or None: {ping_interval!r}")
    web_socket = streams = None
    if subscriptions:
        web_socket = web_socket_handler(
            engine,
            on_connect=on_connect,
            allowed_origins=origins,
            ping_interval=ping_interval,
            dumps=dumps,
            loads=loads,
        )
        streams = EventStreams(
            engine, allowed_origins=origins, keepalive=ping_interval, dumps=dumps
        )
    reader = Reader(
        limits, uploads=uploads, batch=_not_negative("batch", batch), loads=loads
    )
    answers = Answers(
        engine,
        subscriptions=subscriptions,
        allowed_origins=origins,
        http_status=http_status,
        keepalive=ping_interval,
        dumps=dumps,
    )
    return GraphQL(
        reader,
        answers,
        web_socket=web_socket,
        streams=streams,
        graphiql=graphiql,
        introspection=introspection,
    )


def _schema(schema: object) -> GraphQLSchema:
    """Find the schema of graphql-core, and check it."""
    for candidate in (
        schema,
        getattr(schema, "graphql_schema", None),
        getattr(schema, "_schema", None),
    ):
        if isinstance(candidate, GraphQLSchema):
            assert_valid_schema(candidate)
            return candidate
    raise TypeError(
        f"schema must be a graphql.GraphQLSchema, or have one as 'graphql_schema' or"
        f" '_schema': {schema!r}"
    )


def _not_negative(name: str, value: int) -> int:
    if isinstance(cast(object, value), bool) or not isinstance(
        cast(object, value), int
    ):
        raise TypeError(f"{name} must be an int, not {value!r}")
    if value < 0:
        raise ValueError(f"{name} must not be negative: {value}")
    return value
