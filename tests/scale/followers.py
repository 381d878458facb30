"""Clients of the board that follow the trades, or the prices."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, Final, Protocol

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from bareasgi import Headers
from bareclient import Client, ClientError, ServerEvent, Timeouts

from .clients import eventually
from .processes import DEADLINE, PAUSE

FOLLOW: Final = """
subscription ($after: Int!) { trades(after: $after) { number } }
"""


class Follow(Protocol):
    """One connection over which trades come, from the one after a number."""

    def __call__(
        self, port: int, after: int, /
    ) -> AsyncGenerator[Mapping[str, Any], None]: ...


class Follower:
    """Follows the trades, and comes back whenever its connection is lost.

    Attributes:
        last: the number of the last trade that came.
        numbers: of every trade that came, as it came.
        returns: how often it came back.
    """

    def __init__(self, follow: Follow, port: int, after: int = 0) -> None:
        self.last = after
        self.numbers: list[int] = []
        self.returns = -1
        self._follow = follow
        self._port = port

    async def until(self, number: int) -> None:
        """Wait until a trade has come."""
        await eventually(lambda: self.last >= number)

    async def run(self) -> None:
        """Follow, for ever."""
        while True:
            self.returns += 1
            with suppress(OSError, EOFError, ClientError, WebSocketException):
                async with aclosing(self._follow(self._port, self.last)) as trades:
                    async for trade in trades:
                        self.last = trade["number"]
                        self.numbers.append(self.last)
            await asyncio.sleep(PAUSE)


class Prices:
    """Reads the prices, and comes back whenever the stream is cut.

    Attributes:
        kinds: how many events of each kind there were.
        returns: how often it came back.
    """

    def __init__(self, port: int) -> None:
        self.kinds: Counter[str] = Counter()
        self.returns = -1
        self._port = port

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator["Prices"]:
        """Read while the block runs."""
        task = asyncio.create_task(self._run())
        try:
            yield self
            assert not task.done(), task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until(self, kind: str, many: int = 1) -> None:
        """Wait until so many more events of a kind have come."""
        count = self.kinds[kind] + many
        await eventually(lambda: self.kinds[kind] >= count)

    async def _run(self) -> None:
        while True:
            self.returns += 1
            with suppress(OSError, ClientError):
                async with aclosing(_read_events(self._port, "/prices")) as events:
                    async for event in events:
                        self.kinds[event.event] += 1
            await asyncio.sleep(PAUSE)


async def _read_events(
    port: int, path: str, headers: Headers = ()
) -> AsyncGenerator[ServerEvent, None]:
    timeouts = Timeouts(connect=DEADLINE, read=None)
    async with (
        Client(base_url=f"http://127.0.0.1:{port}", timeout=timeouts) as client,
        client.request("GET", path, headers) as response,
    ):
        response.raise_for_status()
        async for event in response.events():
            yield event


async def events(port: int, after: int) -> AsyncGenerator[Mapping[str, Any], None]:
    """Follow by an event stream, as a browser does: with the id of the last event."""
    headers = [(b"last-event-id", b"%d" % after)] if after else []
    async with aclosing(_read_events(port, "/trades", headers)) as events:
        async for event in events:
            trade = json.loads(event.data)
            assert event.id == str(trade["number"])
            yield trade


async def socket(port: int, after: int) -> AsyncGenerator[Mapping[str, Any], None]:
    """Follow by a WebSocket."""
    url = f"ws://127.0.0.1:{port}/trades?after={after}"
    async with connect(url, open_timeout=DEADLINE, close_timeout=1) as opened:
        async for message in opened:
            for trade in json.loads(message):
                yield trade


async def subscription(
    port: int, after: int
) -> AsyncGenerator[Mapping[str, Any], None]:
    """Follow by a subscription of GraphQL."""
    protocol = Subprotocol("graphql-transport-ws")
    async with connect(
        f"ws://127.0.0.1:{port}/graphql",
        subprotocols=[protocol],
        open_timeout=DEADLINE,
        close_timeout=1,
    ) as opened:
        await opened.send(json.dumps({"type": "connection_init"}))
        asked = {"query": FOLLOW, "variables": {"after": after}}
        async for message in opened:
            told = json.loads(message)
            match told["type"]:
                case "connection_ack":
                    subscribe = {"id": "1", "type": "subscribe", "payload": asked}
                    await opened.send(json.dumps(subscribe))
                case "next":
                    assert "errors" not in told["payload"], told
                    yield told["payload"]["data"]["trades"]
                case "ping":
                    await opened.send(json.dumps({"type": "pong"}))
                case other:
                    raise EOFError(other)


WAYS: Final[Mapping[str, Follow]] = {
    "event stream": events,
    "socket": socket,
    "subscription": subscription,
}
"""The ways to follow the trades."""


@asynccontextmanager
async def following(
    *ports: int, ways: Sequence[str] = tuple(WAYS), after: int = 0
) -> AsyncGenerator[Sequence[Follower]]:
    """Follow the trades at each port in each of the ways while the block runs."""
    followers = [Follower(WAYS[way], port, after) for port in ports for way in ways]
    tasks = [asyncio.create_task(follower.run()) for follower in followers]
    try:
        yield followers
        # What went wrong in one is not to be found out by waiting in vain.
        for task in tasks:
            assert not task.done(), task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
