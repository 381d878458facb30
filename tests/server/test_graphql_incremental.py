"""GraphQL answers in parts, on real servers: clients that leave, stop, and stay."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import pytest

from .clients import RST, Connection, CutError, Exchange
from .graphql_processes import (
    KINDS,
    WAYS_TO_LEAVE,
    Server,
    leave,
    new_name,
    serving,
)
from .http2_client import Http2Connection
from .servers import DEADLINE

MODULE: Final = "graphql_incremental_served"
JSON: Final = (b"content-type", b"application/json")

BY_IDENTITY: Final = "multipart/mixed;incrementalSpec=v0.2"
BY_PLACE: Final = "multipart/mixed;deferSpec=20220824"
EVENTS: Final = "text/event-stream"
INCREMENTAL: Final = (BY_IDENTITY, BY_PLACE, EVENTS)
SUBSCRIPTION: Final = "multipart/mixed;subscriptionSpec=1.0"

ENDS: Final = {
    BY_IDENTITY: re.compile(rb"\r\n---(?:--)?\r\n"),
    BY_PLACE: re.compile(rb"\r\n---(?:--)?\r\n"),
    SUBSCRIPTION: re.compile(rb"\r\n--graphql(?:--)?\r\n"),
    EVENTS: re.compile(rb"\n\n"),
}
"""What comes after a part."""

LAST: Final = (b"\r\n-----\r\n", b"\r\n--graphql--\r\n", b"event: complete\n")
"""What an answer has at its end, and one that was cut has not."""

DEFERRED: Final = "{ held(name: NAME) { name ... @defer { value } } }"
STREAMED: Final = "{ numbers(name: NAME) @stream(initialCount: 1) }"
ENDLESS: Final = "{ endless(name: NAME) @stream(initialCount: 1) }"
MANY: Final = """{
  held(name: NAME) { name ... @defer { value } }
  numbers(name: NAME) @stream(initialCount: 1)
  endless(name: NAME) @stream(initialCount: 1)
}"""
LIVE: Final = "subscription { numbers(name: NAME) }"
ENDLESSLY_LIVE: Final = "subscription { endless(name: NAME) }"

OPEN: Final = {
    "a deferred fragment with ids": (BY_IDENTITY, DEFERRED, 1),
    "a deferred fragment with places": (BY_PLACE, DEFERRED, 1),
    "a deferred fragment in events": (EVENTS, DEFERRED, 1),
    "a streamed list with ids": (BY_IDENTITY, STREAMED, 1),
    "a streamed list with places": (BY_PLACE, STREAMED, 1),
    "a streamed list in events": (EVENTS, STREAMED, 1),
    "a list without end": (BY_PLACE, ENDLESS, 1),
    "everything in one answer": (BY_IDENTITY, MANY, 3),
    "a subscription": (SUBSCRIPTION, LIVE, 1),
    "a subscription without end": (SUBSCRIPTION, ENDLESSLY_LIVE, 1),
}
"""What clients are in the middle of: type, operation, and how many sources begin."""

NEVER_WAITING: Final = [(BY_IDENTITY, ENDLESS), (SUBSCRIPTION, ENDLESSLY_LIVE)]

each_open_answer = pytest.mark.parametrize(
    ("accept", "query", "begun"), OPEN.values(), ids=OPEN.keys()
)
each_way_to_leave = pytest.mark.parametrize(
    ("shared", "how"), WAYS_TO_LEAVE, indirect=["shared"], scope="module"
)


class Parts:
    """The parts of an answer, as they come."""

    def __init__(self, exchange: Exchange, accept: str) -> None:
        self.exchange = exchange
        self.accept = accept
        self._text = b""

    async def next(self) -> Any:
        """Wait for a part with what follows it, and give its JSON, None without."""
        async with asyncio.timeout(DEADLINE):
            while not (end := ENDS[self.accept].search(self._text)):
                chunk = await self.exchange.chunk()
                assert chunk, self._text
                self._text += chunk
        part, self._text = self._text[: end.start()], self._text[end.end() :]
        data = re.search(rb"\{.*", part)
        return json.loads(data[0]) if data else None

    async def only(self) -> Any:
        """Wait for a part, and see that nothing of the next one has come with it."""
        part = await self.next()
        assert self._text == b""
        return part

    async def over(self) -> None:
        """Wait for the end."""
        async with asyncio.timeout(DEADLINE):
            assert await self.exchange.body() == b""

    async def cut(self) -> None:
        """Wait until the answer is cut."""
        async with asyncio.timeout(DEADLINE):
            try:
                async for chunk in self.exchange:
                    self._text += chunk
            except CutError:
                assert not any(last in self._text for last in LAST)
                return
        raise AssertionError(f"ended, and was not cut: {self._text!r}")


@pytest.fixture(scope="module", params=KINDS)
def shared(request: pytest.FixtureRequest) -> Iterator[Server]:
    with serving(request.param, MODULE) as server:
        yield server


@pytest.fixture
async def server(shared: Server) -> Server:
    """The server of a kind, which is at rest."""
    await shared.state("-")
    return shared


async def ask(connection: Connection, accept: str, query: str, name: str) -> Parts:
    """Ask for an operation, and see that it is answered in parts of this type."""
    content = json.dumps({"query": query.replace("NAME", json.dumps(name))})
    headers = [JSON, (b"accept", accept.encode())]
    exchange = await connection.request("POST", "/graphql", headers, content.encode())
    async with asyncio.timeout(DEADLINE):
        head = await exchange.head()
    assert head.status == 200
    parts = Parts(exchange, accept)
    # What comes before the first part, and what tells a client that it is connected.
    assert await parts.next() is None
    if accept == SUBSCRIPTION:
        assert await parts.only() == {}
    return parts


@pytest.mark.parametrize("accept", INCREMENTAL)
async def test_a_deferred_fragment_arrives_after_the_rest(
    server: Server, accept: str
) -> None:
    name = new_name()
    async with await server.connect() as connection:
        parts = await ask(connection, accept, DEFERRED, name)
        first = await parts.only()
        assert first["data"] == {"held": {"name": name}}
        assert first["hasNext"] is True
        await server.let_pass(name)
        second = await parts.next()
        assert second["incremental"][0]["data"] == {"value": 1}
        assert second["hasNext"] is False
        if accept == EVENTS:
            assert await parts.next() is None
        await parts.over()
    await server.until_at_rest(name)


@pytest.mark.parametrize("accept", INCREMENTAL)
async def test_items_arrive_one_by_one(server: Server, accept: str) -> None:
    name = new_name()
    async with await server.connect() as connection:
        parts = await ask(connection, accept, STREAMED, name)
        assert (await parts.only())["data"] == {"numbers": [1]}
        for number in range(2, 5):
            await server.let_pass(name)
            (arrived,) = (await parts.only())["incremental"]
            assert arrived["items"] == [number]
    await server.until_at_rest(name)


async def test_results_of_a_subscription_arrive_one_by_one(server: Server) -> None:
    name = new_name()
    async with await server.connect() as connection:
        parts = await ask(connection, SUBSCRIPTION, LIVE, name)
        for number in range(1, 4):
            assert await parts.only() == {"payload": {"data": {"numbers": number}}}
            await server.let_pass(name)
    await server.until_at_rest(name)


@each_way_to_leave
@each_open_answer
async def test_a_client_that_leaves_closes_what_was_begun_for_it(
    server: Server, accept: str, query: str, begun: int, how: str
) -> None:
    name = new_name()
    async with await server.connect() as connection:
        parts = await ask(connection, accept, query, name)
        await parts.next()
        await server.until(lambda told: told["begun"] == begun, name)
        await leave(connection, parts.exchange, how)
        await server.until(lambda told: told["closed"] == begun, name)
    await server.until_at_rest(name)


@each_way_to_leave
async def test_a_client_that_leaves_at_once_leaves_nothing(
    server: Server, how: str
) -> None:
    for accept, query, _ in OPEN.values():
        name = new_name()
        async with await server.connect() as connection:
            parts = await ask(connection, accept, query, name)
            await leave(connection, parts.exchange, how)
        await server.until_at_rest(name)


@pytest.mark.parametrize(("accept", "query"), NEVER_WAITING)
async def test_a_client_that_does_not_read_holds_the_source_up(
    server: Server, accept: str, query: str
) -> None:
    name = new_name()
    async with await server.connect() as connection:
        await ask(connection, accept, query, name)
        if isinstance(connection, Http2Connection):
            await connection.stop_reading()
        await server.until_held_up(name)
        await connection.leave(RST)
    await server.until_at_rest(name)


@asynccontextmanager
async def open_answers(server: Server, name: str) -> AsyncGenerator[list[Parts]]:
    """Have a client in the middle of an answer of each kind that waits."""
    waiting = [(BY_IDENTITY, DEFERRED), (BY_PLACE, STREAMED), (SUBSCRIPTION, LIVE)]
    async with AsyncExitStack() as stack:
        answers: list[Parts] = []
        for accept, query in [*waiting, (EVENTS, STREAMED)]:
            connection = await stack.enter_async_context(await server.connect())
            parts = await ask(connection, accept, query, name)
            await parts.only()
            answers.append(parts)
        await server.until(lambda told: told["begun"] == len(answers), name)
        yield answers


@pytest.mark.parametrize("kind", KINDS)
async def test_drain_closes_what_was_begun_and_cuts_the_answers(kind: str) -> None:
    name = new_name()
    with serving(kind, MODULE) as server:
        async with open_answers(server, name) as answers:
            head, body = await server.ask("POST", "/drain")
            assert (head.status, body) == (200, b"true")
            told = await server.state(name)
            assert told["closed"] == told["begun"] == len(answers)
            assert told["troubles"] == []
            # On HTTP/2 hypercorn forgets a stream that was cut, and does not reset it.
            if server.protocol == "h1":
                for parts in answers:
                    await parts.cut()


@pytest.mark.parametrize("kind", KINDS)
async def test_answers_in_the_middle_do_not_keep_a_server_from_ending(
    kind: str,
) -> None:
    name = new_name()
    async with AsyncExitStack() as stack:
        with serving(kind, MODULE) as server:
            answers = await stack.enter_async_context(open_answers(server, name))
        # It has ended in time.
        for parts in answers:
            await parts.cut()
