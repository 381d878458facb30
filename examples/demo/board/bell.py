"""How word of new trades gets around: a bell that says nothing but "look"."""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol


class Bell(Protocol):
    """Rung after trades were committed, and heard by every process that shows them.

    What it says is not needed to be right: whoever hears it looks into the store.
    """

    async def ring(self) -> None:
        """Tell all that there are new trades."""
        ...

    def rings(self) -> AsyncIterator[None]:
        """Give one ring at once, and one after each time that it was rung, for ever.

        Several may become one.
        """
        ...


class LocalBell:
    """The bell of a single process."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    async def ring(self) -> None:
        """Wake the one who listens."""
        self._rung.set()

    async def rings(self) -> AsyncIterator[None]:
        """Give a ring whenever there was one."""
        while True:
            self._rung.clear()
            yield
            await self._rung.wait()
