"""Refuses orders while the prices are old."""

from datetime import datetime
from decimal import Decimal

from board.model import Order, PlacedOrder
from board.store import StoreError
from scale_out.postgres_store import Pool, PostgresStore
from scale_out.redis_ticks import RedisTicks


class FreshStore(PostgresStore):
    """A store that takes an order only at a price of now."""

    def __init__(
        self, pool: Pool, seconds: float, ticks: RedisTicks, stale_seconds: float
    ) -> None:
        super().__init__(pool, seconds)
        self._ticks = ticks
        self._stale_seconds = stale_seconds

    @property
    def has_fresh_prices(self) -> bool:
        """Whether the last tick is not too long ago."""
        return self._ticks.age < self._stale_seconds

    async def place(
        self, order: Order, price: Decimal, time: datetime
    ) -> tuple[PlacedOrder, bool]:
        """Keep an order and, if it can be filled at the price, its trade.

        While prices are old, an order that is sent again is answered, and a new one is
        refused with StoreError.
        """
        if self.has_fresh_prices:
            return await super().place(order, price, time)
        known = await self.order(order.key)
        if known is None:
            raise StoreError("There are no new prices at the moment.")
        return known, False
