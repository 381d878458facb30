"""A client that goes away ends its body, whatever that was doing, and leaves nothing.

The counters come from the server's process: how often each body's `finally` ran, which
tasks, descriptors and calls of the application are left, and how much memory is held.
"""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import product
from typing import Final, cast

import pytest

from .clients import FIN, RST, RST_STREAM, Connection, Exchange
from .http2_client import Http2Connection, Http2Exchange
from .servers import ALL, DEADLINE, HTTP2, Endpoint

MEBIBYTE: Final = 2**20
MEMORY: Final = 16 * MEBIBYTE
ENDLESS: Final = 10**6
"""More chunks of 64 KiB than any buffer holds."""

LIMITED: Final = 100
"""So many that a server which keeps them all has less than 16 MiB to keep."""


async def asleep(endpoint: Endpoint, connection: Connection, name: str) -> Exchange:
    exchange = await connection.request("GET", f"/ticks/{name}")
    assert await exchange.chunk() == b"tick 1\n"
    return exchange


async def asleep_beside_an_upload(
    endpoint: Endpoint, connection: Connection, name: str
) -> Exchange:
    exchange = await connection.request("POST", f"/ticks/{name}", content=None)
    await exchange.upload(bytes(1000))
    assert await exchange.chunk() == b"tick 1\n"
    await exchange.upload(bytes(MEBIBYTE))
    return exchange


async def blocked_in_send(
    endpoint: Endpoint, connection: Connection, name: str
) -> Exchange:
    exchange = await connection.request("GET", f"/endless/{name}/{ENDLESS}")
    await exchange.head()
    if isinstance(connection, Http2Connection):
        await connection.stop_reading()
    await endpoint.server.until_blocked(name)
    return exchange


async def behind_a_closed_window(
    endpoint: Endpoint, connection: Connection, name: str
) -> Exchange:
    """Wait for more than its window holds. hypercorn keeps all of it: a limit."""
    cast(Http2Connection, connection).keeps_windows_open = False
    exchange = await connection.request("GET", f"/endless/{name}/{LIMITED}")
    await exchange.head()
    if endpoint.server.kind == "hypercorn":
        await endpoint.server.until(lambda told: told.chunks == LIMITED, name)
    else:
        await endpoint.server.until_blocked(name)
    return exchange


async def uploading(endpoint: Endpoint, connection: Connection, name: str) -> Exchange:
    exchange = await connection.request("POST", f"/echo/{name}", content=None)
    await exchange.upload(b"here I am")
    assert await exchange.chunk() == b"here I am"
    return exchange


async def uploading_and_blocked_in_send(
    endpoint: Endpoint, connection: Connection, name: str
) -> Exchange:
    exchange = await connection.request("POST", f"/flood/{name}", content=None)
    await exchange.upload(b"here I am")
    await exchange.head()
    if isinstance(connection, Http2Connection):
        await connection.stop_reading()
    await endpoint.server.until_blocked(name)
    await exchange.fill(16 * MEBIBYTE)
    return exchange


State = Callable[[Endpoint, Connection, str], Awaitable[Exchange]]
STATES: Final[tuple[State, ...]] = (
    asleep,
    asleep_beside_an_upload,
    blocked_in_send,
    uploading,
    uploading_and_blocked_in_send,
)

QUEUE_IS_FULL: Final = (
    "with ten messages of upload waiting hypercorn reads nothing more, and hands the"
    " news of a failed write to the same full queue, within the body's own `send`"
)
READER_IS_STUCK: Final = (
    "hypercorn reads no further frames while the client does not take the WINDOW_UPDATE"
    " frames for its upload, so that RST_STREAM is never read"
)

# Why a cell of the matrix cannot be, on a server as it is.
IMPOSSIBLE: Final[dict[tuple[str, State, str], str]] = {
    ("hypercorn h1", uploading_and_blocked_in_send, FIN): QUEUE_IS_FULL,
    ("hypercorn h1", uploading_and_blocked_in_send, RST): QUEUE_IS_FULL,
    ("hypercorn h2", uploading_and_blocked_in_send, RST_STREAM): READER_IS_STUCK,
    ("hypercorn h2-tls", uploading_and_blocked_in_send, RST_STREAM): READER_IS_STUCK,
}

MATRIX: Final = [
    pytest.param(kind, state, how, id=f"{kind} {state.__name__} {how}")
    for kind, state in [
        *product(ALL, STATES),
        *product(HTTP2, [behind_a_closed_window]),
    ]
    for how in ((RST_STREAM, FIN, RST) if kind in HTTP2 else (FIN, RST))
]


@pytest.mark.parametrize(("endpoint", "state", "how"), MATRIX, indirect=["endpoint"])
async def test_a_body_is_closed_once_when_its_client_leaves(
    endpoint: Endpoint, state: State, how: str
) -> None:
    server, name = endpoint.server, endpoint.new_name()
    cell = f"{server.kind} {endpoint.protocol}", state, how
    if reason := IMPOSSIBLE.get(cell):
        pytest.skip(reason)
    before = await server.counters()
    async with (
        asyncio.timeout(DEADLINE),
        await endpoint.connect(
            has_wide_windows=state is not behind_a_closed_window
        ) as connection,
    ):
        exchange = await state(endpoint, connection, name)
        during = await server.counters(name)
        assert (during.begun, during.closed) == (1, 0)
        if how == RST_STREAM:
            await cast(Http2Exchange, exchange).reset()
        else:
            await connection.leave(how)
        await server.until(lambda told: told.closed > 0 and told.calls == 0, name)
    after = await server.until_at_rest(name)
    assert (after.begun, after.closed) == (1, 1)
    assert max(during.memory, after.memory) - before.memory < MEMORY
