"""Clients of WebSockets that go away, in every way, end their handlers, once.

Where a server tells nobody that a client has left, the test says so.
"""

import asyncio
from itertools import product
from typing import Final

import pytest

from .clients import FIN, RST, RST_STREAM, TcpConnection
from .http1_client import Http1Connection
from .http2_client import Http2Exchange
from .servers import DEADLINE, SOCKETS, Endpoint
from .socket_client import CLOSE, TEXT, Socket, ask, encode

MEBIBYTE: Final = 2**20
MEMORY: Final = 16 * MEBIBYTE

CLOSING: Final = "a close frame"

RECEIVERS: Final = ("echo", "impatient-echo", "ticking-echo")
SENDERS: Final = ("ticks", "flood")

BUFFERED: Final = "hypercorn keeps whatever is sent into a closed HTTP/2 window"

KEPT: Final = "granian keeps what is sent to a client that has left, until that is told"


# Why a cell of the matrix cannot be, on a server as it is.
IMPOSSIBLE: Final[dict[tuple[str, ...], str]] = {
    ("hypercorn h2", "flood"): BUFFERED,
    ("granian h1", "flood", CLOSING): (
        "granian may never close the connection of a client that closes in the proper"
        " way while it is held up in sending"
    ),
}


async def leave(endpoint: Endpoint, socket: Socket, how: str) -> None:
    """Go away."""
    if how == CLOSING:
        await socket.send_frame(CLOSE, (3001).to_bytes(2) + b"that is all")
    elif how == RST_STREAM:
        assert isinstance(socket.exchange, Http2Exchange)
        await socket.exchange.reset()
    else:
        await socket.connection.leave(how)


def ways(kind: str) -> tuple[str, ...]:
    return (FIN, RST, CLOSING, *([RST_STREAM] if kind.endswith("h2") else []))


every_server = pytest.mark.parametrize("endpoint", SOCKETS, indirect=True)

MATRIX: Final = [
    pytest.param(kind, handler, how, id=f"{kind} {handler} {how}")
    for kind, handler in product(SOCKETS, (*RECEIVERS, *SENDERS))
    for how in ways(kind)
]


@pytest.mark.parametrize(("endpoint", "handler", "how"), MATRIX, indirect=["endpoint"])
async def test_a_handler_ends_once_when_its_client_leaves(
    endpoint: Endpoint, handler: str, how: str
) -> None:
    kind = f"{endpoint.server.kind} {endpoint.protocol}"
    if reason := IMPOSSIBLE.get((kind, handler), IMPOSSIBLE.get((kind, handler, how))):
        pytest.skip(reason)
    server, name = endpoint.server, endpoint.new_name()
    before = await server.counters()
    async with endpoint.socket(f"/{handler}/{name}") as socket:
        if handler in SENDERS:
            await socket.message()
        else:
            await socket.send("a message")
            assert await socket.message() in {"a message", "tick"}
        if handler == "flood":
            # The client reads nothing: the handler is held up in `send`.
            during = await server.until_blocked(name)
            assert during.memory - before.memory < MEMORY
        assert (await server.counters(name)).closed == 0
        await leave(endpoint, socket, how)
        # Who has closed, and does not read, keeps the answer to that from being sent.
        reading = asyncio.create_task(socket.ended())
        await server.until(lambda told: told.closed == 1 and told.calls == 0, name)
        reading.cancel()
        await asyncio.wait([reading])
    told = await server.until_at_rest(name)
    assert (told.begun, told.closed) == (1, 1)
    assert told.code in {1005, 1006, 3001}


@every_server
@pytest.mark.parametrize("handler", ["ticks", "flood"])
@pytest.mark.parametrize("how", [FIN, RST])
async def test_a_handler_that_does_not_listen_to_its_client_ends_when_that_leaves(
    endpoint: Endpoint, handler: str, how: str
) -> None:
    if handler == "flood" and (endpoint.is_http2 or endpoint.server.kind == "granian"):
        pytest.skip(BUFFERED if endpoint.is_http2 else KEPT)
    server, name = endpoint.server, endpoint.new_name()
    async with endpoint.socket(f"/{handler}/{name}") as socket:
        await socket.message()
        for _ in range(5):
            await socket.send("is there anybody?")
        await leave(endpoint, socket, how)
        await server.until(lambda told: told.closed == 1 and told.calls == 0, name)
    await server.until_at_rest(name)


@every_server
@pytest.mark.parametrize("how", [FIN, CLOSING])
async def test_what_a_client_said_before_it_left_is_received(
    endpoint: Endpoint, how: str
) -> None:
    server, name = endpoint.server, endpoint.new_name()
    async with endpoint.socket(f"/listening/{name}") as socket:
        for number in range(20):
            await socket.send(f"message {number}")
        if how == FIN:
            # A client that aborts takes back what it sent.
            assert isinstance(socket.connection, TcpConnection)
            socket.connection.writer.close()
        else:
            await leave(endpoint, socket, how)
        await server.until(lambda told: told.closed == 1, name)
    told = await server.until_at_rest(name)
    assert (told.begun, told.closed, told.chunks) == (1, 1, 20)


@every_server
@pytest.mark.parametrize("how", [FIN, RST])
async def test_a_client_that_leaves_within_the_handshake_leaves_nothing(
    endpoint: Endpoint, how: str
) -> None:
    server, name = endpoint.server, endpoint.new_name()
    async with asyncio.timeout(DEADLINE), await endpoint.connect() as connection:
        await ask(connection, f"/late/{name}", is_http2=endpoint.is_http2)
        await server.until(lambda told: told.begun == 1, name)
        await connection.leave(how)
        await server.open_gate(name)
        await server.until(lambda told: told.closed == 1, name)
    told = await server.until_at_rest(name)
    assert (told.begun, told.closed) == (1, 1)


# hypercorn refuses to read on, tells nobody, and never forgets that connection.
@pytest.mark.parametrize(
    "endpoint", ["uvicorn-h11 h1", "uvicorn-httptools h1", "granian h1"], indirect=True
)
async def test_a_client_that_does_not_wait_for_the_handshake_leaves_nothing(
    endpoint: Endpoint,
) -> None:
    server, name = endpoint.server, endpoint.new_name()
    async with asyncio.timeout(DEADLINE), await endpoint.connect() as connection:
        exchange = await ask(connection, f"/late/{name}")
        await server.until(lambda told: told.begun == 1, name)
        assert isinstance(connection, Http1Connection)
        await connection.send(encode(TEXT, b"I cannot wait"))
        await server.open_gate(name)
        if server.kind != "uvicorn-httptools":  # wsproto says nothing more
            socket = Socket(connection, exchange, await exchange.head())
            assert await socket.message() == "I cannot wait"
    told = await server.until_at_rest(name)
    assert (told.begun, told.closed) == (1, 1)
