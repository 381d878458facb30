"""The demo with 200 event streams, 50 sockets and 100 orders a second.

For as many seconds as SOAK_SECONDS says, on hypercorn, in a process of its own, as
`python examples/demo/app.py` starts it.
"""

import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias
from uuid import uuid4

import pytest
from programs import free_port, request
from repository import ROOT
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bareclient import Client

SECONDS: Final = float(os.environ.get("SOAK_SECONDS", "4"))
IS_SOAK: Final = "SOAK_SECONDS" in os.environ

STREAMS: Final = 200
SOCKETS: Final = 50
ORDERS: Final = 100
"""How many orders are sent in a second."""

SENDERS: Final = 10
"""How many send them. Each waits for its answers: on a slow machine all is later."""

WARM_UP: Final = max(SECONDS / 3, 3)
MEMORY: Final = 16 * 2**20
"""Bytes that the process may grow by once everything was there for a while."""

# The promise is 3 s, and it is checked where it is measured.
END_WITHIN: Final = 3.0 if IS_SOAK else 10.0
DEADLINE: Final = 30.0
SYMBOLS: Final = ("ALDR", "BRIG", "KELP", "LUM", "OTTR", "QUIN")

Json: TypeAlias = dict[str, Any]


class Demo:
    """The process, and what it says of itself."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.log_path = folder / "log"
        environment = {
            **os.environ,
            "PORT": str(self.port),
            "OTHER_PORT": str(free_port()),
            "DATABASE": str(folder / "board.sqlite3"),
            "TICK_SECONDS": "0.5",
        }
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "examples" / "demo" / "app.py")],
                env=environment,
                stdout=log,
                stderr=log,
            )

    async def wait_until_it_answers(self) -> None:
        async with asyncio.timeout(DEADLINE):
            while True:
                try:
                    await asyncio.to_thread(request, self.port, "GET", "/api/stocks")
                except OSError:
                    assert self.process.poll() is None, self.log()
                    await asyncio.sleep(0.05)
                else:
                    return

    def log(self) -> str:
        return self.log_path.read_text("utf-8")

    async def metric(self, name: str) -> float | None:
        """One of its metrics, such as `board_followers{of="prices",over="events"}`."""
        shown = await asyncio.to_thread(request, self.port, "GET", "/metrics")
        found = re.search(
            rf"^{re.escape(name)} (\S+)$", shown.body.decode(), re.MULTILINE
        )
        return None if found is None else float(found[1])

    async def memory(self) -> float | None:
        """Bytes; the metrics have them on Linux only."""
        return await self.metric("process_resident_memory_bytes")

    async def until_metric(self, name: str, value: float) -> None:
        async with asyncio.timeout(DEADLINE):
            while True:
                if await self.metric(name) == value:
                    return
                await asyncio.sleep(0.05)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    running = Demo(tmp_path)
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait()


class Stream:
    """One that follows the prices.

    Attributes:
        ids: the numbers of the ticks that came.
        is_cut: whether the stream ended, which no stream does by itself.
    """

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self.ids: list[int] = []
        self.is_cut = asyncio.Event()

    async def follow(self) -> None:
        kinds: set[bytes] = set()
        try:
            while line := await self._reader.readline():
                if line.startswith(b"id: "):
                    self.ids.append(int(line[4:]))
                elif line.startswith(b"event: "):
                    kinds.add(line[7:-1])
                elif line.startswith(b"data: "):
                    assert json.loads(line[6:])
            assert kinds == {b"snapshot", b"tick"}
        finally:
            self.is_cut.set()

    async def until(self, number: int) -> None:
        while self.ids[-1:] < [number]:
            assert not self.is_cut.is_set()
            await asyncio.sleep(0.05)


@asynccontextmanager
async def open_stream(port: int) -> AsyncIterator[Stream]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"GET /prices HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        yield Stream(reader)
    finally:
        writer.close()


class Socket:
    """One that follows the trades from the first on.

    Attributes:
        trades: what came, in order.
        code: what the server closed it with.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.trades: list[Json] = []
        self.code: int | None = None

    async def follow(self) -> None:
        try:
            async for message in self._connection:
                self.trades += json.loads(message)
        except ConnectionClosed:
            pass
        self.code = self._connection.close_code

    async def until(self, count: int) -> None:
        while len(self.trades) < count:
            assert self.code is None
            await asyncio.sleep(0.05)


class Orders:
    """Those who send orders, and check every answer.

    Attributes:
        trades: those in the answers, by their numbers.
        sent: how many orders were sent.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._random = random.Random(1)  # noqa: S311 - to vary, and not to be secret
        self.trades: dict[int, Json] = {}
        self.sent = 0

    async def send_for(self, seconds: float) -> None:
        start = asyncio.get_running_loop().time()
        count = int(seconds * ORDERS)
        numbers = iter(range(count))

        async def send_on() -> None:
            for number in numbers:
                due = start + number / ORDERS
                await asyncio.sleep(due - asyncio.get_running_loop().time())
                await self._send(number)

        async with asyncio.TaskGroup() as group:
            for _ in range(SENDERS):
                group.create_task(send_on())
        self.sent += count

    async def _send(self, number: int) -> None:
        order: Json = {
            "key": str(uuid4()),
            "side": self._random.choice(["buy", "sell"]),
            "symbol": self._random.choice(SYMBOLS),
            "quantity": self._random.randrange(1, 1001),
        }
        is_waiting = number % 10 == 9
        if is_waiting:
            order |= {"side": "buy", "limit": "0.01"}
        placed = await self._post(order, 201)
        wanted = {"limit": None, **order, "status": "filled"}
        if is_waiting:
            wanted |= {"status": "waiting", "trade": None}
        assert placed.items() >= wanted.items()
        if not is_waiting:
            trade = placed["trade"]
            same = ("key", "side", "symbol", "quantity")
            assert [trade[name] for name in same] == [order[name] for name in same]
            assert trade["number"] not in self.trades
            self.trades[trade["number"]] = trade
        if number % 10 == 5:
            # As if the answer had been lost.
            assert await self._post(order, 200) == placed

    async def _post(self, order: Json, status: int) -> Json:
        headers = [(b"content-type", b"application/json")]
        content = json.dumps(order).encode()
        async with self._client.request(
            "POST", "/api/orders", headers, content
        ) as response:
            answer: Json = await response.json()
            assert response.status == status, answer
            return answer


@pytest.mark.timeout(WARM_UP + SECONDS + 120)
async def test_200_streams_and_50_sockets_see_100_orders_a_second_rightly(
    demo: Demo, record_property: Callable[[str, object], None]
) -> None:
    await demo.wait_until_it_answers()
    base = f"http://127.0.0.1:{demo.port}"
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(Client(base_url=base, timeout=30))
        streams = [
            await stack.enter_async_context(open_stream(demo.port))
            for _ in range(STREAMS)
        ]
        address = f"ws://127.0.0.1:{demo.port}/trades?after=0"
        sockets = [
            Socket(
                await stack.enter_async_context(
                    connect(
                        address,
                        compression=None,
                        open_timeout=DEADLINE,
                        # On a slow machine an answer may be late, and nothing be lost.
                        ping_interval=None,
                    )
                )
            )
            for _ in range(SOCKETS)
        ]
        following = [
            asyncio.create_task(each.follow()) for each in (*streams, *sockets)
        ]
        await demo.until_metric('board_followers{of="prices",over="events"}', STREAMS)
        await demo.until_metric('board_followers{of="trades",over="socket"}', SOCKETS)

        orders = Orders(client)
        await orders.send_for(WARM_UP)
        warm = await demo.memory()
        begun = time.monotonic()
        await orders.send_for(SECONDS)
        took = time.monotonic() - begun
        after = await demo.memory()

        trades = [trade for _, trade in sorted(orders.trades.items())]
        assert [trade["number"] for trade in trades] == [*range(1, len(trades) + 1)]
        async with asyncio.timeout(DEADLINE):
            for socket in sockets:
                await socket.until(len(trades))
                assert socket.trades == trades
            # Every stream is still told of new prices.
            newest = max(stream.ids[-1] for stream in streams)
            for stream in streams:
                await stream.until(newest + 1)

        told_to_end = time.monotonic()
        demo.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(demo.process.wait, END_WITHIN)
        ended = time.monotonic() - told_to_end
        async with asyncio.timeout(DEADLINE):
            await asyncio.gather(*following)
    assert demo.process.returncode == 0
    assert {socket.code for socket in sockets} == {1001}
    for stream in streams:
        assert stream.ids == sorted({*stream.ids})
    for line in demo.log().splitlines():
        assert "[INFO] Running on http://127.0.0.1:" in line
    told = (
        f"{orders.sent} orders, {ORDERS * SECONDS / took:.0f} a second,"
        f" {len(trades)} trades to each of {SOCKETS} sockets,"
        f" {sum(len(stream.ids) for stream in streams)} ticks to {STREAMS} streams,"
        f" ended in {ended:.2f} s"
    )
    if warm is not None and after is not None:
        told += f", {after / 2**20:.0f} MiB, {(after - warm) / 2**20:+.1f} since warm"
        assert after - warm < MEMORY
    record_property("load", told)
    print(told)  # noqa: T201 - for who calls pytest with -s
