"""Where orders meet prices."""

from logging import getLogger
from uuid import UUID

from board.bell import Bell
from board.clock import now
from board.market import Market
from board.model import Order, PlacedOrder
from board.orders import OrderError
from board.store import Store, StoreError
from board.ticks import Ticks

logger = getLogger(__name__)


class Exchange:
    """Takes orders, and fills those that wait when the prices come to them."""

    def __init__(self, store: Store, market: Market, bell: Bell) -> None:
        self._store = store
        self._market = market
        self._bell = bell

    async def place(self, order: Order) -> tuple[PlacedOrder, bool]:
        """Take an order, and fill it if the price allows; give whether it is new.

        An order that is sent again, since its answer was lost, is not new: it is given
        as it is now. Raises OrderError for another order with the same key.
        """
        price = self._market.quotes[order.symbol].price
        try:
            placed, is_new = await self._store.place(order, price, now())
        finally:
            # Also when this is cancelled, since the trade may be there by then.
            await self._bell.ring()
        if placed.order != order:
            raise OrderError({"key": "This key was sent before, with another order."})
        return placed, is_new

    async def cancel(self, key: UUID) -> PlacedOrder | None:
        """Cancel an order that waits."""
        return await self._store.cancel(key)

    async def follow(self, ticks: Ticks) -> None:
        """Apply each tick to the market and to the orders that wait, for ever."""
        async for tick in ticks:
            self._market.apply(tick)
            try:
                # All prices, and not only those that have changed: an order may have
                # come since, or the database may have been away.
                filled = await self._store.fill(self._market.prices, tick.time)
            except StoreError as error:
                logger.warning("No order could be filled: %r", error.__cause__ or error)
                continue
            if filled:
                await self._bell.ring()
