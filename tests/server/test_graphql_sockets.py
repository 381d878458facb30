"""GraphQL over WebSockets of real servers: codes that arrive, clients that leave."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import product
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import pytest

from .clients import FIN, RST
from .commands import DRAINING, Certificate
from .servers import DEADLINE, Endpoint, Server, troubles
from .socket_client import CLOSE, ClosedError, Socket

Json: TypeAlias = dict[str, Any]

MODERN: Final = "graphql-transport-ws"
LEGACY: Final = "graphql-ws"
WORDS: Final = {MODERN: ("subscribe", "complete"), LEGACY: ("start", "stop")}

KINDS: Final = (
    "draining-hypercorn h1",
    "draining-hypercorn h2",
    "draining-uvicorn-h11 h1",
    "draining-uvicorn-httptools h1",
)
OVER_TCP: Final = tuple(kind for kind in KINDS if kind.endswith("h1"))
CLOSING: Final = "a close frame"
UNDER: Final = 3
"""Seconds that are promised from the signal to the end of the process."""


class GraphQLServer(Server):
    """A process that serves GraphQL too, and drains it first."""

    def _start(self) -> "subprocess.Popen[bytes]":
        _, *arguments = DRAINING[self.kind](self.ports, self.certificate)
        with self.log_path.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "server.graphql_served", *arguments],
                cwd=Path(__file__).parent.parent,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


NewServer: TypeAlias = Callable[[str], GraphQLServer]


@pytest.fixture(scope="module")
def new_graphql_server(
    certificate: Certificate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NewServer]:
    """Starts a server of its own for a test. It is stopped at the latest at the end."""
    servers: list[GraphQLServer] = []

    def start(kind: str) -> GraphQLServer:
        server = GraphQLServer(kind, tmp_path_factory.mktemp(kind), certificate)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def shared(new_graphql_server: NewServer) -> NewServer:
    """Gives the server of a kind that most tests share."""
    servers: dict[str, GraphQLServer] = {}

    def get(kind: str) -> GraphQLServer:
        if kind not in servers or not servers[kind].is_running:
            servers[kind] = new_graphql_server(kind)
        return servers[kind]

    return get


@pytest.fixture
def served(request: pytest.FixtureRequest, shared: NewServer) -> Iterator[Endpoint]:
    """The server and protocol that a test is run with. It logs no error."""
    kind, _, protocol = request.param.partition(" ")
    server = shared(kind)
    written = len(server.log())
    yield Endpoint(server, protocol)
    told = server.log()[written:]
    if request.node.get_closest_marker("troubled") is None:
        assert not troubles(told), told


each_server = pytest.mark.parametrize("served", KINDS, indirect=True)
each_protocol = pytest.mark.parametrize("protocol", [MODERN, LEGACY])


class Client:
    """Speaks one of the protocols."""

    def __init__(self, socket: Socket, protocol: str) -> None:
        self.socket = socket
        self.protocol = protocol

    async def say(self, kind: str, **fields: object) -> None:
        """Send a message."""
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def hear(self) -> Json:
        """Take the next message."""
        text = await self.socket.message()
        assert isinstance(text, str)
        return cast(Json, json.loads(text))

    async def payload(self) -> object:
        """Take the next message, and give its payload."""
        return (await self.hear()).get("payload")

    async def connect(self) -> None:
        """Be let in."""
        await self.say("connection_init")
        assert (await self.hear())["type"] == "connection_ack"
        if self.protocol == LEGACY:
            assert (await self.hear())["type"] == "ka"

    async def start(self, query: str, name: str = "1") -> None:
        """Begin an operation."""
        word, _ = WORDS[self.protocol]
        await self.say(word, id=name, payload={"query": query})

    async def stop(self, name: str = "1") -> None:
        """End an operation."""
        _, word = WORDS[self.protocol]
        await self.say(word, id=name)

    async def closed(self) -> tuple[int, str]:
        """Wait until the server closes, whatever it says before."""
        closed = await self.socket.closed()
        return closed.code, closed.reason


@asynccontextmanager
async def opened(
    endpoint: Endpoint, protocol: str | None = MODERN, path: str = "/graphql"
) -> AsyncGenerator[Client]:
    """Open a socket, and say nothing."""
    offered = [] if protocol is None else [protocol]
    async with endpoint.socket(path, subprotocols=offered) as socket:
        assert socket.is_accepted
        chosen = socket.head.get(b"sec-websocket-protocol")
        assert chosen == (protocol.encode() if protocol else None)
        yield Client(socket, protocol or MODERN)


@asynccontextmanager
async def connected(endpoint: Endpoint, protocol: str) -> AsyncGenerator[Client]:
    """Open a socket, and be let in."""
    async with opened(endpoint, protocol) as client:
        await client.connect()
        yield client


# What is said.


@each_server
@each_protocol
async def test_operations_are_run(served: Endpoint, protocol: str) -> None:
    async with connected(served, protocol) as client:
        await client.start("{ hello }")
        assert await client.payload() == {"data": {"hello": "world"}}
        assert await client.hear() == {"type": "complete", "id": "1"}
        await client.start("mutation { change }")
        assert await client.payload() == {"data": {"change": "changed"}}
        assert await client.hear() == {"type": "complete", "id": "1"}
        await client.start("subscription { count(to: 1000) }")
        for number in range(1000):
            assert await client.payload() == {"data": {"count": number}}
        assert await client.hear() == {"type": "complete", "id": "1"}
        await client.start("{ missing }")
        assert (await client.hear())["type"] == "error"
        await client.start("subscription { fails }")
        assert await client.payload() == {"data": {"fails": 1}}
        last = await client.hear()
        assert last["type"] == "error"
        assert "on purpose" in str(last)
        assert (await client.socket.close()).code == 1000


@each_server
@each_protocol
async def test_a_client_may_be_told_something_when_it_is_let_in(
    served: Endpoint, protocol: str
) -> None:
    async with opened(served, protocol) as client:
        await client.say("connection_init", payload={"ask for": "a greeting"})
        assert await client.payload() == {"greeting": "hello"}


@each_server
@each_protocol
async def test_a_client_is_pinged(served: Endpoint, protocol: str) -> None:
    async with opened(served, protocol, "/lively") as client:
        await client.connect()
        for _ in range(3):
            word = "ping" if protocol == MODERN else "ka"
            assert await client.hear() == {"type": word}
        if protocol == MODERN:
            await client.say("ping", payload={"sent": 1})
            while (message := await client.hear()) == {"type": "ping"}:
                pass
            assert message == {"type": "pong", "payload": {"sent": 1}}


# The codes that arrive.

INIT: Final = '{"type": "connection_init"}'
SUBSCRIBE: Final = (
    '{"type": "subscribe", "id": "1",'
    ' "payload": {"query": "subscription { ticks(name: \\"-\\") }"}}'
)
CODES: Final[dict[str, tuple[list[str | bytes], int, str]]] = {
    "no JSON": (["no JSON"], 4400, "The request is not valid JSON"),
    "binary": ([INIT.encode()], 4400, "A message must be text"),
    "too early": ([SUBSCRIBE], 4401, "Unauthorized"),
    "refused": (
        ['{"type": "connection_init", "payload": {"ask for": "a refusal"}}'],
        4403,
        "Forbidden",
    ),
    "a second initialisation": ([INIT, INIT], 4429, "Too many initialisation requests"),
    "too big": (["x" * 2**21], 1009, "Message too big"),
}


@each_server
@pytest.mark.parametrize("case", CODES)
async def test_the_code_of_a_close_arrives_with_its_reason(
    served: Endpoint, case: str
) -> None:
    messages, code, reason = CODES[case]
    async with opened(served) as client:
        for message in messages:
            await client.socket.send(message)
        assert await client.closed() == (code, reason)


@each_server
async def test_a_name_that_is_taken_closes(served: Endpoint) -> None:
    name = served.new_name()
    async with connected(served, MODERN) as client:
        await client.start(f'subscription {{ waits(name: "{name}") }}')
        assert await client.payload() == {"data": {"waits": 1}}
        await client.start("{ hello }")
        assert await client.closed() == (4409, "Subscriber for 1 already exists")
        await served.server.until(lambda told: told.closed == 1, name)


@each_server
@each_protocol
async def test_an_initialisation_that_never_comes_closes(
    served: Endpoint, protocol: str
) -> None:
    async with opened(served, protocol, "/hurried") as client:
        closed = await client.closed()
    assert closed == (4408, "Connection initialisation timeout")


@each_server
async def test_who_offers_no_known_protocol_is_told_so(served: Endpoint) -> None:
    async with opened(served, None) as client:
        assert await client.closed() == (4406, "Subprotocol not acceptable")


@each_server
async def test_an_older_client_is_told_that_it_is_refused_twice(
    served: Endpoint,
) -> None:
    async with opened(served, LEGACY) as client:
        await client.say("connection_init", payload={"ask for": "a refusal"})
        payload = {"message": "Forbidden"}
        error = {"type": "connection_error", "payload": payload}
        assert await client.hear() == error
        assert await client.closed() == (4403, "Forbidden")


@each_server
async def test_an_older_client_terminates(served: Endpoint) -> None:
    async with connected(served, LEGACY) as client:
        await client.say("connection_terminate")
        assert (await client.closed())[0] == 1000


@each_server
@pytest.mark.troubled
async def test_a_failure_of_ours_is_a_code_that_tells_nothing(served: Endpoint) -> None:
    async with opened(served) as client:
        await client.say("connection_init", payload={"ask for": "a failure"})
        assert await client.closed() == (4500, "Internal Server Error")
    log = served.server.log()
    assert log.count("a secret of the application") >= 1


@each_server
async def test_a_foreign_page_is_refused(served: Endpoint) -> None:
    origin = [(b"origin", b"https://foreign.example")]
    async with served.socket(
        "/graphql", subprotocols=[MODERN], headers=origin
    ) as socket:
        assert not socket.is_accepted
        assert socket.head.status == 403


# Stopping and leaving.


@each_server
@each_protocol
@pytest.mark.parametrize("field", ["ticks", "waits"])
async def test_a_subscription_that_is_stopped_closes_its_source_at_once(
    served: Endpoint, protocol: str, field: str
) -> None:
    name = served.new_name()
    async with connected(served, protocol) as client:
        await client.start(f'subscription {{ {field}(name: "{name}") }}')
        assert await client.payload() == {"data": {field: 1}}
        await client.stop()
        await served.server.until(lambda told: told.closed == 1, name)
        # Whatever was on its way comes before; the connection goes on.
        await client.start("{ hello }", "2")
        while (message := await client.hear())["id"] == "1":
            pass
        assert message["payload"] == {"data": {"hello": "world"}}
    await served.server.until_at_rest(name)


async def leave(client: Client, how: str) -> None:
    """Go away."""
    if how == CLOSING:
        await client.socket.send_frame(CLOSE, (1001).to_bytes(2))
    else:
        await client.socket.connection.leave(how)


@pytest.mark.parametrize(
    ("served", "field", "how"),
    [
        pytest.param(kind, field, how, id=f"{kind} {field} {how}")
        for kind, field, how in product(
            KINDS, ("ticks", "waits", "flood"), (FIN, RST, CLOSING)
        )
        # hypercorn keeps whatever is sent into a closed HTTP/2 window.
        if not (field == "flood" and kind.endswith("h2"))
    ],
    indirect=["served"],
)
async def test_a_client_that_leaves_closes_its_sources_at_once(
    served: Endpoint, field: str, how: str
) -> None:
    server, name = served.server, served.new_name()
    async with connected(served, MODERN) as client:
        count = 1 if field == "flood" else 5
        for number in range(count):
            await client.start(
                f'subscription {{ {field}(name: "{name}") }}', str(number)
            )
        await server.until(lambda told: told.begun == count, name)
        if field == "flood":
            # The client reads nothing: the source is held up.
            await server.until_blocked(name)
        assert (await server.counters(name)).closed == 0
        await leave(client, how)
        # Who has closed, and does not read, keeps the answer to that from being sent.
        reading = asyncio.create_task(client.socket.ended())
        await server.until(lambda told: told.closed == count, name)
        reading.cancel()
        await asyncio.wait([reading])
    await server.until_at_rest(name)


@each_server
@each_protocol
async def test_a_client_that_leaves_cancels_its_query(
    served: Endpoint, protocol: str
) -> None:
    name = served.new_name()
    async with connected(served, protocol) as client:
        await client.start(f'{{ late(name: "{name}") }}')
        await served.server.until(lambda told: told.begun == 1, name)
        await leave(client, FIN)
        await served.server.until(lambda told: told.closed == 1, name)
    await served.server.until_at_rest(name)


# Draining.


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_that_ends_closes_all_sockets_and_sources(
    new_graphql_server: NewServer, kind: str
) -> None:
    kind, _, protocol = kind.partition(" ")
    server = await asyncio.to_thread(new_graphql_server, kind)
    endpoint = Endpoint(server, protocol)
    async with asyncio.timeout(2 * DEADLINE), AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(connected(endpoint, each))
            for each in (MODERN, LEGACY) * 5
        ]
        for client in clients:
            for number in range(10):
                await client.start('subscription { waits(name: "-") }', str(number))
            for _ in range(10):
                assert await client.payload() == {"data": {"waits": 1}}
        began = time.monotonic()
        status = await asyncio.to_thread(server.terminate)
        seconds = time.monotonic() - began
        assert status in {0, -15}
        for client in clients:
            # Nothing comes before the close: no operation was completed.
            with pytest.raises(ClosedError) as closed:
                await client.hear()
            assert closed.value.code == 1001
    assert seconds < UNDER
    log = server.log()
    assert "0 sources are open" in log
    assert "Traceback" not in log
    assert "ERROR" not in log


@pytest.mark.parametrize("kind", OVER_TCP)
async def test_draining_closes_the_source_of_a_client_that_does_not_read(
    new_graphql_server: NewServer, kind: str
) -> None:
    kind, _, protocol = kind.partition(" ")
    server = await asyncio.to_thread(new_graphql_server, kind)
    endpoint = Endpoint(server, protocol)
    name = endpoint.new_name()
    async with connected(endpoint, MODERN) as client:
        await client.start(f'subscription {{ flood(name: "{name}") }}')
        await server.until_blocked(name)
        await server.ask("POST", "/drain")
        assert (await server.counters(name)).closed == 1
    assert not troubles(server.log())
