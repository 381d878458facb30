"""The streams that clients with a single connection reserve, open and leave.

A stream has a token, and any number of operations, whose events it gives in turn.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from contextvars import Context, copy_context
from functools import partial
from secrets import token_urlsafe
from typing import Final

from bareasgi import Event
from bareasgi_graphql.limits import Limits

RESERVED_FOR: Final = 30
"""Seconds that a client has to open a stream that it reserved."""

CLOSING_TIME: Final = 5.0
"""Seconds that a stopped operation has to end; its client is answered then anyway."""

_TOKEN_BYTES: Final = 32


class OperationStream:
    """A stream that a client reserved, and the operations that it asked for.

    They do not begin until it is open: nobody would read their results before, or
    notice should the client never come.
    """

    def __init__(self) -> None:
        self._is_open = False
        self._waiting: dict[str, Callable[[], None]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        # At most one event of each operation, which goes on when that was taken.
        self._offers: OrderedDict[str, tuple[Event, asyncio.Future[None]]]
        self._offers = OrderedDict()
        self._offered = asyncio.Event()

    def __contains__(self, identity: str) -> bool:
        """Whether an operation with this id is live."""
        return identity in self._waiting or identity in self._tasks

    def __len__(self) -> int:
        """How many operations are live."""
        return len(self._waiting) + len(self._tasks)

    def run(self, identity: str, events: AsyncGenerator[Event, None]) -> None:
        """Run an operation now, or as soon as the stream is open.

        Either way it runs in the context of the request that asked for it.
        """
        start = partial(self._start, identity, events, copy_context())
        if self._is_open:
            start()
        else:
            self._waiting[identity] = start

    async def stop(self, identity: str) -> None:
        """Stop an operation, if it has not ended, and wait until its source is closed.

        No event of it is given any more, and its id may be used again.
        """
        self._waiting.pop(identity, None)
        task = self._tasks.get(identity)
        if task is not None:
            task.cancel()
            await asyncio.wait([task], timeout=CLOSING_TIME)

    async def close(self) -> None:
        """Stop all operations, and wait until their sources are closed."""
        tasks = [*self._tasks.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def events(self) -> AsyncGenerator[Event, None]:
        """Open the stream, and give the events of all operations. There is no end."""
        self._is_open = True
        for start in self._waiting.values():
            start()
        self._waiting.clear()
        while True:
            while not self._offers:
                self._offered.clear()
                await self._offered.wait()
            _, (event, taken) = self._offers.popitem(last=False)
            # An operation that is being stopped has nothing more to say.
            if not taken.done():
                taken.set_result(None)
                yield event

    def _start(
        self, identity: str, events: AsyncGenerator[Event, None], context: Context
    ) -> None:
        task = asyncio.create_task(self._offer(identity, events), context=context)
        self._tasks[identity] = task
        task.add_done_callback(partial(self._forget, identity))

    def _forget(self, identity: str, _task: object) -> None:
        del self._tasks[identity]
        self._offers.pop(identity, None)

    async def _offer(self, identity: str, events: AsyncGenerator[Event, None]) -> None:
        loop = asyncio.get_running_loop()
        async with aclosing(events):
            async for event in events:
                if self._tasks[identity].cancelling():
                    # Its source caught that, and gave one more all the same.
                    break
                taken: asyncio.Future[None] = loop.create_future()
                self._offers[identity] = event, taken
                self._offered.set()
                await taken


class Reservations:
    """The streams of all clients, by token: those that are reserved, and open ones."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._reserved: dict[str, OperationStream] = {}
        self._open: dict[str, OperationStream] = {}

    def get(self, token: str) -> OperationStream | None:
        """Find a stream. Nobody can guess a token, nor use one that has expired."""
        stream = self._open.get(token)
        return self._reserved.get(token) if stream is None else stream

    def reserve(self) -> str | None:
        """Reserve a stream, and give its token; None if too many are reserved."""
        limit = self._limits.reservations
        if limit is not None and len(self._reserved) >= limit:
            return None
        token = token_urlsafe(_TOKEN_BYTES)
        self._reserved[token] = OperationStream()
        loop = asyncio.get_running_loop()
        loop.call_later(RESERVED_FOR, self._reserved.pop, token, None)
        return token

    def open(self, token: str) -> bool:
        """Let a client have a stream, unless another one has it."""
        if token not in self._reserved:
            return False
        self._open[token] = self._reserved.pop(token)
        return True

    async def close(self, token: str) -> None:
        """End a stream that was opened, with all of its operations."""
        await self._open.pop(token).close()

    def has_room(self, stream: OperationStream) -> bool:
        """Tell whether a stream may have one more operation.

        Those that wait for their streams share the room of one: it is easy to reserve
        many, and what waits in them takes memory.
        """
        limit = self._limits.subscriptions
        is_reserved = stream in self._reserved.values()
        sharing = self._reserved.values() if is_reserved else [stream]
        return limit is None or sum(map(len, sharing)) < limit
