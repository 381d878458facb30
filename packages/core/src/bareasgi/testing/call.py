"""The task that an application is called in, and the waiting for it."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Iterable,
    Mapping,
)
from typing import Any

from bareasgi.testing.checker import ASGIApplication, Check, ProtocolError
from bareasgi.types import Receive, Send


class Call:
    """A call of an application in a task of its own, and the waiting for it."""

    def __init__(
        self,
        scope: Mapping[str, Any],
        receive: Receive,
        send: Send,
        timeout: float | None,
    ) -> None:
        self._timeout = timeout
        self._changed = asyncio.Event()
        self.check: Check = Check(scope, receive, send)
        self.task: asyncio.Task[None]

    def start(self, app: ASGIApplication) -> None:
        """Call the application."""
        self.task = asyncio.create_task(self.check.run(app))
        self.task.add_done_callback(lambda _: self.tell())

    def tell(self) -> None:
        """Have all conditions that are waited for looked at again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for the condition. Does not suspend if it is true already."""
        while not condition():
            await self._changed.wait()

    async def within(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for the condition or the end of the call, with the deadline."""
        try:
            async with asyncio.timeout(self._timeout):
                await self.until(lambda: condition() or self.task.done())
        except TimeoutError:
            raise ProtocolError(f"waited {self._timeout} s for {what}") from None

    async def stop(self, helper: asyncio.Task[None] | None = None) -> None:
        """Cancel what still runs of the call and its helper, and wait for it."""
        tasks = {self.task} if helper is None else {self.task, helper}
        for task in tasks:
            task.cancel()  # also keeps asyncio from logging an exception of it
        await asyncio.wait(tasks, timeout=self._timeout)


async def each(
    chunks: Iterable[bytes] | AsyncIterable[bytes],
) -> AsyncGenerator[bytes, None]:
    """Give chunk after chunk of either kind, and close what they come from."""
    try:
        if isinstance(chunks, AsyncIterable):
            async for chunk in chunks:
                yield chunk
        else:
            for chunk in chunks:
                yield chunk
    finally:
        aclose = getattr(chunks, "aclose", None)
        if aclose is not None:
            await aclose()
