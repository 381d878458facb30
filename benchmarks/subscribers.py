"""A thousand GraphQL subscriptions on ten WebSockets, without a server.

As a server does, each socket has a queue of messages for the application, and a `send`
that takes what the application says. Framing and writing to sockets costs the same for
everyone, and a real client needs as much of the processor as what it measures.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from benchmarks.cases import AsgiApplication, Message, scope_for
from benchmarks.driver import WrongAnswerError
from benchmarks.graphql_schema import Market

SOCKETS: Final = 10
SUBSCRIPTIONS: Final = 100
"""On each of the sockets; no contender allows more unless told to."""

ALL: Final = SOCKETS * SUBSCRIPTIONS
"""On all sockets together."""

_DEADLINE: Final = 30.0
_DOCUMENT: Final = (
    "subscription Price($name: String!) { price(name: $name) { number name pence } }"
)


class Subscribers:
    """The clients of one application."""

    def __init__(self, name: str, market: Market) -> None:
        self._name = name
        self._market = market
        self._sockets: list[asyncio.Queue[Message]] = []
        self._acknowledgements: asyncio.Queue[str] = asyncio.Queue()
        self._events: list[str] = []

    @asynccontextmanager
    async def connected(self, application: AsgiApplication) -> AsyncGenerator[None]:
        """Subscribe to everything, and leave at the end."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(SOCKETS):
                socket: asyncio.Queue[Message] = asyncio.Queue()
                self._sockets.append(socket)
                tasks.create_task(self._serve(application, socket))
                socket.put_nowait({"type": "websocket.connect"})
                _say(socket, {"type": "connection_init"})
            async with asyncio.timeout(_DEADLINE):
                for _ in range(SOCKETS):
                    await self._acknowledgements.get()
                self._subscribe()
                await self._market.is_awaited.wait()
            yield
            for socket in self._sockets:
                socket.put_nowait({"type": "websocket.disconnect", "code": 1001})

    async def events_per_second(self, count: int) -> float:
        """Have `count` prices sent to everyone, and tell how fast that was.

        A second is one of CPU time. Raises WrongAnswerError when a message is missing
        or wrong, which is looked at afterwards.
        """
        self._events.clear()
        first = self._market.number + 1
        started = time.process_time()
        async with asyncio.timeout(_DEADLINE):
            for _ in range(count):
                self._market.publish()
                await self._market.is_awaited.wait()
        seconds = time.process_time() - started
        self._verify(range(first, first + count))
        return count * ALL / seconds

    async def _serve(
        self, application: AsgiApplication, socket: asyncio.Queue[Message]
    ) -> None:
        scope = {**scope_for("/graphql"), "type": "websocket", "scheme": "ws"}
        scope["subprotocols"] = ["graphql-transport-ws"]
        await application(scope, socket.get, self._send)

    def _subscribe(self) -> None:
        for socket in self._sockets:
            for number in range(SUBSCRIPTIONS):
                payload = {"query": _DOCUMENT, "variables": {"name": "Apples"}}
                fields = {"id": str(number), "type": "subscribe", "payload": payload}
                _say(socket, fields)

    async def _send(self, message: Message) -> None:
        text = message.get("text") or ""
        if '"next"' in text:
            self._events.append(text)
        elif '"connection_ack"' in text:
            self._acknowledgements.put_nowait(text)

    def _verify(self, numbers: range) -> None:
        """See that every subscription was told of every price, once and in order."""
        wrong = next((each for each in self._events if not _is_price(each)), None)
        if wrong is not None:
            raise WrongAnswerError(f"{self._name} sent {wrong!r:.300}")
        sent = Counter(json.loads(each)["id"] for each in self._events)
        order = [_number(each) for each in self._events]
        if order != [number for number in numbers for _ in range(ALL)] or sent != {
            str(number): len(numbers) * SOCKETS for number in range(SUBSCRIPTIONS)
        }:
            raise WrongAnswerError(f"{self._name} lost events, or sent some twice")


def _say(socket: asyncio.Queue[Message], fields: object) -> None:
    socket.put_nowait({"type": "websocket.receive", "text": json.dumps(fields)})


def _is_price(text: str) -> bool:
    payload = json.loads(text)["payload"]
    price = {"number": _number(text), "name": "Apples", "pence": 310}
    return bool(payload == {"data": {"price": price}})


def _number(text: str) -> int:
    return int(json.loads(text)["payload"]["data"]["price"]["number"])
