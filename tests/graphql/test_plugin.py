"""Wiring: what is added to an application, and mistakes that are told of at once."""

from types import SimpleNamespace
from typing import Any

import pytest
from graphql import GraphQLSchema, build_schema

import bareasgi_graphql
from bareasgi import (
    Application,
    Content,
    HttpHandler,
    HttpResponse,
    Info,
    NextHandler,
    ParseError,
    RouteMatches,
    Scope,
)
from bareasgi.testing import http_request, web_socket
from bareasgi_graphql import Limits, add_graphql, add_graphql_next, graphql_handler

SCHEMA = build_schema("type Query { hello: String } type Subscription { a: Int }")
MODERN = "graphql-transport-ws"


def test_the_public_names_are_those_of_the_documentation() -> None:
    assert sorted(bareasgi_graphql.__all__) == [
        "DataLoader",
        "DocumentsError",
        "GraphQL",
        "GraphQLRequest",
        "GraphQLUpload",
        "Hook",
        "Limits",
        "Upload",
        "add_graphql",
        "add_graphql_next",
        "graphql_handler",
    ]


def test_what_is_added_is_routes_and_nothing_else() -> None:
    app = Application()
    graphql = add_graphql(app, SCHEMA)
    routes = {(route.kind, route.path): route.methods for route in app.routes}
    assert {kind: sorted(methods) for kind, methods in routes.items()} == {
        ("http", "/graphql"): ["DELETE", "GET", "POST", "PUT"],
        ("http", "/graphql/graphiql/{name}"): ["GET"],
        ("websocket", "/graphql"): [],
    }
    assert not app.middlewares
    assert not app.info
    assert not app.startup_handlers
    assert not app.shutdown_handlers
    assert graphql.engine.schema is SCHEMA


def test_what_is_not_wanted_is_not_added() -> None:
    app = Application()
    add_graphql(app, SCHEMA, graphiql=False, subscriptions=False)
    assert [sorted(route.methods) for route in app.routes] == [["GET", "POST"]]


@pytest.mark.parametrize("name", ["graphql_schema", "_schema"])
def test_a_schema_may_be_held_by_another_object(name: str) -> None:
    graphql = graphql_handler(SimpleNamespace(**{name: SCHEMA}))
    assert graphql.engine.schema is SCHEMA


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("type Query { a: Int }", "GraphQLSchema"),
        (None, "GraphQLSchema"),
        (SimpleNamespace(_schema=1), "GraphQLSchema"),
        (GraphQLSchema(), "Query root type must be provided"),
    ],
)
def test_what_is_no_schema_is_refused(schema: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        add_graphql(Application(), schema)


@pytest.mark.parametrize("path", ["graphql", ""])
def test_a_path_needs_its_slash(path: str) -> None:
    app = Application()
    with pytest.raises(ParseError, match="/"):
        add_graphql(app, SCHEMA, path=path)
    assert not app.routes


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"batch": -1}, ValueError, "batch must not be negative: -1"),
        ({"batch": True}, TypeError, "batch must be an int"),
        ({"cache": -1}, ValueError, "cache must not be negative: -1"),
        ({"cache": "many"}, TypeError, "cache must be an int, not 'many'"),
        ({"http_status": "2024"}, ValueError, "'2025' or '2026', not '2024'"),
        ({"http_status": 2025}, ValueError, "'2025' or '2026', not 2025"),
        ({"allowed_origins": "https://a.example"}, TypeError, "write {'https:"),
        ({"ping_interval": 0}, ValueError, "ping_interval must be positive"),
        ({"ping_interval": float("inf")}, ValueError, "must be positive, or None"),
        ({"ping_interval": -1.0}, ValueError, "ping_interval must be positive"),
        ({"limits": {"depth": 3}}, TypeError, "write Limits"),
        ({"limit": Limits()}, TypeError, "limit"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        add_graphql(Application(), SCHEMA, **options)


async def test_two_applications_do_not_meet() -> None:
    first, second = Application(), Application()
    add_graphql(first, SCHEMA, root_value={"hello": "first"})
    add_graphql(second, SCHEMA, root_value={"hello": "second"})
    for app, expected in ((first, b"first"), (second, b"second"), (first, b"first")):
        response = await http_request(app, "GET", "/graphql?query={hello}")
        assert expected in response.body


async def test_the_older_paths_are_served_below_the_prefix() -> None:
    app = Application()
    add_graphql_next(app, SCHEMA, "/api")
    page = await http_request(
        app, "GET", "/api/graphiql", headers=[(b"accept", b"text/html")]
    )
    assert b'"./graphql/graphiql/start.js"' in page.body
    for path in ("/api/graphql", "/api/subscriptions"):
        response = await http_request(app, "GET", f"{path}?query={{hello}}")
        assert response.body == b'{"data": {"hello": null}}'
        response = await http_request(app, "GET", f"{path}/graphiql/start.js")
        assert response.status == 200
        async with web_socket(app, path, subprotocols=[MODERN]) as socket:
            assert socket.subprotocol == MODERN


async def test_the_older_function_takes_middleware_for_each_part() -> None:
    def marking(mark: bytes) -> Any:
        async def middleware(
            scope: Scope,
            info: Info,
            matches: RouteMatches,
            content: Content,
            handler: NextHandler,
        ) -> HttpResponse:
            status, headers, body, pushes = await handler(scope, info, matches, content)
            return status, [*headers, (b"x-mark", mark)], body, pushes

        return middleware

    def shout(resolve: Any, source: object, info: object, **arguments: Any) -> str:
        return str(resolve(source, info, **arguments)).upper()

    app = Application()
    add_graphql_next(
        app,
        build_schema("type Query { hello: String }"),
        rest_middleware=marking(b"rest"),
        view_middleware=marking(b"view"),
        graphql_middleware=[shout],
    )
    rest = await http_request(app, "GET", "/graphql?query={hello}")
    assert rest.body == b'{"data": {"hello": "NONE"}}'
    view = await http_request(app, "GET", "/graphiql")
    assert [dict(each.headers)[b"x-mark"] for each in (rest, view)] == [
        b"rest",
        b"view",
    ]


async def test_the_older_function_does_without_middleware() -> None:
    app = Application()
    handler: HttpHandler = add_graphql_next(app, SCHEMA)
    assert callable(handler)
    assert (await http_request(app, "GET", "/graphiql")).status == 200
