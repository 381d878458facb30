"""Where orders and trades are kept: what the board asks of a database.

`sqlite_store` keeps them in a file. Another database is another class with these
methods; nothing else of the board would change.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from board.model import Order, PlacedOrder, Trade


class StoreError(Exception):
    """The database cannot be used at the moment. The text is meant for clients."""


class Store(Protocol):
    """Orders and trades. Every method may raise StoreError."""

    async def place(
        self, order: Order, price: Decimal, time: datetime
    ) -> tuple[PlacedOrder, bool]:
        """Keep an order and, if it can be filled at the price, its trade, or neither.

        Gives the order as it is now, and whether it is new. When there is an order with
        this key, nothing is changed, and that one is given.
        """
        ...

    async def fill(self, prices: Mapping[str, Decimal], time: datetime) -> int:
        """Trade all waiting orders that can be filled at these prices; give how many.

        May be called by several processes at once: an order is filled only once.
        """
        ...

    async def cancel(self, key: UUID) -> PlacedOrder | None:
        """Cancel an order if it is waiting, and give it as it is now."""
        ...

    async def order(self, key: UUID) -> PlacedOrder | None:
        """Give the order with this key."""
        ...

    async def trades_after(self, number: int, limit: int) -> Sequence[Trade]:
        """Give the first trades after a number, the oldest first."""
        ...

    async def trades_before(
        self, number: int | None, limit: int, symbol: str | None = None
    ) -> Sequence[Trade]:
        """Give the last trades before a number, or of all, the newest first."""
        ...
