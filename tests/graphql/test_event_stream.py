"""GraphQL over event streams: distinct connections, and a single one."""

import asyncio
import json
import logging
import tracemalloc
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, NamedTuple

import pytest
from graphql import GraphQLSchema, build_schema

from bareasgi import (
    Application,
    Content,
    Header,
    HttpResponse,
    Info,
    NextHandler,
    RouteMatches,
    Scope,
)
from bareasgi.testing import Response, Stream, http_request, http_stream
from bareasgi_graphql import Limits, add_graphql
from bareasgi_graphql.event_stream import event_stream_response

SHORT = 0.05  # seconds: a limit that is meant to pass
OPENING = b":\n\n"
EVENTS = (b"accept", b"text/event-stream")
JSON = (b"content-type", b"application/json")
TOKEN = b"x-graphql-event-stream-token"
HELD = "subscription { held }"
USER: ContextVar[str] = ContextVar("USER", default="nobody")

SDL = """
scalar Anything
type Query { hello: String  user: String  odd: Anything }
type Mutation { change: String }
type Subscription {
  count(to: Int!): Int
  held: Int
  endless: Int
  failing: Int
  stubborn: Int
  slow_to_close: Int
  failing_to_close: Int
  large: String
  odd: Anything
}
"""


class World:
    """What the resolvers do, and what became of it.

    Attributes:
        gate: each result of `held` but the first waits until it is released.
        asked: how many results the sources of a field gave.
        closed: how many of the sources of a field are over.
        changes: how often the mutation ran.
    """

    def __init__(self) -> None:
        self.gate = asyncio.Semaphore(0)
        self.asked: Counter[str] = Counter()
        self.begun: Counter[str] = Counter()
        self.closed: Counter[str] = Counter()
        self.changes = 0

    def schema(self) -> GraphQLSchema:
        schema = build_schema(SDL)
        assert schema.query_type is not None
        assert schema.mutation_type is not None
        assert schema.subscription_type is not None
        fields = schema.query_type.fields
        fields["hello"].resolve = lambda *_: "world"
        fields["user"].resolve = lambda *_: USER.get()
        fields["odd"].resolve = lambda *_: object()
        schema.mutation_type.fields["change"].resolve = self.change
        for name, field in schema.subscription_type.fields.items():
            field.subscribe = partial(self.observed, name)
        return schema

    def change(self, *_: object) -> str:
        self.changes += 1
        return "changed"

    async def observed(
        self, name: str, *_: object, **arguments: Any
    ) -> AsyncGenerator[dict[str, Any], None]:
        self.begun[name] += 1
        try:
            async with aclosing(getattr(self, name)(**arguments)) as values:
                async for value in values:
                    self.asked[name] += 1
                    yield {name: value}
        finally:
            self.closed[name] += 1

    async def count(self, to: int) -> AsyncGenerator[int, None]:
        for number in range(1, to + 1):
            yield number

    async def held(self) -> AsyncGenerator[int, None]:
        for number in range(1, 1000):
            yield number
            await self.gate.acquire()

    async def endless(self) -> AsyncGenerator[int, None]:
        while True:
            yield 0

    async def failing(self) -> AsyncGenerator[int, None]:
        yield 1
        raise ValueError("the secret of the source")

    async def stubborn(self) -> AsyncGenerator[int, None]:
        yield 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            yield 2

    async def failing_to_close(self) -> AsyncGenerator[int, None]:
        try:
            while True:
                yield 0
        finally:
            raise ValueError("the secret of the source")

    async def large(self) -> AsyncGenerator[str, None]:
        yield "x" * 65536

    async def slow_to_close(self) -> AsyncGenerator[int, None]:
        try:
            while True:
                yield 0
        finally:
            await self.gate.acquire()

    async def odd(self) -> AsyncGenerator[object, None]:
        yield "plain"
        yield object()
        yield "never asked for"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def app(world: World) -> Application:
    return serving(world)


def serving(world: World, **options: Any) -> Application:
    app = Application()
    add_graphql(app, world.schema(), **options)
    return app


@pytest.fixture(autouse=True)
async def _no_task_is_left() -> AsyncIterator[None]:
    yield
    assert asyncio.all_tasks() - {asyncio.current_task()} == set()


async def turns(count: int = 20) -> None:
    """Let everybody else go on for a few turns of the loop."""
    for _ in range(count):
        await asyncio.sleep(0)


def asking(query: str, operation_id: object = None) -> bytes:
    extensions = None if operation_id is None else {"operationId": operation_id}
    return json.dumps({"query": query, "extensions": extensions}).encode()


def distinct(app: Application, query: str, *headers: Header) -> Stream:
    """Ask for an operation, and for its results as an event stream."""
    return http_stream(
        app, "POST", "/graphql", headers=[JSON, EVENTS, *headers], content=asking(query)
    )


def event(kind: str, data: object = None) -> bytes:
    text = "" if data is None else json.dumps(data)
    return f"event: {kind}\ndata: {text}\n\n".encode()


def result(**data: object) -> bytes:
    return event("next", {"data": data})


MASKED = {"errors": [{"message": "Internal Server Error"}]}


# Distinct connections


async def test_each_result_is_an_event_next_and_complete_follows_the_last(
    app: Application, world: World
) -> None:
    async with distinct(app, "subscription { count(to: 2) }") as stream:
        chunks = [chunk async for chunk in stream]
    assert stream.status == 200
    assert dict(stream.headers)[b"content-type"] == b"text/event-stream"
    assert chunks == [OPENING, result(count=1), result(count=2), event("complete")]
    assert world.closed["count"] == 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [("{ hello }", {"hello": "world"}), ("mutation { change }", {"change": "changed"})],
)
async def test_a_query_and_a_mutation_have_one_result(
    app: Application, query: str, expected: object
) -> None:
    async with distinct(app, query) as stream:
        chunks = [chunk async for chunk in stream]
    assert chunks == [OPENING, event("next", {"data": expected}), event("complete")]


async def test_what_is_not_valid_is_told_in_the_stream_where_a_browser_can_read_it(
    app: Application,
) -> None:
    path = "/graphql?query=subscription%20{%20nothing%20}"
    response = await http_request(app, "GET", path, headers=[EVENTS])
    opening, refusal, end = response.chunks
    assert (response.status, opening, end) == (200, OPENING, event("complete"))
    kind, data = refusal.decode().rstrip().split("\n")
    refused = json.loads(data.removeprefix("data: "))
    assert kind == "event: next"
    assert refused.keys() == {"errors"}
    assert "nothing" in refused["errors"][0]["message"]


async def test_the_client_is_connected_before_there_is_a_result(
    app: Application, world: World
) -> None:
    async with distinct(app, HELD) as stream:
        await stream.started()
        assert await stream.chunk() == OPENING
        assert await stream.chunk() == result(held=1)
        assert world.asked["held"] == 1
        world.gate.release()
        assert await stream.chunk() == result(held=2)


async def test_comments_keep_a_quiet_stream_alive(world: World) -> None:
    app = serving(world, ping_interval=SHORT)
    async with distinct(app, HELD) as stream:
        assert await stream.chunk() == OPENING
        assert await stream.chunk() == result(held=1)
        assert await stream.chunk() == b": keep-alive\n\n"
        assert await stream.chunk() == b": keep-alive\n\n"
        world.gate.release()
        assert await stream.chunk() == result(held=2)


@pytest.mark.parametrize("name", ["held", "endless", "stubborn"])
async def test_a_client_that_leaves_closes_the_source_at_once(
    app: Application, world: World, name: str
) -> None:
    async with distinct(app, f"subscription {{ {name} }}") as stream:
        assert await stream.chunk() == OPENING
        await stream.chunk()
        stream.leave()
        await stream.finished()
        assert world.closed[name] == 1


async def test_a_client_that_leaves_before_its_operation_began_leaves_nothing(
    app: Application, world: World
) -> None:
    async with distinct(app, HELD) as stream:
        await stream.started()
        stream.leave()
        await stream.finished()
    assert world.begun == world.closed


async def test_a_source_is_asked_for_no_more_than_its_client_takes(
    app: Application, world: World
) -> None:
    async with distinct(app, "subscription { endless }") as stream:
        for _ in range(10):
            await stream.chunk()
        await stream.blocked()
        await turns()
        assert 9 <= world.asked["endless"] <= 12


async def test_a_failing_source_is_masked_in_the_last_result_and_logged(
    app: Application, caplog: pytest.LogCaptureFixture
) -> None:
    async with distinct(app, "subscription { failing }") as stream:
        chunks = [chunk async for chunk in stream]
    assert chunks == [
        OPENING,
        result(failing=1),
        event("next", MASKED),
        event("complete"),
    ]
    assert "the secret of the source" in caplog.text


async def test_a_value_that_is_no_json_ends_the_operation_masked_and_is_logged(
    app: Application, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async with distinct(app, "subscription { odd }") as stream:
        chunks = [chunk async for chunk in stream]
    assert chunks == [
        OPENING,
        result(odd="plain"),
        event("next", MASKED),
        event("complete"),
    ]
    assert world.closed["odd"] == 1
    assert "a result cannot be sent" in caplog.text


@pytest.mark.parametrize(
    "dumps",
    [
        partial(json.dumps, ensure_ascii=False),
        partial(json.dumps, indent=1),
        lambda value: json.dumps(value).encode(),
    ],
    ids=["not escaped", "on several lines", "as bytes"],
)
async def test_results_arrive_whatever_writes_the_json(
    dumps: Callable[[Any], str | bytes],
) -> None:
    sent = {"data": {"name": "Zoë \ud83d\n\x00", "end": "complete"}}

    async def results() -> AsyncGenerator[dict[str, Any], None]:
        yield sent

    app = Application()

    @app.on_http_request({"GET"}, "/")
    async def stream(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return event_stream_response(results(), dumps=dumps)

    response = await http_request(app, "GET", "/")
    lines = response.chunks[1].decode().splitlines()
    data = "\n".join(line.removeprefix("data: ") for line in lines[1:])
    assert json.loads(data) == sent


async def test_drain_cuts_the_stream_and_closes_the_source_without_complete(
    app: Application, world: World
) -> None:
    async with distinct(app, HELD) as stream:
        assert await stream.chunk() == OPENING
        assert await stream.chunk() == result(held=1)
        assert await app.drain()
        assert world.closed["held"] == 1
        await stream.finished()
    assert stream.chunks == [OPENING, result(held=1)]
    async with distinct(app, HELD) as stream:
        await stream.started()
        assert stream.status == 503
    assert world.begun["held"] == 1


async def test_a_page_of_a_foreign_site_cannot_subscribe(world: World) -> None:
    app = serving(world, allowed_origins={"https://friend.example"})
    foreign = await http_request(
        app,
        "POST",
        "/graphql",
        headers=[JSON, EVENTS, (b"origin", b"https://foreign.example")],
        content=asking(HELD),
    )
    assert foreign.status == 403
    assert world.begun["held"] == 0
    for origin in b"https://friend.example", b"http://localhost":
        async with distinct(app, HELD, (b"origin", origin)) as stream:
            assert await stream.chunk() == OPENING
            assert stream.status == 200


# A single connection


class Client:
    """A client that has reserved a stream."""

    def __init__(self, app: Application, token: bytes) -> None:
        self.app = app
        self.header = TOKEN, token

    def stream(self) -> Stream:
        """Open the stream."""
        headers = [self.header, EVENTS]
        return http_stream(self.app, "GET", "/graphql", headers=headers)

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[Stream, None]:
        """Open the stream, and wait until it is open."""
        async with self.stream() as stream:
            assert await stream.chunk() == OPENING
            yield stream

    async def request(
        self,
        method: str,
        query_string: str = "",
        *headers: Header,
        content: bytes = b"",
    ) -> Response:
        return await http_request(
            self.app,
            method,
            "/graphql" + query_string,
            headers=[self.header, *headers],
            content=content,
        )

    async def run(self, query: str, operation_id: object) -> Response:
        content = asking(query, operation_id)
        return await self.request("POST", "", JSON, content=content)

    async def begin(self, query: str, operation_id: str) -> None:
        response = await self.run(query, operation_id)
        assert (response.status, response.body) == (202, b""), response.body

    async def stop(self, operation_id: str) -> Response:
        return await self.request("DELETE", f"?operationId={operation_id}")


async def reserved(app: Application) -> Client:
    response = await http_request(app, "PUT", "/graphql")
    assert response.status == 201
    return Client(app, response.body)


def of(operation_id: str, **data: object) -> bytes:
    return event("next", {"id": operation_id, "payload": {"data": data}})


def end_of(operation_id: str) -> bytes:
    return event("complete", {"id": operation_id})


async def test_a_reservation_gives_a_token_that_nobody_can_guess(
    app: Application,
) -> None:
    responses = [await http_request(app, "PUT", "/graphql") for _ in range(3)]
    tokens = {response.text for response in responses}
    assert len(tokens) == 3
    assert all(len(token) >= 43 for token in tokens)
    headers = dict(responses[0].headers)
    assert headers[b"content-type"] == b"text/plain; charset=utf-8"
    assert headers[b"cache-control"] == b"no-store"


async def test_results_come_in_the_one_stream_with_the_id_of_their_operation(
    app: Application,
) -> None:
    client = await reserved(app)
    async with client.opened() as stream:
        assert stream.status == 200
        assert dict(stream.headers)[b"content-type"] == b"text/event-stream"
        await client.begin("subscription { count(to: 2) }", "a")
        assert await stream.chunk() == of("a", count=1)
        assert await stream.chunk() == of("a", count=2)
        assert await stream.chunk() == end_of("a")
        await client.begin("mutation { change }", "b")
        assert await stream.chunk() == of("b", change="changed")
        assert await stream.chunk() == end_of("b")


@pytest.mark.parametrize("place", ["header", "query"])
@pytest.mark.parametrize("opening", ["GET", "POST"])
async def test_the_token_comes_in_the_header_or_in_the_query_string(
    app: Application, place: str, opening: str
) -> None:
    token = (await reserved(app)).header[1]
    headers = [(TOKEN, token)] if place == "header" else []
    query_string = f"token={token.decode()}" if place == "query" else ""
    path = f"/graphql?{query_string}"
    async with http_stream(app, opening, path, headers=[*headers, EVENTS]) as stream:
        assert await stream.chunk() == OPENING
        content = asking(HELD, "a")
        asked = await http_request(
            app, "POST", path, headers=[*headers, JSON], content=content
        )
        assert asked.status == 202
        assert await stream.chunk() == of("a", held=1)
        path += "&operationId=a"
        stopped = await http_request(app, "DELETE", path, headers=headers)
        assert stopped.status == 200


async def test_a_query_can_be_asked_for_by_get(app: Application) -> None:
    client = await reserved(app)
    async with client.opened() as stream:
        path = '?query={hello}&extensions={"operationId":"a"}'
        assert (await client.request("GET", path)).status == 202
        assert await stream.chunk() == of("a", hello="world")
        assert await stream.chunk() == end_of("a")


async def test_what_a_client_asks_for_before_it_opens_the_stream_runs_then(
    app: Application, world: World
) -> None:
    client = await reserved(app)
    await client.begin(HELD, "a")
    await client.begin("mutation { change }", "b")
    await turns()
    assert (world.begun["held"], world.changes) == (0, 0)
    async with client.opened() as stream:
        assert await stream.chunk() == of("a", held=1)
        assert await stream.chunk() == of("b", change="changed")
        assert await stream.chunk() == end_of("b")


async def test_what_never_ran_is_not_run_when_its_client_stops_it_first(
    app: Application, world: World
) -> None:
    client = await reserved(app)
    await client.begin(HELD, "a")
    assert (await client.stop("a")).status == 200
    await client.begin("{ hello }", "a")
    async with client.opened() as stream:
        assert await stream.chunk() == of("a", hello="world")
    assert world.begun["held"] == 0


async def name_the_user(
    scope: Scope,
    info: Info,
    matches: RouteMatches,
    content: Content,
    handler: NextHandler,
) -> HttpResponse:
    for name, value in scope["headers"]:
        if name == b"user":
            USER.set(value.decode())
    return await handler(scope, info, matches, content)


async def test_an_operation_runs_in_the_context_of_the_request_that_asked_for_it(
    app: Application,
) -> None:
    app.middlewares.append(name_the_user)
    client = await reserved(app)

    async def ask(user: bytes) -> None:
        content = asking("{ user }", user.decode())
        response = await client.request(
            "POST", "", JSON, (b"user", user), content=content
        )
        assert response.status == 202

    await ask(b"early")
    async with client.opened() as stream:
        assert await stream.chunk() == of("early", user="early")
        assert await stream.chunk() == end_of("early")
        await ask(b"late")
        assert await stream.chunk() == of("late", user="late")


async def test_operations_have_their_turns(app: Application) -> None:
    client = await reserved(app)
    for operation_id in "abc":
        await client.begin("subscription { endless }", operation_id)
    async with client.opened() as stream:
        chunks = [await stream.chunk() for _ in range(12)]
    assert chunks == [of(each, endless=0) for each in "abc"] * 4


async def test_a_stopped_operation_is_over_when_the_answer_comes(
    app: Application, world: World
) -> None:
    client = await reserved(app)
    async with client.opened() as stream:
        await client.begin(HELD, "a")
        await client.begin(HELD, "b")
        assert await stream.chunk() == of("a", held=1)
        assert await stream.chunk() == of("b", held=1)
        assert (await client.stop("a")).status == 200
        assert world.closed["held"] == 1
        world.gate.release()
        assert await stream.chunk() == of("b", held=2)


async def test_no_event_of_an_operation_is_sent_after_it_was_stopped(
    app: Application, world: World
) -> None:
    client = await reserved(app)
    async with client.opened() as stream:
        await client.begin("subscription { endless }", "a")
        await stream.blocked()
        await client.begin(HELD, "b")
        assert (await client.stop("a")).status == 200
        assert world.closed["endless"] == 1
        await client.begin("{ hello }", "a")
        # What was on its way then comes, and nothing else of the first.
        assert await stream.chunk() == of("a", endless=0)
        rest = [await stream.chunk() for _ in range(3)]
    assert sorted(rest) == sorted(
        [of("b", held=1), of("a", hello="world"), end_of("a")]
    )


async def test_while_a_source_takes_its_time_to_close_its_operation_is_silent(
    app: Application, world: World
) -> None:
    client = await reserved(app)
    async with client.opened() as stream:
        await client.begin("subscription { slow_to_close }", "a")
        await stream.blocked()
        stopping = asyncio.create_task(client.stop("a"))
        await turns()
        await client.begin("{ hello }", "b")
        assert await stream.chunk() == of("a", slow_to_close=0)
        assert await stream.chunk() == of("b", hello="world")
        assert await stream.chunk() == end_of("b")
        assert (await client.run("{ hello }", "a")).status == 409
        assert not stopping.done()
        world.gate.release()
        assert (await stopping).status == 200
        await client.begin("{ hello }", "a")
        assert await stream.chunk() == of("a", hello="world")


@pytest.mark.parametrize("how", ["stop", "leave"])
async def test_a_source_that_goes_on_when_it_is_cancelled_is_closed_all_the_same(
    app: Application, world: World, how: str
) -> None:
    client = await reserved(app)
    async with client.opened() as stream:
        await client.begin("subscription { stubborn }", "a")
        assert await stream.chunk() == of("a", stubborn=1)
        await turns()
        if how == "stop":
            assert (await client.stop("a")).status == 200
        else:
            stream.leave()
            await stream.finished()
        assert world.closed["stubborn"] == 1
    assert stream.chunks == [OPENING, of("a", stubborn=1)]


async def test_the_id_of_an_operation_that_ended_can_be_used_again(
    app: Application,
) -> None:
    client = await reserved(app)
    async with client.opened() as stream:
        for _ in range(3):
            await client.begin("{ hello }", "a")
            assert await stream.chunk() == of("a", hello="world")
            assert await stream.chunk() == end_of("a")


async def test_one_operation_that_fails_leaves_the_others_alone(
    app: Application, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    client = await reserved(app)
    async with client.opened() as stream:
        await client.begin(HELD, "live")
        assert await stream.chunk() == of("live", held=1)
        for query in "subscription { failing }", "subscription { odd }", "{ odd }":
            await client.begin(query, "a")
            chunk = await stream.chunk()
            while b"errors" not in chunk:
                chunk = await stream.chunk()
            data = json.loads(chunk.partition(b"data: ")[2])
            assert data["id"] == "a"
            assert data["payload"]["errors"][0]["message"] == "Internal Server Error"
            assert await stream.chunk() == end_of("a")
        world.gate.release()
        assert await stream.chunk() == of("live", held=2)
    assert "the secret of the source" in caplog.text


async def test_a_client_that_leaves_closes_all_sources_and_its_token_is_void(
    app: Application, world: World
) -> None:
    client = await reserved(app)
    async with client.opened() as stream:
        for operation_id in "abc":
            await client.begin(HELD, operation_id)
            assert await stream.chunk() == of(operation_id, held=1)
        await client.begin("subscription { endless }", "d")
        await stream.blocked()
        stream.leave()
        await stream.finished()
        assert world.closed == {"held": 3, "endless": 1}
    assert (await client.run("{ hello }", "a")).status == 404
    assert (await client.stop("a")).status == 404
    assert (await client.request("GET", "", EVENTS)).status == 404


@pytest.mark.parametrize("how", ["stop", "leave"])
async def test_a_source_that_fails_when_it_is_closed_is_logged_and_no_more(
    app: Application, world: World, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = await reserved(app)
    async with client.opened() as stream:
        await client.begin("subscription { failing_to_close }", "a")
        await stream.blocked()
        if how == "stop":
            assert (await client.stop("a")).status == 200
        else:
            stream.leave()
            await stream.finished()
        assert world.closed["failing_to_close"] == 1
    assert "the secret of the source" in caplog.text


async def test_the_request_of_a_client_that_left_ends_when_its_sources_are_closed(
    app: Application, world: World
) -> None:
    client = await reserved(app)
    async with client.opened() as stream:
        await client.begin("subscription { slow_to_close }", "a")
        await stream.chunk()
        stream.leave()
        ending = asyncio.create_task(stream.finished())
        await turns()
        assert not ending.done()
        world.gate.release()
        await ending
        assert world.closed["slow_to_close"] == 1


async def test_a_client_that_leaves_before_its_stream_began_leaves_nothing(
    app: Application, world: World
) -> None:
    client = await reserved(app)
    await client.begin(HELD, "a")
    async with client.stream() as stream:
        await stream.started()
        stream.leave()
        await stream.finished()
    assert world.begun == world.closed
    assert (await client.run("{ hello }", "a")).status == 404


async def test_an_operation_whose_client_left_while_it_was_read_is_not_run(
    app: Application, world: World
) -> None:
    client = await reserved(app)
    async with http_stream(
        app, "POST", "/graphql", headers=[client.header, JSON], content=None
    ) as upload:
        async with client.opened():
            await upload.upload(b"{")
        await upload.upload(asking("mutation { change }", "a")[1:], more=False)
        await upload.started()
        assert upload.status == 404
    assert world.changes == 0


async def test_drain_closes_the_sources_of_a_single_connection_without_complete(
    app: Application, world: World
) -> None:
    client, waiting = await reserved(app), await reserved(app)
    async with client.opened() as stream:
        await client.begin(HELD, "a")
        assert await stream.chunk() == of("a", held=1)
        await waiting.begin(HELD, "a")
        assert await app.drain()
        assert world.closed["held"] == 1
        await stream.finished()
    assert stream.chunks == [OPENING, of("a", held=1)]
    # Streams begin no more, and what waited for one never runs.
    assert (await waiting.request("GET", "", EVENTS)).status == 503
    assert (await waiting.stop("a")).status == 404
    assert world.begun["held"] == 1


async def test_the_operations_of_a_client_that_does_not_read_are_held_up(
    app: Application, world: World
) -> None:
    client = await reserved(app)
    async with client.opened() as stream:
        for number in range(50):
            await client.begin("subscription { endless }", str(number))
        await stream.blocked()
        await turns(200)
        assert world.asked["endless"] <= 2 * 50 + 2
    assert world.closed["endless"] == 50


async def test_nothing_is_kept_of_stopped_operations_for_a_client_that_does_not_read(
    app: Application, world: World
) -> None:
    client = await reserved(app)
    async with client.opened() as stream:
        await client.begin("subscription { endless }", "a")
        await stream.blocked()
        tracemalloc.start()
        try:
            for number in range(200):
                await client.begin("subscription { large }", str(number))
                await turns()
                await client.stop(str(number))
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert world.closed["large"] == 200
        assert kept < 2 * 2**20


async def test_an_operation_that_is_asked_for_and_stopped_at_once_leaves_its_id_free(
    app: Application, world: World
) -> None:
    client = await reserved(app)
    async with client.opened() as stream:
        await asyncio.gather(client.begin(HELD, "a"), client.stop("a"))
        assert (await client.stop("a")).status == 200
        await client.begin("{ hello }", "a")
        chunk = await stream.chunk()
        if chunk == of("a", held=1):
            chunk = await stream.chunk()
        assert chunk == of("a", hello="world")
    assert world.begun == world.closed


class Refused(NamedTuple):
    """A request that is refused, and how."""

    name: str
    status: int
    method: str
    query_string: str = ""
    headers: Sequence[Header] = ()
    content: bytes = b""
    message: str = ""


LIVE = asking("{ hello }", "live")

REFUSED = [
    Refused("a second opening", 409, "GET", headers=[EVENTS], message="open already"),
    Refused("a second one by post", 409, "POST", headers=[EVENTS]),
    Refused("a live id", 409, "POST", "", [JSON], LIVE, "operation id is in use"),
    Refused("no id", 400, "POST", "", [JSON], asking("{ hello }"), "operationId"),
    Refused("an empty id", 400, "POST", "", [JSON], asking("{ hello }", "")),
    Refused("an id of another type", 400, "POST", "", [JSON], asking("{ hello }", 7)),
    Refused("an id that is a list", 400, "POST", "", [JSON], asking("{ hello }", [1])),
    Refused("a stop without id", 400, "DELETE", message="operationId"),
    Refused("a stop with an empty id", 400, "DELETE", "?operationId="),
    Refused(
        "an invalid document", 400, "POST", "", [JSON], asking("{ no }", "a"), "no"
    ),
    Refused("no document", 400, "POST", "", [JSON], asking("{", "a")),
    Refused("bad JSON", 400, "POST", "", [JSON], b"{"),
    Refused("a batch", 400, "POST", "", [JSON], b"[" + asking("{ hello }", "a") + b"]"),
    Refused("a form", 415, "POST", "", [(b"content-type", b"text/plain")], LIVE),
    Refused("bad query string", 400, "DELETE", "?operationId=%ff"),
    Refused("nothing to ask for", 400, "GET", headers=[(b"accept", JSON[1])]),
    Refused("another method", 405, "HEAD"),
    Refused(
        "a mutation by GET",
        405,
        "GET",
        '?query=mutation{change}&extensions={"operationId":"a"}',
        message="POST",
    ),
    Refused(
        "a document over a limit",
        400,
        "POST",
        "",
        [JSON],
        asking("{" + "a: hello " * 16 + "}", "a"),
        "aliases",
    ),
    Refused("a body over the limit", 413, "POST", "", [JSON], b" " * (2**20 + 1)),
]


@pytest.mark.parametrize("refused", REFUSED, ids=[each.name for each in REFUSED])
async def test_a_wrong_request_is_refused_and_changes_nothing(
    app: Application, world: World, refused: Refused
) -> None:
    client = await reserved(app)
    async with client.opened() as stream:
        await client.begin(HELD, "live")
        assert await stream.chunk() == of("live", held=1)
        response = await client.request(
            refused.method,
            refused.query_string,
            *refused.headers,
            content=refused.content,
        )
        assert response.status == refused.status, response.text
        if refused.method != "HEAD":
            (error, *_) = response.json()["errors"]
            assert refused.message in error["message"]
        if refused.status == 405:
            assert b"POST" in dict(response.headers)[b"allow"]
        world.gate.release()
        assert await stream.chunk() == of("live", held=2)
    assert world.changes == 0


async def test_a_client_that_comes_back_with_its_old_token_is_given_another(
    app: Application, world: World
) -> None:
    client = await reserved(app)
    async with client.opened() as stream:
        await client.begin(HELD, "live")
        assert await stream.chunk() == of("live", held=1)
        response = await client.request("PUT")
        assert response.status == 201
        assert response.body not in {b"", client.header[1]}
        world.gate.release()
        assert await stream.chunk() == of("live", held=2)


@pytest.mark.parametrize(
    ("method", "query_string", "headers"),
    [
        ("GET", "?token=wrong", [EVENTS]),
        ("GET", "", [EVENTS, (TOKEN, b"wrong")]),
        ("GET", "", [EVENTS, (TOKEN, b"\xff")]),
        ("POST", "", [EVENTS, (TOKEN, b"wrong")]),
        ("POST", "?token=wrong", [JSON]),
        ("POST", "", [JSON, (TOKEN, b"wrong")]),
        ("DELETE", "?operationId=a", []),
        ("DELETE", "?operationId=a", [(TOKEN, b"wrong")]),
        ("DELETE", "?operationId=a&token=wrong", []),
    ],
)
async def test_without_a_valid_token_there_is_no_stream(
    app: Application, method: str, query_string: str, headers: Sequence[Header]
) -> None:
    await reserved(app)
    content = asking("{ hello }", "a") if method == "POST" else b""
    response = await http_request(
        app, method, "/graphql" + query_string, headers=headers, content=content
    )
    assert response.status == 404
    assert response.json() == {"errors": [{"message": "There is no such event stream"}]}


async def test_a_token_of_the_applications_own_beside_a_query_is_left_alone(
    app: Application,
) -> None:
    path = "/graphql?query={hello}&token=secret"
    response = await http_request(app, "GET", path)
    assert response.json() == {"data": {"hello": "world"}}
    response = await http_request(app, "GET", path, headers=[EVENTS])
    assert response.chunks[1] == result(hello="world")
    response = await http_request(app, "GET", "/graphql?query={hello}&my_token=secret")
    assert response.json() == {"data": {"hello": "world"}}


async def test_a_reservation_for_what_cannot_take_the_token_is_refused(
    app: Application,
) -> None:
    headers = [(b"accept", b"image/png")]
    assert (await http_request(app, "PUT", "/graphql", headers=headers)).status == 406


async def test_to_stop_what_has_ended_is_no_error(app: Application) -> None:
    client = await reserved(app)
    assert (await client.stop("never begun")).status == 200


@pytest.mark.parametrize("method", ["PUT", "GET", "POST", "DELETE"])
async def test_a_page_of_a_foreign_site_cannot_use_a_stream(
    world: World, method: str
) -> None:
    app = serving(world, allowed_origins={"https://friend.example"})
    client = await reserved(app)
    headers = [EVENTS] if method == "GET" else [JSON]
    content = asking("{ hello }", "a") if method == "POST" else b""

    async def status(origin: bytes) -> int:
        client.header = TOKEN, token
        async with http_stream(
            app,
            method,
            "/graphql?operationId=a",
            headers=[client.header, *headers, (b"origin", origin)],
            content=content,
            buffer=None,
        ) as stream:
            await stream.started()
            return stream.status

    token = client.header[1]
    assert await status(b"https://foreign.example") == 403
    assert await status(b"null") == 403
    assert await status(b"https://friend.example") in {200, 201, 202}


# Limits


class Clock:
    """The time of the running loop, which stands still but for `advance`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self.now = loop.time()
        monkeypatch.setattr(loop, "time", lambda: self.now)

    async def advance(self, seconds: float) -> None:
        self.now += seconds
        await turns()


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


async def test_a_reservation_that_nobody_claims_vanishes_after_30_seconds(
    app: Application, world: World, clock: Clock
) -> None:
    client = await reserved(app)
    await client.begin(HELD, "a")
    await clock.advance(29)
    assert (await client.stop("none")).status == 200
    await clock.advance(2)
    assert (await client.stop("none")).status == 404
    assert (await client.request("GET", "", EVENTS)).status == 404
    assert world.begun["held"] == 0


async def test_a_stream_that_was_opened_does_not_expire(
    app: Application, clock: Clock
) -> None:
    client = await reserved(app)
    async with client.opened() as stream:
        await turns()
        await clock.advance(31)
        assert await stream.chunk() == b": keep-alive\n\n"
        await client.begin("{ hello }", "a")
        assert await stream.chunk() == of("a", hello="world")


async def test_there_are_no_more_than_100_reservations(
    app: Application, clock: Clock
) -> None:
    clients = [await reserved(app) for _ in range(100)]
    response = await http_request(app, "PUT", "/graphql")
    assert response.status == 429
    assert dict(response.headers)[b"retry-after"] == b"30"
    async with clients[0].opened():
        # One that was claimed makes room for another one.
        await reserved(app)
        assert (await http_request(app, "PUT", "/graphql")).status == 429
    await clock.advance(31)
    await reserved(app)


async def test_1000_reservations_leave_no_more_than_the_limit(
    app: Application,
) -> None:
    statuses = Counter(
        [(await http_request(app, "PUT", "/graphql")).status for _ in range(1_000)]
    )
    assert statuses == {201: 100, 429: 900}


async def test_a_stream_has_no_more_than_100_live_operations(app: Application) -> None:
    client, other = await reserved(app), await reserved(app)
    async with client.opened() as stream, other.opened():
        for number in range(100):
            await client.begin(HELD, str(number))
        response = await client.run(HELD, "one more")
        assert response.status == 400
        assert "operations" in response.json()["errors"][0]["message"]
        await other.begin(HELD, "a")
        await client.stop("7")
        await client.begin("{ hello }", "7")
        while await stream.chunk() != end_of("7"):
            pass
        await client.begin(HELD, "7")


async def test_operations_that_wait_for_their_streams_share_the_room_of_one(
    world: World,
) -> None:
    app = serving(world, limits=Limits(subscriptions=3))
    first, second, opened = [await reserved(app) for _ in range(3)]
    async with opened.opened():
        await first.begin(HELD, "a")
        await first.begin(HELD, "b")
        await second.begin(HELD, "c")
        assert (await first.run(HELD, "d")).status == 400
        assert (await second.run(HELD, "d")).status == 400
        for operation_id in "abc":
            await opened.begin(HELD, operation_id)
        assert (await opened.run(HELD, "d")).status == 400
        async with first.opened():
            await second.begin(HELD, "d")
            await first.begin(HELD, "d")


async def test_none_lifts_the_limits(world: World) -> None:
    app = serving(world, limits=Limits(subscriptions=None, reservations=None))
    clients = [await reserved(app) for _ in range(150)]
    async with clients[0].opened():
        for number in range(150):
            await clients[0].begin(HELD, str(number))
        await turns()
    assert world.begun == world.closed


async def test_two_applications_do_not_know_each_others_tokens(world: World) -> None:
    one, other = serving(world), serving(world)
    client = await reserved(one)
    client.app = other
    assert (await client.run("{ hello }", "a")).status == 404
    client.app = one
    assert (await client.run("{ hello }", "a")).status == 202


async def test_nothing_is_logged_when_clients_leave(
    app: Application, caplog: pytest.LogCaptureFixture
) -> None:
    client = await reserved(app)
    async with client.opened() as stream, distinct(app, HELD) as other:
        await client.begin(HELD, "a")
        await stream.chunk()
        await other.chunk()
    assert [each for each in caplog.records if each.levelno > logging.INFO] == []
