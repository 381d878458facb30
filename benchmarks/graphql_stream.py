"""A long list whose items are sent as they come: when the first is, and the memory."""

import asyncio
import gc
import json
import time
import tracemalloc
from collections.abc import AsyncGenerator
from typing import Final, NamedTuple, cast

from graphql import GraphQLObjectType, build_schema

from bareasgi import Application
from bareasgi_graphql import add_graphql
from benchmarks.cases import Message, scope_for
from benchmarks.driver import WrongAnswerError

ITEMS: Final = 10_000

_SDL: Final = """
directive @stream(label: String, if: Boolean! = true, initialCount: Int = 0) on FIELD
type Query { items: [Item!]! }
type Item { number: Int! text: String! }
"""
_BODY: Final = json.dumps({"query": "{ items @stream { number text } }"}).encode()
_HEADERS: Final = [
    (b"content-type", b"application/json"),
    (b"accept", b"multipart/mixed;incrementalSpec=v0.2"),
]
_DEADLINE: Final = 120.0


class Streamed(NamedTuple):
    """What it took to stream a list.

    Attributes:
        first: seconds from the resolver's first item until it was sent.
        item: seconds of CPU for an item.
        memory: bytes that were needed at once.
    """

    first: float
    item: float
    memory: int


class _List:
    """A list that is streamed once, to a client that takes each part as it comes."""

    def __init__(self) -> None:
        self._given = 0.0
        self._sent = 0.0
        self._count = 0
        schema = build_schema(_SDL)
        query = cast(GraphQLObjectType, schema.query_type)
        query.fields["items"].resolve = self._items
        self._app = Application()
        add_graphql(self._app, schema)

    async def run(self) -> float:
        """Stream it, and give the seconds from its first item until that was sent."""
        scope = scope_for("/graphql", "POST", _HEADERS)
        messages: list[Message] = [{"type": "http.request", "body": _BODY}]

        async def receive() -> Message:
            if messages:
                return messages.pop()
            return await asyncio.Future()

        async with asyncio.timeout(_DEADLINE):
            await self._app(scope, receive, self._send)
        if self._count != ITEMS:
            raise WrongAnswerError(f"{self._count} items were sent")
        return self._sent - self._given

    async def _items(self, *_: object) -> AsyncGenerator[object, None]:
        self._given = time.perf_counter()
        for number in range(ITEMS):
            yield _item(number)

    async def _send(self, message: Message) -> None:
        # As if the socket had to be waited for.
        await asyncio.sleep(0)
        text: bytes = message.get("body", b"")
        if b'"items": [{' not in text:
            return
        self._sent = self._sent or time.perf_counter()
        _, _, payload = text.partition(b"\r\n\r\n")
        (part,) = json.loads(payload.partition(b"\r\n---")[0])["incremental"]
        for item in part["items"]:
            if item != _item(self._count):
                raise WrongAnswerError(f"{item!r:.80} is not item {self._count}")
            self._count += 1


def _item(number: int) -> dict[str, object]:
    return {"number": number, "text": f"{number:1024}"}


async def stream() -> Streamed:
    """Stream the list for its time, and once more for its memory."""
    timed, traced = _List(), _List()
    gc.collect()
    started = time.process_time()
    first = await timed.run()
    seconds = time.process_time() - started
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    await traced.run()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return Streamed(first, seconds / ITEMS, peak - before)
