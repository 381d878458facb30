"""The demo's database: an order and its trade, or neither, and each of them once."""

import asyncio
import sqlite3
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from board.model import Order, PlacedOrder, Side, Trade
from board.sqlite_store import SqliteStore, open_sqlite
from board.store import Store, StoreError

TIME = datetime(2026, 11, 22, 9, 30, 0, 250_000, tzinfo=UTC)
PRICE = Decimal("101.25")


def order(side: Side = "buy", limit: str | None = None, symbol: str = "ALDR") -> Order:
    return Order(uuid4(), side, symbol, 10, None if limit is None else Decimal(limit))


async def place(store: Store, order: Order, price: Decimal = PRICE) -> PlacedOrder:
    placed, is_new = await store.place(order, price, TIME)
    assert is_new
    return placed


async def test_a_store_of_sqlite_is_a_store(store: SqliteStore) -> None:
    any_store: Store = store
    assert await any_store.trades_after(0, 10) == []


async def test_an_order_without_a_limit_is_filled_at_the_price_there_is(
    store: SqliteStore,
) -> None:
    wanted = order()
    trade = Trade(1, TIME, "ALDR", "buy", 10, PRICE, wanted.key)
    placed = await place(store, wanted)
    assert placed == PlacedOrder(wanted, TIME, "filled", trade)
    assert await store.order(wanted.key) == placed
    assert await store.trades_after(0, 10) == [trade]
    assert await store.trades_before(None, 10) == [trade]


@pytest.mark.parametrize(
    ("side", "limit", "status"),
    [
        ("buy", "101.24", "waiting"),
        ("buy", "101.25", "filled"),
        ("buy", "101.26", "filled"),
        ("sell", "101.24", "filled"),
        ("sell", "101.25", "filled"),
        ("sell", "101.26", "waiting"),
    ],
)
async def test_a_limit_is_the_worst_price_and_the_price_there_is_is_the_one_paid(
    store: SqliteStore, side: Side, limit: str, status: str
) -> None:
    placed = await place(store, order(side, limit))
    assert placed.status == status
    assert (placed.trade is None) == (status == "waiting")
    assert placed.trade is None or placed.trade.price == PRICE


async def test_an_order_that_is_sent_again_is_the_order_that_it_was(
    store: SqliteStore,
) -> None:
    wanted = order()
    first = await place(store, wanted)
    again = await store.place(wanted, Decimal(50), TIME)
    assert again == (first, False)
    another = await store.place(replace(wanted, side="sell"), PRICE, TIME)
    assert another == (first, False)
    assert len(await store.trades_after(0, 10)) == 1


async def test_waiting_orders_are_filled_once_when_the_price_comes_to_them(
    store: SqliteStore,
) -> None:
    low, high = order("buy", "90.00"), order("sell", "110.00")
    elsewhere = order("buy", "90.00", "LUM")
    for each in (low, high, elsewhere):
        assert (await place(store, each)).status == "waiting"
    prices = {"ALDR": Decimal("90.01"), "OTTR": Decimal("1.00")}
    assert await store.fill(prices, TIME) == 0
    assert await store.fill({"ALDR": Decimal("89.50")}, TIME) == 1
    assert await store.fill({"ALDR": Decimal("89.50")}, TIME) == 0
    filled = await store.order(low.key)
    assert filled is not None
    assert filled.trade is not None
    # The price there is, which is better than the limit.
    assert filled.trade.price == Decimal("89.50")
    assert await store.fill({"ALDR": Decimal("110.00")}, TIME) == 1
    assert [trade.key for trade in await store.trades_after(0, 9)] == [
        low.key,
        high.key,
    ]


async def test_an_order_that_waits_can_be_cancelled_and_is_not_filled_then(
    store: SqliteStore,
) -> None:
    wanted = order("buy", "90.00")
    await place(store, wanted)
    for _ in range(2):
        cancelled = await store.cancel(wanted.key)
        assert cancelled is not None
        assert cancelled.status == "cancelled"
    assert await store.fill({"ALDR": Decimal("1.00")}, TIME) == 0


async def test_a_filled_order_stays_filled(store: SqliteStore) -> None:
    placed = await place(store, order())
    assert await store.cancel(placed.order.key) == placed


async def test_an_unknown_key_is_no_order(store: SqliteStore) -> None:
    unknown = UUID(int=1)
    assert await store.order(unknown) is None
    assert await store.cancel(unknown) is None


async def test_trades_are_read_forwards_and_backwards_and_by_stock(
    store: SqliteStore,
) -> None:
    for symbol in ("ALDR", "LUM", "ALDR", "LUM", "ALDR"):
        await place(store, order(symbol=symbol))

    def numbers(trades: object) -> list[int]:
        assert isinstance(trades, list)
        return [trade.number for trade in trades]

    assert numbers(await store.trades_after(0, 3)) == [1, 2, 3]
    assert numbers(await store.trades_after(3, 3)) == [4, 5]
    assert numbers(await store.trades_after(5, 3)) == []
    assert numbers(await store.trades_before(None, 2)) == [5, 4]
    assert numbers(await store.trades_before(4, 2)) == [3, 2]
    assert numbers(await store.trades_before(None, 9, "LUM")) == [4, 2]
    assert numbers(await store.trades_before(4, 9, "LUM")) == [2]
    assert numbers(await store.trades_before(None, 9, "NONE")) == []


async def test_orders_at_the_same_time_have_numbers_without_gaps(
    store: SqliteStore,
) -> None:
    placed = await asyncio.gather(*(place(store, order()) for _ in range(50)))
    numbers = [each.trade.number for each in placed if each.trade is not None]
    assert sorted(numbers) == [*range(1, 51)]


async def test_a_key_that_is_sent_by_many_at_once_is_one_order(
    store: SqliteStore,
) -> None:
    wanted = order()
    answers = await asyncio.gather(
        *(store.place(wanted, PRICE, TIME) for _ in range(20))
    )
    assert sum(is_new for _, is_new in answers) == 1
    assert len({placed for placed, _ in answers}) == 1
    assert len(await store.trades_after(0, 99)) == 1


@pytest.mark.parametrize("steps", range(16))
async def test_whoever_is_cancelled_leaves_an_order_with_its_trade_or_neither(
    store: SqliteStore, steps: int
) -> None:
    wanted = order()
    placing = asyncio.create_task(store.place(wanted, PRICE, TIME))
    for _ in range(steps):
        # Each is about one step of the task, or of the thread with the database.
        await asyncio.sleep(0.0002)
    placing.cancel()
    with suppress(asyncio.CancelledError):
        await placing
    kept = await store.order(wanted.key)
    trades = await store.trades_after(0, 10)
    assert (kept is None) == (trades == [])
    assert kept is None or kept.status == "filled"
    # And the next one is not held up.
    assert (await place(store, order())).status == "filled"


async def test_all_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    file = tmp_path / "board.sqlite3"
    filled, waiting = order(), order("buy", "90.00")
    async with open_sqlite(file) as store:
        await place(store, filled)
        await place(store, waiting)
    async with open_sqlite(file) as store:
        assert [trade.number for trade in await store.trades_after(0, 9)] == [1]
        assert await store.fill({"ALDR": Decimal("80.00")}, TIME) == 1
        assert [trade.number for trade in await store.trades_after(0, 9)] == [1, 2]


async def test_two_processes_may_have_the_file_open(tmp_path: Path) -> None:
    file = tmp_path / "board.sqlite3"
    waiting = order("buy", "90.00")
    async with open_sqlite(file) as one, open_sqlite(file) as other:
        await place(one, waiting)
        filled = await asyncio.gather(
            *(each.fill({"ALDR": Decimal("80.00")}, TIME) for each in (one, other))
        )
        assert sorted(filled) == [0, 1]
        assert len(await other.trades_after(0, 9)) == 1


async def test_a_database_that_fails_is_told_as_such_and_nothing_is_kept(
    tmp_path: Path,
) -> None:
    file = tmp_path / "board.sqlite3"
    async with open_sqlite(file) as store:
        await place(store, order())
        with sqlite3.connect(file) as damaging:
            damaging.execute("ALTER TABLE trades RENAME TO lost")
        damaging.close()
        wanted = order()
        with pytest.raises(StoreError, match="cannot be used") as caught:
            await store.place(wanted, PRICE, TIME)
        assert "trades" in str(caught.value.__cause__)
        with pytest.raises(StoreError):
            await store.trades_after(0, 9)
        with sqlite3.connect(file) as repairing:
            repairing.execute("ALTER TABLE lost RENAME TO trades")
        repairing.close()
        assert await store.order(wanted.key) is None
        assert (await place(store, wanted)).status == "filled"
