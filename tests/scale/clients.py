"""Clients of the board that ask, and that order."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode
from uuid import uuid4

from .processes import DEADLINE, PAUSE

PACE: Final = 0.05
"""Seconds between two orders of one buyer, to leave something of a small machine."""

MARKET_ORDER: Final = {"side": "buy", "symbol": "KELP", "quantity": 1}


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


async def eventually(claim: Callable[[], bool]) -> None:
    """Wait until a claim is true."""
    async with asyncio.timeout(DEADLINE):
        while True:
            if claim():
                return
            await asyncio.sleep(PAUSE)
