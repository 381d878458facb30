"""A schema of graphene runs, though graphene asks for an older graphql-core."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any, Final

import graphene
import pytest

from bareasgi import Application
from bareasgi.testing import ClientSocket, http_request, web_socket
from bareasgi_graphql import add_graphql

DEADLINE: Final = 10.0


class Book(graphene.ObjectType):
    title = graphene.String(required=True)


class Query(graphene.ObjectType):
    user = graphene.String()
    book = graphene.Field(Book, title=graphene.String(required=True))
    fails = graphene.Int()

    async def resolve_user(self, info: graphene.ResolveInfo) -> str:
        return str(info.context["user"])

    def resolve_book(self, info: graphene.ResolveInfo, title: str) -> Book:
        return Book(title=title)

    def resolve_fails(self, info: graphene.ResolveInfo) -> int:
        raise ValueError("nobody's business")


class Add(graphene.Mutation):
    class Arguments:
        amount = graphene.Int(required=True)

    total = graphene.Int(required=True)

    def mutate(self, info: graphene.ResolveInfo, amount: int) -> "Add":
        info.context["total"] += amount
        return Add(total=info.context["total"])


class Mutation(graphene.ObjectType):
    add = Add.Field()


class Subscription(graphene.ObjectType):
    count = graphene.Int(required=True, to=graphene.Int(required=True))

    async def subscribe_count(
        self, info: graphene.ResolveInfo, to: int
    ) -> AsyncGenerator[int, None]:
        try:
            for number in range(1, to + 1):
                yield number
            await asyncio.Event().wait()
        finally:
            info.context["closed"].set()


@pytest.fixture
def app() -> Application:
    """Serves a schema that graphene made."""
    app = Application(info={"user": "Ada", "total": 0, "closed": asyncio.Event()})
    add_graphql(app, graphene.Schema(Query, Mutation, Subscription))
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


async def message(socket: ClientSocket) -> Any:
    """The next message."""
    text = await socket.receive()
    assert isinstance(text, str)
    return json.loads(text)


async def test_a_query_is_answered(app: Application) -> None:
    query = "query ($title: String!) { user book(title: $title) { title } }"
    assert await post(app, query, title="Emma") == {
        "data": {"user": "Ada", "book": {"title": "Emma"}}
    }


async def test_a_mutation_is_run(app: Application) -> None:
    query = "mutation ($amount: Int!) { add(amount: $amount) { total } }"
    assert await post(app, query, amount=2) == {"data": {"add": {"total": 2}}}
    assert await post(app, query, amount=3) == {"data": {"add": {"total": 5}}}


async def test_what_a_resolver_raises_is_told_to_nobody(app: Application) -> None:
    answer = await post(app, "{ fails }")
    assert answer["data"] == {"fails": None}
    assert "nobody's business" not in json.dumps(answer)


async def test_a_subscription_is_sent_and_closed_when_it_is_stopped(
    app: Application,
) -> None:
    async with web_socket(
        app, "/graphql", subprotocols=["graphql-transport-ws"]
    ) as socket:
        await socket.send(json.dumps({"type": "connection_init"}))
        assert await message(socket) == {"type": "connection_ack"}
        payload = {"query": "subscription { count(to: 2) }"}
        subscribe = {"id": "1", "type": "subscribe", "payload": payload}
        await socket.send(json.dumps(subscribe))
        for number in (1, 2):
            assert (await message(socket))["payload"] == {"data": {"count": number}}
        await socket.send(json.dumps({"id": "1", "type": "complete"}))
        async with asyncio.timeout(DEADLINE):
            await app.info["closed"].wait()


async def test_the_text_of_the_schema_can_be_read(app: Application) -> None:
    sdl = await http_request(app, "GET", "/graphql?sdl")
    assert "type Subscription {\n  count(to: Int!): Int!\n}" in sdl.text
