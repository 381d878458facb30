"""A server that drains the application first ends in seconds, whatever goes on."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final

import pytest

from .clients import CutError
from .servers import DEADLINE, Endpoint, Server
from .socket_client import Socket, ask

UNDER: Final = 3
"""Seconds that are promised from the signal to the end of the process."""

EACH: Final = 100
"""As many streams, and as many sockets."""

each_way = pytest.mark.parametrize(
    ("kind", "protocol"),
    [
        ("draining-hypercorn", "h1"),
        ("draining-hypercorn", "h2"),
        ("draining-uvicorn-h11", "h1"),
        ("draining-uvicorn-httptools", "h1"),
    ],
)


@each_way
async def test_100_streams_and_100_sockets_do_not_keep_a_server_from_ending(
    new_server: Callable[[str], Server], kind: str, protocol: str
) -> None:
    server = await asyncio.to_thread(new_server, kind)
    endpoint = Endpoint(server, protocol)
    async with asyncio.timeout(2 * DEADLINE), AsyncExitStack() as stack:
        connections = [
            await stack.enter_async_context(await endpoint.connect())
            for _ in range(2 if endpoint.is_http2 else 2 * EACH)
        ]
        connections *= 2 * EACH // len(connections)
        streams = [
            await connection.request("GET", f"/ticks/{endpoint.new_name()}")
            for connection in connections[:EACH]
        ]
        exchanges = [
            await ask(
                connection,
                f"/{handler}/{endpoint.new_name()}",
                is_http2=endpoint.is_http2,
            )
            for handler, connection in zip(
                ["echo", "ticks"] * (EACH // 2), connections[EACH:], strict=True
            )
        ]
        for stream in streams:
            assert await stream.chunk() == b"tick 1\n"
        sockets = [
            Socket(connection, exchange, await exchange.head())
            for connection, exchange in zip(connections[EACH:], exchanges, strict=True)
        ]
        assert all(each.is_accepted for each in sockets)
        began = time.monotonic()
        status = await asyncio.to_thread(server.terminate)
        seconds = time.monotonic() - began
        assert status in {0, -15}
        for each in sockets:
            assert (await each.closed()).code == 1001
        for stream in streams:
            with pytest.raises(CutError):
                await stream.body()
    assert seconds < UNDER
    assert server.log().count("the shutdown handler ran") == 1
    assert "Traceback" not in server.log()
    assert "Error" not in server.log()


@each_way
async def test_a_drained_application_refuses_streams_and_sockets_and_answers_the_rest(
    new_server: Callable[[str], Server], kind: str, protocol: str
) -> None:
    server = await asyncio.to_thread(new_server, kind)
    endpoint = Endpoint(server, protocol)
    await server.ask("POST", "/drain")
    name = endpoint.new_name()
    async with asyncio.timeout(DEADLINE), await endpoint.connect() as connection:
        plain = await connection.request("GET", "/hello-world")
        assert await plain.body() == b"Hello, World!"
    async with asyncio.timeout(DEADLINE), await endpoint.connect() as connection:
        stream = await connection.request("GET", f"/ticks/{name}")
        assert (await stream.head()).status == 503
        assert await stream.body() == b"Service Unavailable"
    async with endpoint.socket(f"/echo/{name}") as socket:
        assert (socket.head.status, socket.is_accepted) == (503, False)
    assert (await server.counters(name)).begun == 0
