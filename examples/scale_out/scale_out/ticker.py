"""Who makes the prices: one worker, and another one when it is gone.

The one has a lock of PostgreSQL that lasts as long as its connection. When the process
or its machine dies, the connection ends, the lock is free, and another worker has it
within a second.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import Final

import asyncpg

from board.clock import now
from board.model import Company
from board.ticks import step
from scale_out.postgres_store import SESSION
from scale_out.redis_ticks import RedisTicks

TICKING: Final = 6_003
"""The advisory lock of whoever makes the prices."""

PAUSE: Final = 0.5
"""Seconds after which a worker tries again to be the one."""

PATIENCE: Final = 1.0
"""Seconds that PostgreSQL may take to answer that the lock is still held."""


class Ticker:
    """Makes the prices, if this worker is the one.

    Attributes:
        is_ticking: whether it is.
    """

    def __init__(
        self,
        ticks: RedisTicks,
        companies: Sequence[Company],
        database_url: str,
        seconds: float,
    ) -> None:
        self.is_ticking = False
        self._ticks = ticks
        self._openings = {company.symbol: company.opening for company in companies}
        self._database_url = database_url
        self._seconds = seconds
        self._chance = random.Random()  # noqa: S311 - it is no secret

    async def run(self) -> None:
        """Wait for the lock, and make prices as long as it is held.

        Raises what PostgreSQL or Redis raise when they fail, and has then given up the
        lock.
        """
        # One of its own: a connection of the pool is another's in the next moment.
        connection = await asyncpg.connect(
            self._database_url,
            timeout=PATIENCE,
            command_timeout=PATIENCE,
            server_settings=SESSION,
        )
        try:
            await self._wait_for_lock(connection)
            await self._tick(connection)
        finally:
            self.is_ticking = False
            connection.terminate()

    async def _wait_for_lock(self, connection: asyncpg.Connection) -> None:
        # To ask once, and be answered when it is free, would be a statement that takes
        # for ever, and keep PostgreSQL from clearing away what nobody else needs.
        while True:
            if await connection.fetchval("SELECT pg_try_advisory_lock($1)", TICKING):
                return
            await asyncio.sleep(PAUSE)

    async def _tick(self, connection: asyncpg.Connection) -> None:
        # Redis may have been emptied. This worker remembers what it was told last.
        known = await self._ticks.latest() or self._ticks.prices
        prices = {**self._openings, **known}
        self.is_ticking = True
        while True:
            # Without an answer the lock may be another's by now.
            await connection.execute("SELECT")
            prices |= step(prices, self._openings, self._chance)
            await self._ticks.publish(now(), prices)
            await asyncio.sleep(self._seconds)
