"""The prices: those of now, those of the last minutes, and who waits for the next."""

from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from board.model import Company, Tick
from board.news import News

KEPT_TICKS: Final = 600
"""How many ticks are remembered: five minutes, at two in a second."""


class Quote(NamedTuple):
    """A stock and its price now. `tick` is the number of the tick that changed it."""

    company: Company
    price: Decimal
    time: datetime
    tick: int


class Market:
    """What the stocks cost.

    Attributes:
        history: the ticks that are remembered, the oldest first, with the prices of
            all stocks in each.
    """

    def __init__(self, companies: Sequence[Company], time: datetime) -> None:
        self._number = 0
        self._quotes = {
            company.symbol: Quote(company, company.opening, time, 0)
            for company in companies
        }
        self.history: deque[Tick] = deque(maxlen=KEPT_TICKS)
        self._news = News()

    @property
    def number(self) -> int:
        """How many ticks there were."""
        return self._number

    @property
    def quotes(self) -> Mapping[str, Quote]:
        """All stocks, by their symbols."""
        return self._quotes

    @property
    def prices(self) -> Mapping[str, Decimal]:
        """The prices of all stocks now."""
        return {symbol: quote.price for symbol, quote in self._quotes.items()}

    def apply(self, tick: Tick) -> None:
        """Change the prices, and wake those who wait for it."""
        self._number += 1
        for symbol, price in tick.prices.items():
            company = self._quotes[symbol].company
            self._quotes[symbol] = Quote(company, price, tick.time, self._number)
        self.history.append(Tick(tick.time, self.prices))
        self._news.tell()

    async def changes(self, number: int) -> AsyncIterator[Sequence[Quote]]:
        """Give what changed after a tick, and then, for ever, what changed since.

        Whoever is slow to ask again is given the newest price of each stock that
        changed in the meantime, and not everything that came before it.
        """
        while True:
            next_time = self._news.next
            changed = [each for each in self._quotes.values() if each.tick > number]
            if changed:
                number = self._number
                yield changed
            else:
                await next_time.wait()
