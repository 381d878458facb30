"""Schemas are made in several ways, by several packages, and all of them are served."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Final, TypeAlias

import ariadne
import pytest
import strawberry
from graphql import (
    GraphQLArgument,
    GraphQLError,
    GraphQLField,
    GraphQLInt,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLString,
    build_schema,
)
from strawberry.permission import BasePermission

from bareasgi import Application, Info, RouteMatches, Scope
from bareasgi.testing import ClientSocket, http_request, web_socket
from bareasgi_graphql import add_graphql

Resolving: TypeAlias = GraphQLResolveInfo[Info]
Asked: TypeAlias = strawberry.Info[Info, None]

DEADLINE: Final = 10.0
CAUSE: Final = "a cause that is nobody's business"
SDL: Final = """
type Query {
  user: String
  fails: Int
}

type Mutation {
  add(amount: Int!): Int!
}

type Subscription {
  count(to: Int!): Int!
}
"""


class World:
    """What the resolvers of all schemas do."""

    def __init__(self) -> None:
        self.total: int = 0
        self.closed: asyncio.Event = asyncio.Event()

    def fail(self) -> int:
        """Fails, as programs do."""
        raise ValueError(CAUSE)

    def add(self, amount: int) -> int:
        """Adds to the total."""
        self.total += amount
        return self.total

    async def count(self, to: int) -> AsyncGenerator[int, None]:
        """Counts, and then waits for ever. Whoever ends that, it is noticed."""
        try:
            for number in range(1, to + 1):
                yield number
            await asyncio.Event().wait()
        finally:
            self.closed.set()


def serve_a_text(app: Application, world: World) -> None:
    """A text for graphql-core, and a root with a method for each field."""

    class Root:
        async def user(self, info: Resolving) -> object:
            return info.context["user"]

        def fails(self, info: Resolving) -> int:
            return world.fail()

        def add(self, info: Resolving, amount: int) -> int:
            return world.add(amount)

        async def count(
            self, info: Resolving, to: int
        ) -> AsyncGenerator[Mapping[str, int], None]:
            async with aclosing(world.count(to)) as numbers:
                async for number in numbers:
                    yield {"count": number}

    add_graphql(app, build_schema(SDL), root_value=Root())


def serve_objects(app: Application, world: World) -> None:
    """The objects of graphql-core, each field with its resolver."""

    async def user(root: object, info: Resolving) -> object:
        return info.context["user"]

    number = GraphQLNonNull(GraphQLInt)
    query = GraphQLObjectType(
        "Query",
        {
            "user": GraphQLField(GraphQLString, resolve=user),
            "fails": GraphQLField(GraphQLInt, resolve=lambda root, info: world.fail()),
        },
    )
    add = GraphQLField(
        number,
        args={"amount": GraphQLArgument(number)},
        resolve=lambda root, info, amount: world.add(amount),
    )
    count = GraphQLField(
        number,
        args={"to": GraphQLArgument(number)},
        subscribe=lambda root, info, to: world.count(to),
        resolve=lambda event, info, to: event,
    )
    schema = GraphQLSchema(
        query,
        GraphQLObjectType("Mutation", {"add": add}),
        GraphQLObjectType("Subscription", {"count": count}),
    )
    add_graphql(app, schema)


def serve_strawberry(app: Application, world: World) -> None:
    """Classes with the decorators of strawberry."""

    @strawberry.type
    class Query:
        @strawberry.field
        async def user(self, info: Asked) -> str | None:
            return str(info.context["user"])

        @strawberry.field
        def fails(self) -> int | None:
            return world.fail()

    @strawberry.type
    class Mutation:
        @strawberry.mutation
        def add(self, amount: int) -> int:
            return world.add(amount)

    @strawberry.type
    class Subscription:
        @strawberry.subscription
        def count(self, to: int) -> AsyncGenerator[int, None]:
            return world.count(to)

    add_graphql(app, strawberry.Schema(Query, Mutation, Subscription))


def serve_ariadne(app: Application, world: World) -> None:
    """A text, with resolvers that are bound by ariadne."""
    query = ariadne.QueryType()
    mutation = ariadne.MutationType()
    subscription = ariadne.SubscriptionType()

    @query.field("user")
    async def user(root: object, info: Resolving) -> object:
        return info.context["user"]

    query.set_field("fails", lambda root, info: world.fail())
    mutation.set_field("add", lambda root, info, amount: world.add(amount))
    subscription.set_source("count", lambda root, info, to: world.count(to))
    subscription.set_field("count", lambda event, info, to: event)
    schema = ariadne.make_executable_schema(SDL, query, mutation, subscription)
    add_graphql(app, schema)


each_way = pytest.mark.parametrize(
    "serve", [serve_a_text, serve_objects, serve_strawberry, serve_ariadne]
)
Serve: TypeAlias = Callable[[Application, World], None]


def serving(serve: Serve, world: World) -> Application:
    """An application with the schema, and a user for its context."""
    app = Application(info={"user": "Ada"})
    serve(app, world)
    return app


async def post(app: Application, query: str, **variables: object) -> Any:
    """What the answer to a POST is."""
    content = json.dumps({"query": query, "variables": variables}).encode()
    headers = [(b"content-type", b"application/json")]
    response = await http_request(
        app, "POST", "/graphql", headers=headers, content=content
    )
    assert response.status == 200
    return json.loads(response.body)


async def message(socket: ClientSocket) -> str:
    """The next message, which is text."""
    text = await socket.receive()
    assert isinstance(text, str)
    return text


@each_way
async def test_resolvers_get_the_info_of_the_application(serve: Serve) -> None:
    assert await post(serving(serve, World()), "{ user }") == {"data": {"user": "Ada"}}


@each_way
async def test_a_mutation_takes_variables(serve: Serve) -> None:
    app = serving(serve, World())
    query = "mutation ($amount: Int!) { add(amount: $amount) }"
    assert await post(app, query, amount=2) == {"data": {"add": 2}}
    assert await post(app, query, amount=3) == {"data": {"add": 5}}


@each_way
async def test_what_a_resolver_raises_is_told_to_nobody(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await post(serving(serve, World()), "{ fails }")
    assert answer["data"] == {"fails": None}
    assert [error["path"] for error in answer["errors"]] == [["fails"]]
    assert CAUSE not in json.dumps(answer)
    assert CAUSE in caplog.text


@each_way
async def test_a_subscription_is_sent_over_a_socket_and_closed_when_stopped(
    serve: Serve,
) -> None:
    world = World()
    async with web_socket(
        serving(serve, world), "/graphql", subprotocols=["graphql-transport-ws"]
    ) as socket:
        await socket.send(json.dumps({"type": "connection_init"}))
        assert json.loads(await message(socket)) == {"type": "connection_ack"}
        payload = {
            "query": "subscription ($to: Int!) { count(to: $to) }",
            "variables": {"to": 2},
        }
        subscribe = {"id": "1", "type": "subscribe", "payload": payload}
        await socket.send(json.dumps(subscribe))
        for number in (1, 2):
            assert json.loads(await message(socket)) == {
                "id": "1",
                "type": "next",
                "payload": {"data": {"count": number}},
            }
        await socket.send(json.dumps({"id": "1", "type": "complete"}))
        async with asyncio.timeout(DEADLINE):
            await world.closed.wait()


@each_way
async def test_the_text_of_the_schema_can_be_read(serve: Serve) -> None:
    response = await http_request(serving(serve, World()), "GET", "/graphql?sdl")
    sdl = build_schema(response.text)
    assert sdl.query_type is not None
    assert [*sdl.query_type.fields] == ["user", "fails"]
    assert sdl.subscription_type is not None
    assert [*sdl.subscription_type.fields] == ["count"]


async def test_a_permission_of_strawberry_is_asked_with_the_context() -> None:
    class IsAda(BasePermission):
        message = "Only for Ada"

        def has_permission(
            self, source: object, info: strawberry.Info[str, None], **_: object
        ) -> bool:
            return info.context == "Ada"

    @strawberry.type
    class Query:
        @strawberry.field(permission_classes=[IsAda])
        def diary(self) -> str | None:
            return "Dear diary"

    def user(scope: Scope, info: Info, matches: RouteMatches) -> object:
        return info["user"]

    app = Application(info={"user": "Bob"})
    add_graphql(app, strawberry.Schema(Query), context=user)
    answer = await post(app, "{ diary }")
    assert answer["data"] == {"diary": None}
    assert [error["message"] for error in answer["errors"]] == ["Only for Ada"]
    app.info["user"] = "Ada"
    assert await post(app, "{ diary }") == {"data": {"diary": "Dear diary"}}


async def test_an_error_of_graphql_keeps_its_text_in_ariadne() -> None:
    query = ariadne.QueryType()

    @query.field("book")
    def book(root: object, info: Resolving) -> str:
        raise GraphQLError("There is no such book", extensions={"code": "NOT_FOUND"})

    app = Application()
    schema = ariadne.make_executable_schema("type Query { book: String }", query)
    add_graphql(app, schema)
    (error,) = (await post(app, "{ book }"))["errors"]
    assert error["message"] == "There is no such book"
    assert error["extensions"] == {"code": "NOT_FOUND"}
