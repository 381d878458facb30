"""Lets several tasks send one after the other, and the event loop run in between."""

import asyncio
from collections import deque
from time import monotonic
from typing import Final

TURN_CHUNKS: Final = 16
TURN_SECONDS: Final = 0.005
"""Who never waits gives way after so much, if it took so long."""

GLANCE: Final = 0.05
"""Seconds after which one who sends is looked after: does somebody receive?"""

BUSY: Final = -1
_WANTED: Final = -2


class Turns:
    """Who sends, and who waits for that, in the order of asking.

    Attributes:
        ready: how often one may send before it has to `take` its turn again. Negative
            while somebody sends: BUSY unless others want to know when it is over.
    """

    __slots__ = ("_began", "_waiting", "ready")

    def __init__(self) -> None:
        self.ready: int = 0
        self._began = monotonic()
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> int:
        """Wait for our turn, and give way to the rest of the program.

        Gives how often one may send before the next call.
        """
        if self.ready < 0:
            self.ready = _WANTED
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self.give()
                raise
        self.ready = _WANTED if self._waiting else BUSY
        if monotonic() - self._began > TURN_SECONDS:
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                self.give()
                raise
            self._began = monotonic()
        return TURN_CHUNKS

    def give(self) -> None:
        """End our turn, and let the next one have it."""
        self.ready = 0
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                # Nobody may come between.
                self.ready = _WANTED
                turn.set_result(None)
                return

    def renew(self) -> None:
        """Have whoever sends next call `take`."""
        self.ready = _WANTED if self.ready < 0 else 0
