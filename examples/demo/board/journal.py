"""The trades in their order, for those who follow them."""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from itertools import takewhile
from typing import Final

from board.bell import Bell
from board.model import Trade
from board.news import News
from board.store import Store

KEPT: Final = 1000
"""How many trades are remembered; older ones are read from the store."""

PAGE: Final = 500
"""How many trades are read at once."""


class Journal:
    """Remembers the last trades, and gives every follower each trade once, in order.

    The store is read when the bell rings, however many follow.
    """

    def __init__(self, store: Store, bell: Bell) -> None:
        self._store = store
        self._bell = bell
        self._trades: deque[Trade] = deque(maxlen=KEPT)
        self._news = News()

    @property
    def last_number(self) -> int:
        """The number of the newest trade that is known here."""
        return self._trades[-1].number if self._trades else 0

    async def run(self) -> None:
        """Read what is new whenever the bell rings, for ever."""
        if not self._trades:
            self._trades.extend(reversed(await self._store.trades_before(None, KEPT)))
            self._news.tell()
        async for _ in self._bell.rings():
            while new := await self._store.trades_after(self.last_number, PAGE):
                self._trades.extend(new)
                self._news.tell()

    async def after(self, number: int) -> AsyncIterator[Sequence[Trade]]:
        """Give the trades after a number, and then, for ever, those that come.

        Each time as many as there are by then, up to a limit, and at least one.
        """
        while True:
            next_time = self._news.next
            trades = await self._read(number)
            if trades:
                number = trades[-1].number
                yield trades
            else:
                await next_time.wait()

    async def _read(self, number: int) -> Sequence[Trade]:
        if number >= self.last_number:
            return []
        if number < self._trades[0].number - 1:
            return await self._store.trades_after(number, PAGE)
        newest_first = reversed(self._trades)
        new = [*takewhile(lambda trade: trade.number > number, newest_first)]
        return new[::-1]
