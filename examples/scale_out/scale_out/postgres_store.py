"""The store in PostgreSQL, which any number of workers share.

How trades get their numbers, which is the heart of it, is told in schema.sql.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final, TypeAlias
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from board.model import Order, PlacedOrder, Trade
from board.store import StoreError

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

AWAY: Final = (
    OSError,  # TimeoutError is one
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""What is raised when the database, or the way to it, fails."""

SESSION: Final = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "8000",
    "idle_in_transaction_session_timeout": "5000",
}
"""What PostgreSQL is told of a connection. A host may vanish without a word, and its
locks shall not last until the network gives up, which can take hours."""

NUMBERING: Final = 6_001
"""The advisory lock of those who write trades, which schema.sql names too."""

MAKING: Final = 6_002
"""The advisory lock of those who make the tables."""

LOCK: Final = "SELECT pg_advisory_xact_lock($1)"

SCHEMA: Final = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")

PLACE_ORDER: Final = "SELECT place_order($1, $2, $3, $4, $5, $6, $7)"

FILL_ORDERS: Final = "SELECT fill_orders($1, $2, $3)"

CANCEL: Final = """
UPDATE orders SET status = 'cancelled' WHERE key = $1 AND status = 'waiting'
"""

FIND_ORDER: Final = """
SELECT orders.*, trades.number, trades.time AS traded, trades.price
FROM orders LEFT JOIN trades ON trades.order_key = orders.key
WHERE orders.key = $1
"""

FIND_TRADES_AFTER: Final = """
SELECT * FROM trades WHERE number > $1 ORDER BY number LIMIT $2
"""

FIND_TRADES_BEFORE: Final = """
SELECT * FROM trades
WHERE ($1::bigint IS NULL OR number < $1) AND ($3::text IS NULL OR symbol = $3)
ORDER BY number DESC LIMIT $2
"""


class PostgresStore:
    """Orders and trades in a database.

    The pool comes from open_pool. No statement takes longer than so many seconds.
    """

    def __init__(self, pool: Pool, seconds: float) -> None:
        self._pool = pool
        self._seconds = seconds
        self._has_schema = False

    async def place(
        self, order: Order, price: Decimal, time: datetime
    ) -> tuple[PlacedOrder, bool]:
        """Keep an order and, if it can be filled at the price, its trade."""
        row = (
            *(order.key, time, order.side, order.symbol),
            *(order.quantity, order.limit, price),
        )
        async with self._connection() as connection:
            is_new: bool = await connection.fetchval(PLACE_ORDER, *row)
            placed = await _find_order(connection, order.key)
        if placed is None:
            raise StoreError(f"The order {order.key} was not kept.")
        return placed, is_new

    async def fill(self, prices: Mapping[str, Decimal], time: datetime) -> int:
        """Trade all waiting orders that can be filled at these prices.

        Every worker does so at every tick, so that it does not matter which of them are
        there. The first fills them, and the others find that there is nothing to do.
        """
        quotes = [*prices], [*prices.values()]
        async with self._connection() as connection:
            filled: int = await connection.fetchval(FILL_ORDERS, *quotes, time)
        return filled

    async def cancel(self, key: UUID) -> PlacedOrder | None:
        """Cancel an order if it is waiting."""
        async with self._connection() as connection, connection.transaction():
            await connection.execute(CANCEL, key)
            return await _find_order(connection, key)

    async def order(self, key: UUID) -> PlacedOrder | None:
        """Give the order with this key."""
        async with self._connection() as connection:
            return await _find_order(connection, key)

    async def trades_after(self, number: int, limit: int) -> Sequence[Trade]:
        """Give the first trades after a number, the oldest first."""
        async with self._connection() as connection:
            rows = await connection.fetch(FIND_TRADES_AFTER, number, limit)
        return [_trade(row) for row in rows]

    async def trades_before(
        self, number: int | None, limit: int, symbol: str | None = None
    ) -> Sequence[Trade]:
        """Give the last trades before a number, or of all, the newest first."""
        async with self._connection() as connection:
            rows = await connection.fetch(FIND_TRADES_BEFORE, number, limit, symbol)
        return [_trade(row) for row in rows]

    async def check(self) -> None:
        """Raise StoreError unless the database answers."""
        async with self._connection() as connection:
            await connection.execute("SELECT")

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Connection]:
        """Lend a connection, for a limited time.

        The tables are made when the database is first reached, which may be long after
        the start.
        """
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._pool.acquire(timeout=self._seconds) as connection,
            ):
                if not self._has_schema:
                    await _make_schema(connection)
                    self._has_schema = True
                yield connection
        except AWAY as error:
            raise StoreError("The database cannot be used at the moment.") from error


@asynccontextmanager
async def open_pool(
    url: str, *, connections: int, seconds: float
) -> AsyncGenerator[Pool]:
    """Make a pool, which connects when it is used, and close it at the end."""
    pool: Pool = asyncpg.create_pool(
        url,
        min_size=0,
        max_size=connections,
        timeout=seconds,
        server_settings=SESSION,
    )
    await pool
    try:
        yield pool
    finally:
        # To close them in order would wait for a database that may not answer.
        pool.terminate()


async def _make_schema(connection: Connection) -> None:
    """Make the tables, unless they are there. The last one tells."""
    if await connection.fetchval("SELECT to_regclass('trades') IS NULL"):
        async with connection.transaction():
            # Several workers may begin at once.
            await connection.execute(LOCK, MAKING)
            await connection.execute(SCHEMA)


async def _find_order(connection: Connection, key: UUID) -> PlacedOrder | None:
    row = await connection.fetchrow(FIND_ORDER, key)
    if row is None:
        return None
    order = Order(key, row["side"], row["symbol"], row["quantity"], row["limit_price"])
    trade = None
    if row["number"] is not None:
        trade = Trade(
            *(row["number"], row["traded"], row["symbol"], row["side"]),
            *(row["quantity"], row["price"], key),
        )
    return PlacedOrder(order, row["time"], row["status"], trade)


def _trade(row: asyncpg.Record) -> Trade:
    return Trade(*row.values())
