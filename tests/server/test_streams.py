"""Bodies on their way: what arrives when, what fails, and what comes beside them."""

import asyncio
from typing import Final

import pytest

from .clients import RST, CutError, Exchange
from .http2_client import Http2Connection
from .servers import ALL, DEADLINE, EVERY, HTTP1, Endpoint

MEBIBYTE: Final = 2**20
MEMORY: Final = 16 * MEBIBYTE
PIECE: Final = bytes(MEBIBYTE)

every_endpoint = pytest.mark.parametrize("endpoint", ALL, indirect=True)


@pytest.mark.parametrize("endpoint", EVERY, indirect=True)
async def test_a_ticking_stream_arrives_tick_by_tick(endpoint: Endpoint) -> None:
    server, name = endpoint.server, endpoint.new_name()
    async with asyncio.timeout(DEADLINE), await endpoint.connect() as connection:
        exchange = await connection.request("GET", f"/ticks/{name}")
        for number in range(1, 6):
            # The next tick is made when the gate is opened: this one came before.
            assert await exchange.chunk() == b"tick %d\n" % number
            assert (await server.counters(name)).chunks == number
            await server.open_gate(name)
    if endpoint.protocol != "h3":  # hypercorn does not tell that the client left
        await server.until_at_rest(name)


@every_endpoint
async def test_a_client_that_does_not_read_an_endless_stream_costs_no_memory(
    endpoint: Endpoint,
) -> None:
    server, name = endpoint.server, endpoint.new_name()
    before = await server.counters()
    async with (
        asyncio.timeout(DEADLINE),
        await endpoint.connect(has_wide_windows=True) as connection,
    ):
        exchange = await connection.request("GET", f"/endless/{name}/{10**6}")
        await exchange.head()
        if isinstance(connection, Http2Connection):
            await connection.stop_reading()
        blocked = await server.until_blocked(name)
        assert blocked.memory - before.memory < MEMORY
    await server.until_at_rest(name)


@every_endpoint
async def test_a_body_that_never_waits_does_not_keep_others_waiting(
    endpoint: Endpoint,
) -> None:
    server, name = endpoint.server, endpoint.new_name()
    async with asyncio.timeout(DEADLINE), await endpoint.connect() as connection:
        exchange = await connection.request("GET", f"/starving/{name}")
        reading = asyncio.create_task(drop(exchange))
        # Whoever reads on while others are answered is sent more meanwhile.
        told = await server.counters(name)
        for _ in range(5):
            told = await server.until(
                lambda later, before=told.chunks: later.chunks > before, name
            )
        assert told.begun == 1
        assert not reading.done()
        reading.cancel()
        await asyncio.wait([reading])
        await connection.leave(RST)
        await server.until(lambda later: later.closed == 1, name)
    await server.until_at_rest(name)


async def drop(exchange: Exchange) -> None:
    async for _ in exchange:
        pass


@every_endpoint
@pytest.mark.troubled
@pytest.mark.parametrize("error", ["OSError", "ContentTooLarge", "ValueError"])
async def test_a_body_that_fails_cuts_its_response_and_is_logged(
    endpoint: Endpoint, error: str
) -> None:
    server, name = endpoint.server, endpoint.new_name()
    written = len(server.log())
    async with asyncio.timeout(DEADLINE), await endpoint.connect() as connection:
        exchange = await connection.request("GET", f"/failing/{name}/{error}")
        assert await exchange.chunk() == b"so far so good\n"
        await server.open_gate(name)
        await server.until(lambda told: told.closed == 1 and told.calls == 0, name)
        if endpoint.server.kind == "hypercorn" and endpoint.is_http2:
            # hypercorn forgets the stream and does not reset it. It is not ended.
            other = await connection.request("GET", "/hello-world")
            assert await other.body() == b"Hello, World!"
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await exchange.chunk()
        else:
            with pytest.raises(CutError):
                await exchange.chunk()
    log = server.log()[written:]
    assert "ERROR bareasgi." in log
    assert log.index("Traceback") < log.index(error)
    await server.until_at_rest(name)


@pytest.mark.parametrize(
    "endpoint", [each for each in ALL if each.startswith("hypercorn h2")], indirect=True
)
async def test_pushes_arrive_as_promises_beside_the_response(
    endpoint: Endpoint,
) -> None:
    async with asyncio.timeout(DEADLINE), await endpoint.connect() as connection:
        assert isinstance(connection, Http2Connection)
        exchange = await connection.request("GET", "/pushing")
        assert await exchange.body() == b"look what comes beside me"
        (fields, hello), (others, number) = connection.pushes
        assert fields[b":method"] == b"GET"
        assert fields[b":path"] == b"/hello-world"
        assert fields[b"accept"] == b"text/plain"
        assert await hello.body() == b"Hello, World!"
        assert others[b":path"] == b"/number/7"
        assert await number.body() == b"7"


@pytest.mark.parametrize("endpoint", [*HTTP1, "granian h2"], indirect=True)
async def test_pushes_are_ignored_where_there_are_none(endpoint: Endpoint) -> None:
    async with asyncio.timeout(DEADLINE), await endpoint.connect() as connection:
        exchange = await connection.request("GET", "/pushing")
        assert (await exchange.head()).status == 200
        assert await exchange.body() == b"look what comes beside me"
        # Nothing else came: the connection is good for the next request.
        after = await connection.request("GET", "/hello-world")
        assert await after.body() == b"Hello, World!"
