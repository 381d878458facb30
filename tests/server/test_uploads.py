"""Uploads: echoed while they arrive, or not read at all, without cost."""

import asyncio
from typing import Final

import pytest

from .clients import CutError, Exchange
from .servers import ALL, DEADLINE, Endpoint, troubles

MEBIBYTE: Final = 2**20
MEMORY: Final = 16 * MEBIBYTE
PIECE: Final = bytes(MEBIBYTE)

every_endpoint = pytest.mark.parametrize("endpoint", ALL, indirect=True)


@every_endpoint
async def test_content_as_the_body_echoes_an_upload_while_it_arrives(
    endpoint: Endpoint,
) -> None:
    async with asyncio.timeout(DEADLINE), await endpoint.connect() as connection:
        exchange = await connection.request("POST", "/echo", content=None)
        for chunk in [b"first", b"second", bytes(40_000), b"last"]:
            await exchange.upload(chunk)
            received = b""
            while len(received) < len(chunk):
                part = await exchange.chunk()
                assert part
                received += part
            assert received == chunk
        await exchange.upload(b"", is_last=True)
        assert await exchange.chunk() == b""
    await endpoint.server.until_at_rest("-")


@every_endpoint
async def test_a_large_upload_is_echoed_whole_and_costs_no_memory(
    endpoint: Endpoint,
) -> None:
    server, name = endpoint.server, endpoint.new_name()
    before = await server.counters()
    size = MEBIBYTE * (48 if endpoint.is_http2 else 128)
    peak, received = 0, 0
    async with asyncio.timeout(DEADLINE), await endpoint.connect() as connection:
        exchange = await connection.request("POST", f"/echo/{name}", content=None)
        uploading = asyncio.create_task(upload(exchange, size // MEBIBYTE))
        looked = 0
        async for chunk in exchange:
            received += len(chunk)
            if received - looked > 8 * MEBIBYTE:
                looked = received
                peak = max(peak, (await server.counters()).memory)
        await uploading
    assert received == size
    # The checker keeps 64 messages to compare them, of 256 KiB on some servers.
    assert peak - before.memory < MEMORY + 64 * MEBIBYTE // 4
    await server.until_at_rest(name)


async def upload(exchange: Exchange, pieces: int) -> None:
    for _ in range(pieces):
        await exchange.upload(PIECE)
    await exchange.upload(b"", is_last=True)


@every_endpoint
@pytest.mark.troubled
async def test_an_upload_that_nobody_reads_costs_no_memory_and_delays_no_answer(
    endpoint: Endpoint,
) -> None:
    server = endpoint.server
    written = len(server.log())
    before = await server.counters()
    peak = 0
    async with asyncio.timeout(DEADLINE), await endpoint.connect() as connection:
        exchange = await connection.request("POST", "/ignored", content=None)
        await exchange.upload(b"the first of many")
        assert (await exchange.head()).status == 200
        assert await exchange.body() == b"answered"
        try:
            for number in range(endpoint_pieces(endpoint)):
                await exchange.upload(PIECE)
                if number % 16 == 0:
                    peak = max(peak, (await server.counters()).memory)
        except (CutError, ConnectionError):
            pass  # A server may close the connection once it has answered.
    after = await server.until_at_rest("-")
    # On hypercorn an upload later than its answer ends the connection over HTTP/2, by
    # an exception that may meet the last message on its way.
    if not (server.kind == "hypercorn" and endpoint.is_http2):
        assert not troubles(server.log()[written:])
    assert max(peak, after.memory) - before.memory < MEMORY


@every_endpoint
async def test_an_upload_beside_a_stream_that_does_not_read_it_costs_no_memory(
    endpoint: Endpoint,
) -> None:
    server, name = endpoint.server, endpoint.new_name()
    before = await server.counters()
    peak = 0
    async with asyncio.timeout(DEADLINE), await endpoint.connect() as connection:
        exchange = await connection.request("POST", f"/ticks/{name}", content=None)
        assert await exchange.chunk() == b"tick 1\n"
        for number in range(endpoint_pieces(endpoint)):
            await exchange.upload(PIECE)
            if number % 16 == 0:
                peak = max(peak, (await server.counters()).memory)
        await server.open_gate(name)
        assert await exchange.chunk() == b"tick 2\n"
    await server.until_at_rest(name)
    assert peak - before.memory < MEMORY


def endpoint_pieces(endpoint: Endpoint) -> int:
    """How many MiB to upload: the h2 library takes its time."""
    return 32 if endpoint.is_http2 else 200


@every_endpoint
async def test_a_full_queue_of_upload_does_not_hold_up_the_last_byte_of_an_answer(
    endpoint: Endpoint,
) -> None:
    server, name = endpoint.server, endpoint.new_name()
    async with asyncio.timeout(DEADLINE), await endpoint.connect() as connection:
        exchange = await connection.request("POST", f"/late/{name}", content=None)
        await exchange.fill(16 * MEBIBYTE)
        await server.open_gate(name)
        assert await exchange.body() == b"answered"
        await server.until(lambda told: told.calls == 0, name)
    await server.until_at_rest(name)
