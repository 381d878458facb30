"""Clients of the board: those who order, and those who follow the trades."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import urlencode
from uuid import uuid4

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from bareasgi import Headers
from bareclient import Client, ClientError, ServerEvent, Timeouts

from .processes import DEADLINE, PAUSE

PACE: Final = 0.05
"""Seconds between two orders of one buyer, to leave something of a small machine."""

MARKET_ORDER: Final = {"side": "buy", "symbol": "KELP", "quantity": 1}

FOLLOW: Final = """
subscription ($after: Int!) { trades(after: $after) { number } }
"""


class Answer(NamedTuple):
    """What was answered to one request."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, as JSON."""
        return json.loads(self.body)


class Caller:
    """Makes requests one after the other, on one connection or each on its own.

    A request is never made again by itself. OSError or EOFError for one that was not
    answered.
    """

    def __init__(self, port: int, *, keeps: bool = False) -> None:
        self._port = port
        self._keeps = keeps
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(
        self,
        method: str,
        path: str,
        value: object = None,
        form: Mapping[str, object] | None = None,
    ) -> Answer:
        """Make a request, with a value as JSON if there is one, or with a form."""
        async with asyncio.timeout(DEADLINE):
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            try:
                body = b"" if value is None else json.dumps(value).encode()
                kind = "application/json"
                if form is not None:
                    body = urlencode(form).encode()
                    kind = "application/x-www-form-urlencoded"
                head = (
                    f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{self._port}\r\n"
                    f"connection: {'keep-alive' if self._keeps else 'close'}\r\n"
                    f"content-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
                )
                writer.write(head.encode() + body)
                await writer.drain()
                answer = await _read_answer(reader)
            except BaseException:
                self.close()
                raise
            if not self._keeps or answer.headers.get("connection") == "close":
                self.close()
            return answer

    def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _read_answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    fields = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in fields}
    status = int(first.split()[1])
    if "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    elif headers.get("transfer-encoding") == "chunked":
        body = b"".join([chunk async for chunk in _read_chunks(reader)])
    else:
        body = b""
    return Answer(status, headers, body)


async def _read_chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int(await reader.readline(), 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)


class Buyer:
    """Orders by the API, so many at a time, as long as it is told to.

    Attributes:
        trades: the numbers of the trades, by the keys of the orders; 0 if it was not
            told.
        refusals: every answer that was no trade, and every request without an answer.
    """

    def __init__(self, port: int, *, many: int = 4, insists: bool = False) -> None:
        self.trades: dict[str, int] = {}
        self.refusals: list[Answer | Exception] = []
        self._port = port
        self._many = many
        self._insists = insists
        self._is_stopped = False
        self._under_way: set[object] = set()

    @asynccontextmanager
    async def buying(self) -> AsyncGenerator["Buyer"]:
        """Order while the block runs. At its end all orders are answered.

        One that insists sends an order again, with its key, until it is a trade.
        """
        async with asyncio.TaskGroup() as group:
            for _ in range(self._many):
                group.create_task(self._buy())
            try:
                yield self
            finally:
                self._is_stopped = True

    async def until(self, count: int) -> None:
        """Wait until so many orders have become trades."""
        await eventually(lambda: len(self.trades) >= count)

    async def until_answered(self) -> None:
        """Wait until all requests are answered that are under way now."""
        now = {*self._under_way}
        await eventually(lambda: not now & self._under_way)

    async def _buy(self) -> None:
        caller = Caller(self._port)
        while not self._is_stopped:
            order = {**MARKET_ORDER, "key": str(uuid4())}
            is_done = False
            while not is_done:
                is_done = await self._is_trade(caller, order) or not self._insists
                await asyncio.sleep(PACE)

    async def _is_trade(self, caller: Caller, order: Mapping[str, object]) -> bool:
        request = object()
        self._under_way.add(request)
        try:
            answer = await self._send(caller, order)
        except (OSError, EOFError) as error:
            self.refusals.append(error)
            return False
        finally:
            self._under_way.remove(request)
        if answer.status not in {200, 201, 303}:
            self.refusals.append(answer)
            return False
        self.trades[str(order["key"])] = self._number(answer)
        return True

    async def _send(self, caller: Caller, order: Mapping[str, object]) -> Answer:
        return await caller.call("POST", "/api/orders", order)

    def _number(self, answer: Answer) -> int:
        return int(answer.json()["trade"]["number"])


class FormBuyer(Buyer):
    """Orders by the form of the page, without its script."""

    async def _send(self, caller: Caller, order: Mapping[str, object]) -> Answer:
        return await caller.call("POST", "/orders", form=order)

    def _number(self, answer: Answer) -> int:
        return 0


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


async def eventually(claim: Callable[[], bool]) -> None:
    """Wait until a claim is true."""
    async with asyncio.timeout(DEADLINE):
        while True:
            if claim():
                return
            await asyncio.sleep(PAUSE)
