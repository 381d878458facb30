"""One client of GraphQL over a WebSocket: runs what its protocol says.

Each operation has a task of its own, which sends its results itself: it is held up when
the client does not read. Whatever ends the connection cancels them all, and an
operation that is cancelled closes its source.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import aclosing
from functools import partial
from logging import Logger, getLogger
from typing import Any, Final, TypeAlias, cast

from bareasgi import Info, RouteMatches, Scope, WebSocket, WebSocketInternalError
from bareasgi_graphql.errors import RequestError
from bareasgi_graphql.execution import Engine
from bareasgi_graphql.subscription import (
    Close,
    Connect,
    Effects,
    Reply,
    Start,
    Stop,
    Subprotocol,
)

logger: Final[Logger] = getLogger(__name__)

Admission: TypeAlias = Mapping[str, object] | bool | None
"""Whether a client is let in: False if not; a mapping is what it is told."""

Admit: TypeAlias = Callable[[dict[str, Any]], Awaitable[Admission]]
"""Decides about the client, by what it brought."""

CLOSING_TIME: Final = 5.0
"""Seconds that sources have to close when their client does not want them any more."""


class Session:
    """One socket that was accepted, and all that goes on for its client."""

    def __init__(
        self,
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        web_socket: WebSocket,
        *,
        engine: Engine,
        protocol: Subprotocol,
        admit: Admit,
        ping_interval: float | None,
    ) -> None:
        self._engine = engine
        self._protocol = protocol
        self._admit = admit
        self._ping_interval = ping_interval
        self._scope = scope
        self._info = info
        self._matches = matches
        self._web_socket = web_socket
        self._tasks: set[asyncio.Task[None]] = set()
        self._operations: dict[Start, asyncio.Task[None]] = {}
        self._close: asyncio.Future[Close] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Serve the client until it leaves, or has to. Nothing is left running."""
        listening = self._spawn(self._listen, self._protocol.failed)
        self._spawn(self._await_initialisation, self._protocol.failed)
        try:
            ends: list[asyncio.Future[Any]] = [listening, self._close]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            self._cancel_all()
            if self._close.done():
                # Before the sources are closed, which may take its time.
                code, reason = self._close.result()
                await self._web_socket.close(code, reason)
        finally:
            self._cancel_all()
            if self._tasks:
                _, left = await asyncio.wait(self._tasks, timeout=CLOSING_TIME)
                if left:
                    logger.error("operations do not end, and are abandoned: %r", left)

    async def _listen(self) -> None:
        async for message in self._web_socket:
            await self._perform(self._protocol.received(message))

    async def _await_initialisation(self) -> None:
        seconds = self._engine.limits.init_timeout
        if seconds is not None:
            await asyncio.sleep(seconds)
            await self._perform(self._protocol.initialisation_due())

    async def _perform(self, effects: Effects) -> None:
        """Do what the protocol says."""
        for effect in effects:
            match effect:
                case Reply(text):
                    await self._web_socket.send(text)
                case Start():
                    await self._make_room()
                    self._start(effect)
                case Stop(start):
                    self._operations[start].cancel()
                case Connect(payload):
                    self._scope["connection_params"] = payload
                    self._spawn(partial(self._connect, payload), self._protocol.failed)
                case _:
                    # There is one at most, and `run` waits for it.
                    self._close.set_result(effect)

    async def _connect(self, payload: dict[str, Any]) -> None:
        """Let the client in or not, and keep the connection alive from then on."""
        admission = await self._admit(payload)
        if admission is False:
            await self._perform(self._protocol.refused())
            return
        details = admission if isinstance(admission, Mapping) else None
        await self._perform(self._protocol.connected(details))
        while self._ping_interval is not None:
            await asyncio.sleep(self._ping_interval)
            await self._perform(self._protocol.ping_due())

    async def _make_room(self) -> None:
        """Have the client wait if too many operations that it stopped still close."""
        limit = self._engine.limits.subscriptions
        if limit is not None and len(self._operations) >= 2 * limit:
            await asyncio.wait(
                self._operations.values(),
                timeout=CLOSING_TIME,
                return_when=asyncio.FIRST_COMPLETED,
            )

    def _start(self, start: Start) -> None:
        task = self._spawn(
            partial(self._operate, start),
            partial(self._protocol.operation_failed, start),
        )
        self._operations[start] = task
        task.add_done_callback(lambda _: self._operations.pop(start))

    async def _operate(self, start: Start) -> None:
        """Run an operation, and send its results as they come."""
        protocol = self._protocol
        try:
            operation = self._engine.operation(start.request, self._scope, self._info)
        except RequestError as error:
            result = self._engine.refusal(error)
            await self._perform(protocol.result(start, result))
            return
        async with aclosing(
            self._engine.results(operation, self._scope, self._info, self._matches)
        ) as results:
            async for result in results:
                effects = protocol.result(start, result)
                if not effects:
                    # It is over already, and may go on without ever waiting.
                    break
                await self._perform(effects)
        await self._perform(protocol.ended(start))

    def _spawn(
        self,
        work: Callable[[], Coroutine[Any, Any, None]],
        on_failure: Callable[[], Effects],
    ) -> asyncio.Task[None]:
        task = asyncio.create_task(self._guard(work, on_failure))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guard(
        self,
        work: Callable[[], Coroutine[Any, Any, None]],
        on_failure: Callable[[], Effects],
    ) -> None:
        """Run a part of the session. The log is told how it failed, the client that."""
        try:
            try:
                await work()
            except WebSocketInternalError:
                raise
            except (Exception, asyncio.CancelledError) as error:
                task = cast("asyncio.Task[None]", asyncio.current_task())
                if isinstance(error, asyncio.CancelledError) and task.cancelling():
                    raise
                logger.exception("%r failed", self._scope["path"])
                await self._perform(on_failure())
        except WebSocketInternalError as error:
            # The client has left: nobody is there to be told what follows from it.
            on_failure()
            logger.debug("%s", error)

    def _cancel_all(self) -> None:
        for task in self._tasks:
            task.cancel()
