"""Every example of GraphQL answers a query, changes something and tells of it."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from graphql import GraphQLSchema, build_schema
from graphql.utilities import find_breaking_changes
from programs import free_port, request, running
from repository import ROOT

from .http1_client import connect_http1
from .socket_client import Socket, open_socket

DEADLINE: Final = 10.0
GOING_AWAY: Final = 1001
FOLDER: Final = ROOT / "examples" / "graphql"
PROGRAMS: Final = [
    FOLDER / name
    for name in (
        "ariadne_resolvers.py",
        "core_objects.py",
        "core_sdl.py",
        "strawberry_classes.py",
    )
]
JSON: Final = {"content-type": "application/json", "accept": "application/json"}
EMMA: Final = {"id": "1", "title": "Emma", "author": "Jane Austen"}


each_program = pytest.mark.parametrize(
    "program", PROGRAMS, ids=lambda program: program.name
)


@contextmanager
def serving(program: Path) -> Generator[int]:
    """Serves an example on a port of its own, and ends it by SIGTERM."""
    port = free_port()
    with running(sys.executable, str(program), port=port, env={"PORT": str(port)}):
        yield port


@pytest.fixture(params=PROGRAMS, ids=lambda program: program.name, scope="module")
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """Serves each of the examples, for tests that change nothing."""
    with serving(request.param) as number:
        yield number


@asynccontextmanager
async def subscribed(port: int) -> AsyncGenerator[Socket]:
    """Opens a socket, on which there will be the books that are added from now on."""
    async with open_socket(
        await connect_http1(port), "/graphql", subprotocols=["graphql-transport-ws"]
    ) as socket:
        await socket.send(json.dumps({"type": "connection_init"}))
        assert await message(socket) == {"type": "connection_ack"}
        payload = {"query": "subscription { added { id title author } }"}
        subscribe = {"id": "new books", "type": "subscribe", "payload": payload}
        await socket.send(json.dumps(subscribe))
        # It is answered when the subscription before it has begun.
        await socket.send(json.dumps({"type": "ping"}))
        assert await message(socket) == {"type": "pong"}
        yield socket


def post(port: int, query: str, **variables: object) -> Any:
    """What the answer to a POST is."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    answer = request(port, "POST", "/graphql", headers=JSON, body=body)
    assert answer.status == 200
    return json.loads(answer.body)


async def message(socket: Socket) -> Any:
    """The next message."""
    async with asyncio.timeout(DEADLINE):
        return json.loads(await socket.message())


def test_an_example_answers_queries(port: int) -> None:
    books = post(port, "{ books { id title author } }")
    assert books == {"data": {"books": [EMMA]}}
    query = "query Book($id: ID!) { book(id: $id) { title } }"
    assert post(port, query, id="1") == {"data": {"book": {"title": "Emma"}}}
    assert post(port, query, id="2") == {"data": {"book": None}}


def test_an_example_shows_graphiql_to_a_browser(port: int) -> None:
    page = request(port, "GET", "/graphql", headers={"accept": "text/html"})
    assert (page.status, page.content_type) == (200, "text/html; charset=utf-8")


def test_all_examples_have_the_same_schema(port: int) -> None:
    served = build_schema(request(port, "GET", "/graphql?sdl").body.decode())
    assert changes(served, build_schema(SDL)) == []


@each_program
async def test_an_example_tells_of_a_mutation_over_a_socket(program: Path) -> None:
    with serving(program) as port:
        async with subscribed(port) as socket:
            query = (
                "mutation Add($title: String!, $author: String!)"
                " { add(title: $title, author: $author) { id } }"
            )
            book = {"title": "Persuasion", "author": "Jane Austen"}
            added = await asyncio.to_thread(post, port, query, **book)
            assert added == {"data": {"add": {"id": "2"}}}
            assert await message(socket) == {
                "id": "new books",
                "type": "next",
                "payload": {"data": {"added": {"id": "2", **book}}},
            }


@each_program
async def test_an_example_ends_on_sigterm_though_somebody_is_subscribed(
    program: Path,
) -> None:
    with ExitStack() as server:
        port = server.enter_context(serving(program))
        async with subscribed(port) as socket:
            ending = asyncio.create_task(asyncio.to_thread(server.close))
            async with asyncio.timeout(DEADLINE):
                assert (await socket.closed()).code == GOING_AWAY
            await ending


def changes(one: GraphQLSchema, other: GraphQLSchema) -> list[object]:
    """What a client of one schema would miss in the other, and the other way round."""
    return [*find_breaking_changes(one, other), *find_breaking_changes(other, one)]


SDL: Final = """
type Query {
  books: [Book!]!
  book(id: ID!): Book
}

type Mutation {
  add(title: String!, author: String!): Book!
}

type Subscription {
  added: Book!
}

type Book {
  id: ID!
  title: String!
  author: String!
}
"""
