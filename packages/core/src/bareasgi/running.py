"""What of an application goes on until it is stopped: streams and sockets."""

import asyncio
from collections.abc import Callable
from logging import Logger, getLogger
from time import monotonic
from typing import Final

logger: Final[Logger] = getLogger(__name__)


LAST_CALL: Final = 1.0
"""Seconds, of those that there are, for who did not end yet and is told once more."""


class Running:
    """The streams and sockets of one application that are not over.

    Attributes:
        is_draining: they are being ended, and no new ones must begin.
    """

    def __init__(self) -> None:
        self.is_draining: bool = False
        self._stops: dict[Callable[[], None], None] = {}
        self._waiters: list[asyncio.Future[None]] = []

    def add(self, stop: Callable[[], None]) -> None:
        """Keep what tells one of them to end."""
        self._stops[stop] = None

    def remove(self, stop: Callable[[], None]) -> None:
        """Forget one that is over."""
        del self._stops[stop]
        if not self._stops:
            for waiter in self._waiters:
                waiter.set_result(None)
            self._waiters.clear()

    async def drain(self, timeout: float) -> bool:  # noqa: ASYNC109 - as asyncio.wait
        """Tell all to end, and wait until they have. False when some still go on."""
        self.is_draining = True
        # Who says good-bye to a client that does not read waits in vain, and is told
        # once more before the time is over.
        last = min(LAST_CALL, timeout / 2)
        for seconds in (timeout - last, last):
            for stop in [*self._stops]:
                stop()
            await self._ended(seconds)
        if self._stops:
            logger.error("%d streams or sockets do not end", len(self._stops))
        return not self._stops

    async def _ended(self, seconds: float) -> None:
        """Wait until all have ended, or for so long."""
        deadline = monotonic() + seconds
        while self._stops and (rest := deadline - monotonic()) > 0:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await asyncio.wait([waiter], timeout=rest)
