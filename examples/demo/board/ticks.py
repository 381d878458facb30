"""Where prices come from: here from chance, elsewhere perhaps from an exchange."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol

from board.clock import now
from board.market import KEPT_TICKS
from board.model import Company, Tick
from board.money import CENT

STEP: Final = 0.001
"""How far a price moves in a tick, as a part of it: most steps are smaller."""

RETURN: Final = 0.002
"""Which part of the way back to its opening price a price is drawn in a tick."""

CHANCE: Final = 0.5
"""How likely it is that a price moves in a tick."""


def step(
    prices: Mapping[str, Decimal],
    openings: Mapping[str, Decimal],
    chance: random.Random,
) -> dict[str, Decimal]:
    """Give the prices that change in the next tick, which may be none of them.

    They wander, and are drawn back a little: a board that runs for weeks still shows
    prices that one can believe.
    """
    changed: dict[str, Decimal] = {}
    for symbol, price in prices.items():
        if chance.random() < CHANCE:
            drawn = float(openings[symbol] / price - 1) * RETURN
            factor = 1 + chance.gauss(drawn, STEP)
            new = max(CENT, (price * Decimal(factor)).quantize(CENT))
            if new != price:
                changed[symbol] = new
    return changed


class Ticks(Protocol):
    """A source of prices."""

    async def past(self) -> Sequence[Tick]:
        """Give the ticks of the last minutes, the oldest first, for those who begin."""
        ...

    def __aiter__(self) -> AsyncIterator[Tick]:
        """Give each tick as it comes, for ever."""
        ...


class RandomTicks:
    """Prices that wander, all in this process."""

    def __init__(
        self,
        companies: Sequence[Company],
        seconds: float,
        chance: random.Random | None = None,
    ) -> None:
        self._openings = {company.symbol: company.opening for company in companies}
        self._prices = dict(self._openings)
        self._seconds = seconds
        self._chance = chance or random.Random()  # noqa: S311 - it is no secret

    async def past(self) -> Sequence[Tick]:
        """Make up the minutes before, so that no chart begins empty."""
        pause, time = timedelta(seconds=self._seconds), now()
        return [self._tick(time - n * pause) for n in range(KEPT_TICKS, 0, -1)]

    async def __aiter__(self) -> AsyncIterator[Tick]:
        """Give a tick whenever the time has come."""
        while True:
            yield self._tick(now())
            await asyncio.sleep(self._seconds)

    def _tick(self, time: datetime) -> Tick:
        changed = step(self._prices, self._openings, self._chance)
        self._prices |= changed
        return Tick(time, changed)
