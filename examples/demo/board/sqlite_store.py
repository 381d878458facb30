"""The store in a file of SQLite.

Two connections: one writes, one transaction at a time, and one reads. A connection sees
its own changes before they are committed, so a reader that shared the writer's could
be told of a trade that is then rolled back.
"""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import aiosqlite

from board.clock import parse_time, time_text
from board.model import Order, PlacedOrder, Trade
from board.money import CENT
from board.sqlite_statements import (
    ADD_ORDER,
    ADD_TRADE,
    CANCEL,
    FILL,
    FIND_ORDER,
    FIND_TRADES_AFTER,
    FIND_TRADES_BEFORE,
    SCHEMA,
)
from board.store import StoreError


class SqliteStore:
    """Orders and trades in one file. Made by open_sqlite."""

    def __init__(
        self, writer: aiosqlite.Connection, reader: aiosqlite.Connection
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._writing = asyncio.Lock()

    async def place(
        self, order: Order, price: Decimal, time: datetime
    ) -> tuple[PlacedOrder, bool]:
        """Keep an order and, if it can be filled at the price, its trade."""
        async with self._transaction():
            added = await self._writer.execute(ADD_ORDER, _order_row(order, time))
            is_new = added.rowcount == 1
            if is_new:
                await self._fill(order.symbol, price, time, order.key)
            (placed,) = await _find_order(self._writer, order.key)
        return placed, is_new

    async def fill(self, prices: Mapping[str, Decimal], time: datetime) -> int:
        """Trade all waiting orders that can be filled at these prices."""
        async with self._transaction():
            return sum(
                [
                    await self._fill(symbol, price, time)
                    for symbol, price in prices.items()
                ]
            )

    async def cancel(self, key: UUID) -> PlacedOrder | None:
        """Cancel an order if it is waiting."""
        async with self._transaction():
            await self._writer.execute(CANCEL, (str(key),))
            found = await _find_order(self._writer, key)
        return found[0] if found else None

    async def order(self, key: UUID) -> PlacedOrder | None:
        """Give the order with this key."""
        with _as_store_error():
            found = await _find_order(self._reader, key)
        return found[0] if found else None

    async def trades_after(self, number: int, limit: int) -> Sequence[Trade]:
        """Give the first trades after a number, the oldest first."""
        return await self._find_trades(FIND_TRADES_AFTER, (number, limit))

    async def trades_before(
        self, number: int | None, limit: int, symbol: str | None = None
    ) -> Sequence[Trade]:
        """Give the last trades before a number, or of all, the newest first."""
        wanted = {"number": number, "symbol": symbol, "limit": limit}
        return await self._find_trades(FIND_TRADES_BEFORE, wanted)

    async def _fill(
        self, symbol: str, price: Decimal, time: datetime, key: UUID | None = None
    ) -> int:
        wanted = {
            "symbol": symbol,
            "price": _cents(price),
            "time": time_text(time),
            "key": None if key is None else str(key),
        }
        filled = await self._writer.execute_fetchall(FILL, wanted)
        await self._writer.executemany(ADD_TRADE, filled)
        return len([*filled])

    async def _find_trades(
        self, query: str, wanted: Sequence[object] | Mapping[str, object]
    ) -> Sequence[Trade]:
        with _as_store_error():
            rows = await self._reader.execute_fetchall(query, wanted)
        return [_trade(row) for row in rows]

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[None]:
        """All or nothing, also for whoever is cancelled in the middle."""
        async with self._writing:
            with _as_store_error():
                try:
                    # It is begun even if this is cancelled while it waits for that.
                    await self._writer.execute("BEGIN IMMEDIATE")
                    yield
                    await self._writer.commit()
                except BaseException:
                    await self._writer.rollback()
                    raise


@asynccontextmanager
async def open_sqlite(path: Path) -> AsyncGenerator[SqliteStore]:
    """Open the file, or make it, and close it at the end of the block."""
    # Without an isolation level a transaction begins where this module says so.
    async with (
        aiosqlite.connect(path, isolation_level=None) as writer,
        aiosqlite.connect(path, isolation_level=None) as reader,
    ):
        await writer.executescript(SCHEMA)
        yield SqliteStore(writer, reader)


@contextmanager
def _as_store_error() -> Generator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError("The database cannot be used at the moment.") from error


async def _find_order(
    connection: aiosqlite.Connection, key: UUID
) -> Sequence[PlacedOrder]:
    """Find the one order with this key, or none."""
    rows = await connection.execute_fetchall(FIND_ORDER, (str(key),))
    return [_placed_order(row) for row in rows]


def _order_row(order: Order, time: datetime) -> Sequence[object]:
    limit = None if order.limit is None else _cents(order.limit)
    return (
        *(str(order.key), time_text(time), order.side, order.symbol),
        *(order.quantity, limit),
    )


def _placed_order(row: sqlite3.Row) -> PlacedOrder:
    key, side, symbol, quantity, limit, time, status, number, traded, price = row
    order = Order(
        UUID(key), side, symbol, quantity, None if limit is None else _price(limit)
    )
    trade = None
    if number is not None:
        trade = _trade((number, traded, symbol, side, quantity, price, key))
    return PlacedOrder(order, parse_time(time), status, trade)


def _trade(row: Iterable[Any]) -> Trade:
    number, time, symbol, side, quantity, price, key = row
    return Trade(
        number, parse_time(time), symbol, side, quantity, _price(price), UUID(key)
    )


def _cents(price: Decimal) -> int:
    return int(price / CENT)


def _price(cents: int) -> Decimal:
    return cents * CENT
