"""Clients that leave at every byte of a request and of a response leave nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, cast

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection

from .clients import FIN, RST
from .http1_client import connect_http1
from .http2_client import Http2Exchange
from .servers import DEADLINE, HTTP1, HTTP2, SOCKETS, Endpoint
from .socket_client import BINARY, CONTINUATION, KEY, PING, TEXT, ask, encode

cut_anywhere = pytest.mark.parametrize(
    "endpoint", [*HTTP1, "hypercorn h2", "granian h2"], indirect=True
)

UPLOAD: Final = b"twenty bytes of text"
UPLOADED: Final = b"20 bytes\n"


@cut_anywhere
@pytest.mark.parametrize("how", [FIN, RST])
async def test_clients_that_leave_at_any_byte_of_a_request_leave_nothing(
    endpoint: Endpoint, how: str
) -> None:
    server, name = endpoint.server, endpoint.new_name()
    request = whole_request(endpoint, name)

    async def leave_after(size: int) -> None:
        async with await connect_http1(server.ports.plain) as connection:
            await connection.send(request[:size])
            await connection.leave(how)

    await each_of(range(len(request) + 1), leave_after)
    await server.until_at_rest(name)


@cut_anywhere
@pytest.mark.parametrize("how", [FIN, RST])
async def test_clients_that_leave_at_any_byte_of_a_response_leave_nothing(
    endpoint: Endpoint, how: str
) -> None:
    server, name = endpoint.server, endpoint.new_name()
    request = whole_request(endpoint, name)

    async def read(size: int) -> int:
        """Read so many bytes, at most all there are, and leave."""
        async with await connect_http1(server.ports.plain) as connection:
            await connection.send(request)
            received = b""
            while len(received) < size and UPLOADED not in received:
                received += await connection.reader.readexactly(1)
            await connection.leave(how)
        return len(received)

    async with asyncio.timeout(DEADLINE):
        size = await read(10**6)
    await each_of(range(size), read)
    counters = await server.until_at_rest(name)
    # Over HTTP/2 the first bytes are the server's own, and a RST overtakes the request.
    assert size // 2 < counters.begun <= size + 1


@pytest.mark.parametrize("endpoint", HTTP2, indirect=True)
async def test_streams_that_are_reset_at_any_byte_of_an_upload_leave_nothing(
    endpoint: Endpoint,
) -> None:
    server, name = endpoint.server, endpoint.new_name()

    async def reset_after(size: int) -> None:
        async with await endpoint.connect() as connection:
            exchange = await connection.request("POST", f"/sum/{name}", content=None)
            await exchange.upload(UPLOAD[:size], is_last=size == len(UPLOAD))
            await cast(Http2Exchange, exchange).reset()
            # The other exchanges of the connection go on.
            other = await connection.request("GET", "/hello-world")
            assert await other.body() == b"Hello, World!"

    await each_of(range(len(UPLOAD) + 1), reset_after)
    await server.until_at_rest(name)


@pytest.mark.parametrize("endpoint", HTTP2, indirect=True)
async def test_streams_that_are_reset_at_any_byte_of_a_response_leave_nothing(
    endpoint: Endpoint,
) -> None:
    server, name = endpoint.server, endpoint.new_name()

    async def reset_after(size: int) -> None:
        exchange = await connection.request("POST", f"/sum/{name}", content=UPLOAD)
        await exchange.head()
        received = b""
        while len(received) < size:
            received += await exchange.chunk()
        await cast(Http2Exchange, exchange).reset()

    sizes = range(len(b"reading\n" + UPLOADED) + 1)
    async with asyncio.timeout(DEADLINE), await endpoint.connect() as connection:
        await each_of(sizes, reset_after)
        await server.until(lambda told: told.begun == told.closed == len(sizes), name)
    await server.until_at_rest(name)


# What a client sends once its handshake is complete: a message in two frames, a ping in
# between, and another message.
FRAMES: Final = (
    encode(TEXT, b"a message", is_final=False)
    + encode(PING, b"ping")
    + encode(CONTINUATION, b" in frames")
    + encode(BINARY, bytes(126))
)

sockets = pytest.mark.parametrize("endpoint", SOCKETS, indirect=True)


@sockets
@pytest.mark.parametrize("how", [FIN, RST])
async def test_clients_that_leave_at_any_byte_of_a_handshake_leave_nothing(
    endpoint: Endpoint, how: str
) -> None:
    server, name = endpoint.server, endpoint.new_name()
    handshake = whole_handshake(endpoint, name)

    async def leave_after(size: int) -> None:
        async with await connect_http1(server.ports.plain) as connection:
            await connection.send(handshake[:size])
            await connection.leave(how)

    await each_of(range(len(handshake) + 1), leave_after)
    await server.until_at_rest(name)


@sockets
@pytest.mark.parametrize("how", [FIN, RST])
async def test_clients_that_leave_at_any_byte_of_their_frames_leave_nothing(
    endpoint: Endpoint, how: str
) -> None:
    server, name = endpoint.server, endpoint.new_name()

    async def leave_after(size: int) -> None:
        async with endpoint.socket(f"/echo/{name}") as socket:
            await socket.send_raw(FRAMES[:size])
            await socket.connection.leave(how)

    await each_of(range(len(FRAMES) + 1), leave_after)
    told = await server.until_at_rest(name)
    assert told.begun == len(FRAMES) + 1


@sockets
@pytest.mark.parametrize("how", [FIN, RST])
async def test_clients_that_leave_at_any_byte_of_the_answers_leave_nothing(
    endpoint: Endpoint, how: str
) -> None:
    server, name = endpoint.server, endpoint.new_name()
    handshake = whole_handshake(endpoint, name)
    answer = b"a message in frames"

    async def read(size: int) -> int:
        """Read so many bytes, at most up to the first answer, and leave."""
        async with await connect_http1(server.ports.plain) as connection:
            await connection.send(handshake)
            received, has_spoken = b"", False
            while len(received) < size and answer not in received:
                received += await connection.reader.readexactly(1)
                if not has_spoken and received.endswith(b"\r\n\r\n"):
                    has_spoken = True
                    await connection.send(FRAMES)
            await connection.leave(how)
        return len(received)

    if endpoint.is_http2:
        pytest.skip("its frames are those of HTTP/2, which other tests cut")
    async with asyncio.timeout(DEADLINE):
        size = await read(10**6)
    await each_of(range(size), read)
    told = await server.until_at_rest(name)
    assert size // 2 < told.begun <= size + 1


@pytest.mark.parametrize("endpoint", ["hypercorn h2"], indirect=True)
async def test_sockets_that_are_reset_at_any_byte_of_their_frames_leave_nothing(
    endpoint: Endpoint,
) -> None:
    server, name = endpoint.server, endpoint.new_name()

    async def reset_after(size: int) -> None:
        exchange = await ask(connection, f"/echo/{name}", is_http2=True)
        assert (await exchange.head()).status == 200
        await exchange.upload(FRAMES[:size])
        await cast(Http2Exchange, exchange).reset()

    sizes = range(len(FRAMES) + 1)
    async with asyncio.timeout(DEADLINE), await endpoint.connect() as connection:
        await each_of(sizes, reset_after)
        await server.until(lambda told: told.begun == told.closed == len(sizes), name)
    await server.until_at_rest(name)


async def each_of(
    sizes: Iterable[int], leave: Callable[[int], Awaitable[object]]
) -> None:
    """Let a client leave after each of these sizes, a few of them at a time."""
    turns = asyncio.Semaphore(16)

    async def take_turn(size: int) -> None:
        async with turns:
            await leave(size)

    async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as group:
        for size in sizes:
            group.create_task(take_turn(size))


def whole_request(endpoint: Endpoint, name: str) -> bytes:
    """Make the bytes of an upload to a body that tells its size, and sleeps."""
    if not endpoint.is_http2:
        head = f"POST /sum/{name} HTTP/1.1\r\nhost: a\r\ncontent-length: {len(UPLOAD)}"
        return head.encode() + b"\r\n\r\n" + UPLOAD
    protocol = H2Connection(H2Configuration(client_side=True))
    protocol.initiate_connection()
    path = (":path", f"/sum/{name}")
    fields = [(":method", "POST"), (":scheme", "http"), (":authority", "a"), path]
    protocol.send_headers(1, fields)
    protocol.send_data(1, UPLOAD, end_stream=True)
    return protocol.data_to_send()


def whole_handshake(endpoint: Endpoint, name: str) -> bytes:
    """Make the bytes of a handshake with a handler that sends everything back."""
    if endpoint.is_http2:
        protocol = H2Connection(H2Configuration(client_side=True))
        protocol.initiate_connection()
        fields = [
            *((":method", "CONNECT"), (":protocol", "websocket")),
            *((":scheme", "http"), (":authority", "a"), (":path", f"/echo/{name}")),
            ("sec-websocket-version", "13"),
        ]
        protocol.send_headers(1, fields)
        return protocol.data_to_send()
    lines = [
        f"GET /echo/{name} HTTP/1.1",
        "host: a",
        "connection: Upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        f"sec-websocket-key: {KEY.decode()}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()
