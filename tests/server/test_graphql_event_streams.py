"""GraphQL over event streams, on real servers: clients that leave, stop, and stay."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import pytest
from programs import free_port, running
from repository import ROOT

from .clients import (
    FIN,
    LOOKS,
    PAUSE,
    RST,
    RST_STREAM,
    Connection,
    CutError,
    Exchange,
    Fields,
    Head,
)
from .http1_client import connect_http1
from .http2_client import Http2Connection, Http2Exchange, connect_http2
from .servers import DEADLINE

KINDS: Final = ("hypercorn h1", "hypercorn h2", "uvicorn h1")
UNDER: Final = 5
"""Seconds in which a server with open streams ends; it takes less than one."""

EVENTS: Final = (b"accept", b"text/event-stream")
JSON: Final = (b"content-type", b"application/json")
TOKEN: Final = b"x-graphql-event-stream-token"

names: Final = count(1)


@dataclass
class Server:
    """A server that runs, spoken to in one version of HTTP.

    Attributes:
        tasks: the fewest that it ever told of, when it was asked and did nothing else.
    """

    port: int
    protocol: str
    tasks: int = field(default=sys.maxsize)

    async def connect(self) -> Connection:
        """Open a connection, with wide windows: hypercorn keeps what does not fit."""
        if self.protocol == "h2":
            return await connect_http2(self.port, has_wide_windows=True)
        return await connect_http1(self.port)

    async def ask(
        self, method: str, path: str, headers: Fields = (), content: bytes = b""
    ) -> tuple[Head, bytes]:
        """Make a request on a connection of its own."""
        async with await connect_http1(self.port) as connection:
            fields = [*headers, (b"connection", b"close")]
            exchange = await connection.request(method, path, fields, content)
            return await exchange.head(), await exchange.body()

    async def state(self, name: str) -> dict[str, Any]:
        _, body = await self.ask("GET", f"/state/{name}")
        told: dict[str, Any] = json.loads(body)
        self.tasks = min(self.tasks, told["tasks"])
        return told

    async def until(
        self, claim: Callable[[dict[str, Any]], bool], name: str
    ) -> dict[str, Any]:
        """Wait until the claim is true of what became of the sources of this name."""
        async with asyncio.timeout(DEADLINE):
            while True:
                told = await self.state(name)
                if claim(told):
                    return told
                await asyncio.sleep(PAUSE)

    async def until_at_rest(self, name: str) -> None:
        """Wait until all sources of the name are closed, and no task is left of them.

        None may have been closed twice, and nothing have been logged.
        """
        told = await self.until(
            lambda told: (
                told["closed"] >= told["begun"] > 0 and told["tasks"] <= self.tasks
            ),
            name,
        )
        assert told["closed"] == told["begun"]
        assert told["troubles"] == []

    async def until_held_up(self, name: str) -> None:
        """Wait until the sources of the name are asked for nothing more."""
        looks = [0]

        def is_held_up(told: dict[str, Any]) -> bool:
            looks.append(told["given"])
            return looks[-1] > 0 and looks[-LOOKS:] == [looks[-1]] * LOOKS

        await self.until(is_held_up, name)


@contextmanager
def serving(kind: str) -> Generator[Server]:
    way, protocol = kind.split()
    port = free_port()
    command = [sys.executable, "-m", "server.graphql_streams_served", way, str(port)]
    with running(*command, port=port, cwd=ROOT / "tests", end_within=UNDER):
        yield Server(port, protocol)


@pytest.fixture(scope="module", params=KINDS)
def shared(request: pytest.FixtureRequest) -> Iterator[Server]:
    with serving(request.param) as server:
        yield server


@pytest.fixture
async def server(shared: Server) -> Server:
    """The server of a kind, which is at rest."""
    await shared.state("-")
    return shared


def new_name() -> str:
    return f"stream-{next(names)}"


def asking(field: str, name: str, operation_id: str | None = None) -> bytes:
    query = f'subscription {{ {field}(name: "{name}") }}'
    extensions = {"operationId": operation_id} if operation_id else None
    return json.dumps({"query": query, "extensions": extensions}).encode()


async def distinct(connection: Connection, field: str, name: str) -> Exchange:
    """Ask for an operation, and for its results as an event stream."""
    return await connection.request(
        "POST", "/graphql", [JSON, EVENTS], asking(field, name)
    )


async def read_until(exchange: Exchange, end: bytes) -> bytes:
    """Read until there is this text, and give all that was read."""
    text = b""
    async with asyncio.timeout(DEADLINE):
        while end not in text:
            chunk = await exchange.chunk()
            assert chunk, text
            text += chunk
    return text


async def rest_of(exchange: Exchange) -> bytes:
    """Read until the response is cut, and give what came before."""
    text = b""
    async with asyncio.timeout(DEADLINE):
        try:
            async for chunk in exchange:
                text += chunk
        except CutError:
            return text
    raise AssertionError(f"ended, and was not cut: {text!r}")


class Client:
    """A client that has reserved a stream."""

    def __init__(self, server: Server, token: bytes) -> None:
        self.server = server
        self.header = TOKEN, token

    async def open(self, connection: Connection) -> Exchange:
        exchange = await connection.request("GET", "/graphql", [self.header, EVENTS])
        assert (await exchange.head()).status == 200
        return exchange

    async def run(self, field: str, name: str, operation_id: str) -> int:
        content = asking(field, name, operation_id)
        headers = [self.header, JSON]
        head, _ = await self.server.ask("POST", "/graphql", headers, content)
        return head.status

    async def stop(self, operation_id: str) -> int:
        path = f"/graphql?operationId={operation_id}"
        head, _ = await self.server.ask("DELETE", path, [self.header])
        return head.status


async def reserved(server: Server) -> Client:
    head, token = await server.ask("PUT", "/graphql")
    assert head.status == 201
    return Client(server, token)


async def leave(connection: Connection, exchange: Exchange, how: str) -> None:
    if how != RST_STREAM:
        await connection.leave(how)
    else:
        assert isinstance(exchange, Http2Exchange)
        await exchange.reset()


each_way_to_leave = pytest.mark.parametrize(
    ("shared", "how"),
    [
        (kind, how)
        for kind in KINDS
        for how in (FIN, RST, RST_STREAM)
        if how != RST_STREAM or kind.endswith("h2")
    ],
    indirect=["shared"],
    scope="module",
)


async def test_the_client_hears_that_it_is_connected_before_there_is_a_result(
    server: Server,
) -> None:
    client = await reserved(server)
    async with await server.connect() as connection:
        # Nothing was asked for yet: the headers come with what is no result.
        exchange = await client.open(connection)
        assert (await exchange.head()).get(b"content-type") == b"text/event-stream"
        assert await exchange.chunk() == b":\n\n"


async def test_results_arrive_as_they_come(server: Server) -> None:
    name = new_name()
    async with await server.connect() as connection:
        exchange = await distinct(connection, "held", name)
        text = await read_until(exchange, b'{"held": 1}}\n\n')
        assert text == b':\n\nevent: next\ndata: {"data": {"held": 1}}\n\n'
        assert (await server.state(name))["closed"] == 0
    await server.until_at_rest(name)


@each_way_to_leave
@pytest.mark.parametrize("field", ["held", "endless"])
async def test_a_client_that_leaves_closes_the_source(
    server: Server, field: str, how: str
) -> None:
    name = new_name()
    async with await server.connect() as connection:
        exchange = await distinct(connection, field, name)
        await read_until(exchange, b"event: next")
        await leave(connection, exchange, how)
        await server.until(lambda told: bool(told["closed"]), name)
    await server.until_at_rest(name)


@each_way_to_leave
async def test_a_client_that_leaves_closes_all_sources_of_its_single_connection(
    server: Server, how: str
) -> None:
    name = new_name()
    client = await reserved(server)
    async with await server.connect() as connection:
        exchange = await client.open(connection)
        for operation_id, field in ("a", "held"), ("b", "held"), ("c", "endless"):
            assert await client.run(field, name, operation_id) == 202
        await read_until(exchange, b'"id": "c"')
        await leave(connection, exchange, how)
        await server.until(lambda told: told["closed"] == 3, name)
    await server.until_at_rest(name)
    assert await client.run("held", name, "d") == 404


async def test_a_client_stops_one_operation_of_several(server: Server) -> None:
    name = new_name()
    client = await reserved(server)
    async with await server.connect() as connection:
        exchange = await client.open(connection)
        assert await client.run("held", name, "a") == 202
        await read_until(exchange, b'"id": "a"')
        assert await client.run("held", name, "b") == 202
        await read_until(exchange, b'"id": "b"')
        assert await client.stop("a") == 200
        told = await server.state(name)
        assert (told["begun"], told["closed"]) == (2, 1)
        assert await client.run("held", name, "a") == 202
        await read_until(exchange, b'"id": "a"')
    await server.until_at_rest(name)


async def test_a_client_that_does_not_read_holds_its_sources_up(
    server: Server,
) -> None:
    name = new_name()
    client = await reserved(server)
    async with await server.connect() as connection:
        await client.open(connection)
        if isinstance(connection, Http2Connection):
            await connection.stop_reading()
        for number in range(3):
            assert await client.run("endless", name, str(number)) == 202
        await server.until_held_up(name)
        await connection.leave(RST)
    await server.until_at_rest(name)


@asynccontextmanager
async def two_streams(
    server: Server, name: str
) -> AsyncGenerator[tuple[Exchange, Exchange]]:
    """Have a source in a stream of its own, and one in a single connection."""
    client = await reserved(server)
    async with await server.connect() as one, await server.connect() as other:
        streams = await distinct(one, "held", name), await client.open(other)
        assert await client.run("held", name, "a") == 202
        for stream in streams:
            await read_until(stream, b'"held": 1}')
        yield streams


@pytest.mark.parametrize("kind", KINDS)
async def test_drain_closes_the_sources_and_cuts_the_streams(kind: str) -> None:
    name = new_name()
    with serving(kind) as server:
        async with two_streams(server, name) as streams:
            head, body = await server.ask("POST", "/drain")
            assert (head.status, body) == (200, b"true")
            told = await server.state(name)
            assert (told["begun"], told["closed"]) == (2, 2)
            assert told["troubles"] == []
            # On HTTP/2 hypercorn forgets a stream that was cut, and does not reset it.
            if server.protocol == "h1":
                for stream in streams:
                    assert b"complete" not in await rest_of(stream)


@pytest.mark.parametrize("kind", KINDS)
async def test_open_streams_do_not_keep_a_server_from_ending(kind: str) -> None:
    name = new_name()
    async with AsyncExitStack() as stack:
        with serving(kind) as server:
            streams = await stack.enter_async_context(two_streams(server, name))
        # It has ended in time.
        for stream in streams:
            assert b"complete" not in await rest_of(stream)
