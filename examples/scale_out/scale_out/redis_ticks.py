"""The ticks as they travel from the worker that makes them to all others: by Redis.

A stream of Redis keeps the last of them, for workers that begin and for charts. Each
entry has the prices of all stocks, so nothing depends on an entry before it: Redis may
forget them all.
"""

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from logging import getLogger
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from board.clock import parse_time, time_text
from board.market import KEPT_TICKS
from board.model import Tick
from board.money import price_text

logger = getLogger(__name__)

STREAM: Final = "board:ticks"

WAITS: Final = 1000
"""Milliseconds for which Redis holds a request when there is no tick."""

PAUSE: Final = 0.5
"""Seconds after which Redis is asked again when it failed."""


class RedisTicks:
    """The ticks of all workers.

    Attributes:
        prices: those of the last tick; empty before the first.
    """

    def __init__(self, redis: Redis) -> None:
        self.prices: Mapping[str, Decimal] = {}
        self._redis = redis
        self._last_id = "0"
        self._came = -math.inf

    @property
    def age(self) -> float:
        """How many seconds ago the last tick came; infinite if there was none."""
        return time.monotonic() - self._came

    async def publish(self, when: datetime, prices: Mapping[str, Decimal]) -> None:
        """Tell all workers the prices of all stocks. Raises RedisError."""
        texts = {symbol: price_text(price) for symbol, price in prices.items()}
        fields: Any = {"time": time_text(when), "prices": json.dumps(texts)}
        await self._redis.xadd(STREAM, fields, maxlen=KEPT_TICKS, approximate=False)

    async def latest(self) -> Mapping[str, Decimal]:
        """Ask for the newest prices; empty if Redis has none. Raises RedisError."""
        entries: Any = await self._redis.xrevrange(STREAM, count=1)
        return _read(entries[0])[1] if entries else {}

    async def past(self) -> Sequence[Tick]:
        """Give the ticks that Redis has kept; none when it is away."""
        try:
            entries: Any = await self._redis.xrange(STREAM)
        except RedisError as error:
            logger.warning("There are no prices of the last minutes: %s", error)
            return []
        return [self._take(entry) for entry in entries]

    async def __aiter__(self) -> AsyncIterator[Tick]:
        """Give each tick as it comes. While Redis is away there are none."""
        while True:
            try:
                streams: Any = await self._redis.xread(
                    {STREAM: self._last_id}, block=WAITS
                )
            except RedisError as error:
                logger.warning("There are no prices: %s", error)
                await asyncio.sleep(PAUSE)
                continue
            for _, entries in streams:
                for entry in entries:
                    tick = self._take(entry)
                    self._came = time.monotonic()
                    yield tick

    def _take(self, entry: tuple[str, Mapping[str, str]]) -> Tick:
        """Make a tick of the prices that differ from those before."""
        when, prices = _read(entry)
        before, self.prices = self.prices, prices
        self._last_id = entry[0]
        changed = {
            symbol: price
            for symbol, price in prices.items()
            if price != before.get(symbol)
        }
        return Tick(when, changed)


def _read(
    entry: tuple[str, Mapping[str, str]],
) -> tuple[datetime, Mapping[str, Decimal]]:
    fields = entry[1]
    texts: Mapping[str, str] = json.loads(fields["prices"])
    prices = {symbol: Decimal(text) for symbol, text in texts.items()}
    return parse_time(fields["time"]), prices
