"""Work that does not wait for anything lets others have their turn."""

import asyncio
from time import monotonic
from typing import Final

TURN: Final = 0.005
"""How many seconds it may keep the event loop."""


class Pace:
    """How long the event loop has been kept from others."""

    __slots__ = ("_began",)

    def __init__(self) -> None:
        self._began = monotonic()

    async def give_way(self) -> None:
        """Let everybody else run, if it has been long enough."""
        if monotonic() - self._began > TURN:
            await asyncio.sleep(0)
            self._began = monotonic()
