"""Sends a page while its template runs.

The text of a template comes in very small parts. They are collected to pieces of 8 to
16 KiB; less is sent where the reader gains by it: at the end of the head, so that style
sheets and scripts load while the rest is made, and whenever the template has to wait.
"""

import asyncio
import codecs
import re
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from logging import Logger, getLogger
from typing import Any, Final, Self

from jinja2 import Environment

from bareasgi_jinja2.failures import fail

logger: Logger = getLogger(__name__)

MIN_PIECE: Final = 8 * 1024
MAX_PIECE: Final = 16 * 1024

_END_OF_HEAD: Final = re.compile("</head", re.IGNORECASE)


class Pieces:
    """Collects the parts of a text, and cuts it into pieces of bytes.

    Attributes:
        ready: what is to be sent, in order.
    """

    def __init__(self, encoding: str) -> None:
        self.ready: deque[bytes] = deque()
        self._encoder = codecs.getincrementalencoder(encoding)()
        self._parts: list[str] = []
        self._length = 0
        self._is_in_head = True

    def add(self, part: str) -> bool:
        """Take a part, and tell whether there is something to send now."""
        self._parts.append(part)
        self._length += len(part)
        # No encoding has less than a byte for a character.
        if self._length < MIN_PIECE and not self._ends_head(part):
            return False
        self.cut()
        return True

    def cut(self, *, is_last: bool = False) -> None:
        """Make ready whatever has been added."""
        data = self._encoder.encode("".join(self._parts), is_last)
        self._parts.clear()
        self._length = 0
        if data:
            # Equal pieces are never shorter than half of the longest.
            count = -(-len(data) // MAX_PIECE)
            size = -(-len(data) // count)
            starts = range(0, len(data), size)
            self.ready.extend(data[start : start + size] for start in starts)

    def _ends_head(self, part: str) -> bool:
        if self._is_in_head and _END_OF_HEAD.search(part):
            self._is_in_head = False
            return True
        return False


class TemplateBody(ABC):
    """A page on its way, as a body: iterated once, and closed by whoever sends it."""

    def __init__(self, environment: Environment, encoding: str) -> None:
        self._environment = environment
        self._pieces = Pieces(encoding)
        self._is_over = False

    async def begin(self) -> bytes | None:
        """Run the template until there is something to send.

        Gives the page if that is all of it. What the template raises is raised here.
        """
        ready = self._pieces.ready
        try:
            await self._fill()
        except BaseException:
            await self.aclose()
            raise
        if self._is_over and len(ready) <= 1:
            return ready.popleft() if ready else b""
        return None

    def __aiter__(self) -> Self:
        """Give the pieces from where it is; there is no second pass."""
        return self

    async def __anext__(self) -> bytes:
        """Give the next piece, and run the template for it if need be."""
        if not self._pieces.ready:
            await self._fill()
            if not self._pieces.ready:
                raise StopAsyncIteration
        return self._pieces.ready.popleft()

    async def aclose(self) -> None:
        """End the template where it is, and drop what was not sent."""
        self._is_over = True
        self._pieces.ready.clear()

    @abstractmethod
    async def _fill(self) -> None:
        """Run the template until a piece is ready, or it is over."""


class SyncBody(TemplateBody):
    """The page of a template that never waits."""

    def __init__(
        self,
        environment: Environment,
        parts: Generator[str, None, None],
        encoding: str,
    ) -> None:
        super().__init__(environment, encoding)
        self._parts = parts

    async def aclose(self) -> None:
        """End the template where it is, and drop what was not sent."""
        await super().aclose()
        self._parts.close()

    async def _fill(self) -> None:
        if self._is_over:
            return
        try:
            for part in self._parts:
                if self._pieces.add(part):
                    return
            self._pieces.cut(is_last=True)
            self._is_over = True
        except Exception as error:  # noqa: BLE001 - it is raised again
            fail(self._environment, error)


class AsyncBody(TemplateBody):
    """The page of a template that may wait, which runs in a task of its own.

    Only so can be told that it waits: this task goes on when that one cannot. It is at
    most a piece ahead of what was sent.
    """

    def __init__(
        self,
        environment: Environment,
        parts: AsyncGenerator[str, None],
        encoding: str,
    ) -> None:
        super().__init__(environment, encoding)
        self._moved = asyncio.Event()
        self._room = asyncio.Event()
        self._task = asyncio.create_task(self._run(parts))

    async def aclose(self) -> None:
        """End the template where it is, and drop what was not sent."""
        await super().aclose()
        # What it raised before, if anything, was told to whoever asked for a piece.
        was_running = not self._task.done()
        self._task.cancel()
        await asyncio.wait([self._task])
        error = None if self._task.cancelled() else self._task.exception()
        if error is not None and was_running:
            logger.error("a template that was ended failed", exc_info=error)

    async def _fill(self) -> None:
        while not self._pieces.ready and not self._is_over:
            if self._task.done():
                self._task.result()  # raises: it has failed
            # The template waits, for a value or for this. A reader need not.
            self._pieces.cut()
            if not self._pieces.ready:
                self._moved.clear()
                self._room.set()
                await self._moved.wait()

    async def _run(self, parts: AsyncGenerator[str, None]) -> None:
        try:
            async with aclosing(parts):
                async for part in parts:
                    self._moved.set()
                    if self._pieces.add(part):
                        self._room.clear()
                        await self._room.wait()
            self._pieces.cut(is_last=True)
            self._is_over = True
        except Exception as error:  # noqa: BLE001 - it is raised again
            fail(self._environment, error)
        finally:
            self._moved.set()


def body_of(environment: Environment, parts: Any, encoding: str) -> TemplateBody:
    """Make the body that suits the environment."""
    if environment.is_async:
        return AsyncBody(environment, parts, encoding)
    return SyncBody(environment, parts, encoding)
