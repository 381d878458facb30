"""What the bodies of all transports have in common: whoever has one owns the answer."""

import asyncio
import warnings
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Final, Self

from bareasgi import Scope
from bareclient.request import url_of

CLOSING_TIME: Final = 5.0
"""How many seconds something may take to close after it was cancelled."""


class OwnedBody(ABC, AsyncIterator[bytes]):
    """A single pass over a body, which is over when it ends, fails or is closed."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._is_over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._is_over:
            raise StopAsyncIteration
        try:
            return await self._next()
        except StopAsyncIteration:
            self._is_over = True
            await self._end()
            raise
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Leave, unless the body is over."""
        if not self._is_over:
            self._is_over = True
            await _settled(self._abandon())

    def __del__(self) -> None:
        if not self._is_over:
            warnings.warn(
                f"the answer of {url_of(self._scope)} was neither read nor closed",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )

    @abstractmethod
    async def _next(self) -> bytes:
        """Give the next chunk, or raise StopAsyncIteration."""

    @abstractmethod
    async def _end(self) -> None:
        """Give back what the body held, after its end."""

    @abstractmethod
    async def _abandon(self) -> None:
        """Give it back before the end."""


async def _settled(closing: Coroutine[Any, Any, None]) -> None:
    """Finish closing, though whoever closes may be cancelled, even twice."""
    task = asyncio.create_task(closing)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=CLOSING_TIME)
        raise
