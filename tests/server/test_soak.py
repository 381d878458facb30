"""Two hundred clients of every kind at once, for as long as SOAK_SECONDS says."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from .clients import FIN, RST
from .servers import Endpoint, Server

SECONDS: Final = float(os.environ.get("SOAK_SECONDS", "2"))
WARM_UP: Final = max(SECONDS / 3, 3)
"""As long a process grows, without keeping anything: memory is cut into pieces."""

CLIENTS: Final = 200
MEMORY: Final = 16 * 2**20
"""What a process may grow by, from when every kind of client was there once."""


class Soak:
    """Clients that come and go until they are told to stop.

    Attributes:
        answers: how many right answers each kind of client had.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.server = endpoint.server
        self.answers: Counter[str] = Counter()
        self.random = random.Random(1)  # noqa: S311 - to vary, and not to be secret
        self._is_over = False

    async def run(self, seconds: float) -> None:
        """Let all kinds of clients come and go, and stop them after a time."""
        kinds = [self.keep_alive, self.slow, self.socket, self.stream, self.upload]
        self._is_over = False
        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                group.create_task(self._go_on(kinds[number % len(kinds)]))
            await asyncio.sleep(seconds)
            self._is_over = True

    async def keep_alive(self) -> None:
        """Ask one after the other on one connection."""
        async with await self.endpoint.connect() as connection:
            for _ in range(self.random.randrange(1, 20)):
                number = self.random.randrange(10**9)
                exchange = await connection.request("GET", f"/number/{number}")
                assert (await exchange.head()).status == 200
                assert await exchange.body() == b"%d" % number
                self.answers["keep-alive"] += 1

    async def slow(self) -> None:
        """Upload in pieces, with rests."""
        async with await self.endpoint.connect() as connection:
            exchange = await connection.request("POST", "/echo", content=None)
            sent = b""
            for _ in range(4):
                piece = self.random.randbytes(self.random.randrange(1, 2000))
                await exchange.upload(piece)
                sent += piece
                await asyncio.sleep(self.random.random() / 10)
            await exchange.upload(b"", is_last=True)
            assert await exchange.body() == sent
            self.answers["slow"] += 1

    async def socket(self) -> None:
        """Talk, and close in one way or another."""
        async with self.endpoint.socket("/echo/soak") as socket:
            for _ in range(self.random.randrange(1, 20)):
                message = str(self.random.random()) * self.random.randrange(1, 100)
                await socket.send(message, pieces=self.random.randrange(1, 4))
                assert await socket.message() == message
                self.answers["socket"] += 1
            match self.random.randrange(3):
                case 0:
                    await socket.close()
                case 1:
                    await socket.connection.leave(RST)
                case _:
                    pass  # FIN, by the end of the block

    async def stream(self) -> None:
        """Read the beginning of an endless body, and leave."""
        how = self.random.choice([FIN, RST])
        async with await self.endpoint.connect() as connection:
            exchange = await connection.request("GET", "/ticks/soak")
            assert await exchange.chunk() == b"tick 1\n"
            self.answers["stream"] += 1
            await asyncio.sleep(self.random.random() / 10)
            await connection.leave(how)

    async def upload(self) -> None:
        """Announce an upload, and leave in the middle of it."""
        async with await self.endpoint.connect() as connection:
            exchange = await connection.request("POST", "/echo/soak", content=None)
            piece = self.random.randbytes(self.random.randrange(1, 50_000))
            await exchange.upload(piece)
            received = b""
            while len(received) < len(piece):
                received += await exchange.chunk()
            assert received == piece
            self.answers["upload"] += 1

    async def _go_on(self, client: Callable[[], Awaitable[None]]) -> None:
        while not self._is_over:
            await client()


@pytest.mark.timeout(WARM_UP + SECONDS + 60)
@pytest.mark.parametrize("kind", ["hypercorn", "uvicorn-httptools", "granian"])
async def test_200_clients_of_every_kind_leave_nothing(
    new_server: Callable[[str], Server],
    record_property: Callable[[str, object], None],
    kind: str,
) -> None:
    server = await asyncio.to_thread(new_server, kind)
    soak = Soak(Endpoint(server, "h1"))
    await soak.run(WARM_UP)
    warm = await server.until_at_rest("soak")
    await soak.run(SECONDS)
    after = await server.until_at_rest("soak")
    grown = (after.memory - warm.memory) / 2**20
    told = f"{kind}: {dict(soak.answers)}, {grown:+.1f} MiB"
    record_property("soak", told)
    print(told)  # noqa: T201 - for who calls pytest with -s
    assert after.begun == after.closed
    assert after.memory - warm.memory < MEMORY
    assert "Traceback" not in server.log(), server.log()
