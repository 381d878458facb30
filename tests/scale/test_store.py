"""The store in PostgreSQL, used as the board uses it."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from uuid import UUID, uuid4

import asyncpg
import pytest

from board.clock import now
from board.model import Order, Side, Trade
from board.store import StoreError
from scale_out.postgres_store import (
    LOCK,
    NUMBERING,
    Pool,
    PostgresStore,
    open_pool,
)

from .clients import eventually
from .engines import Postgres
from .processes import DEADLINE, PAUSE

PRICE = Decimal("101.25")


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with open_pool(database_url, connections=10, seconds=DEADLINE) as pool:
        yield pool


@pytest.fixture
def store(pool: Pool) -> PostgresStore:
    return PostgresStore(pool, DEADLINE)


def new_order(side: Side = "buy", limit: str | None = None) -> Order:
    price = None if limit is None else Decimal(limit)
    return Order(uuid4(), side, "ALDR", 10, price)


def trade_of(number: int, order: Order, trade: Trade | None) -> Trade:
    assert trade is not None
    return Trade(
        *(number, trade.time, order.symbol, order.side),
        *(order.quantity, PRICE, order.key),
    )


async def until_some_wait(connection: asyncpg.Connection) -> None:
    """Wait until somebody else waits for an advisory lock."""
    asked = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with asyncio.timeout(DEADLINE):
        while True:
            if await connection.fetch(asked):
                return
            await asyncio.sleep(PAUSE)


async def test_an_order_without_a_limit_is_filled_at_once(store: PostgresStore) -> None:
    order, time = new_order(), now()
    placed, is_new = await store.place(order, PRICE, time)
    assert is_new
    assert (placed.order, placed.time, placed.status) == (order, time, "filled")
    assert placed.trade == trade_of(1, order, placed.trade)
    assert await store.order(order.key) == placed
    assert await store.trades_after(0, 10) == [placed.trade]


async def test_an_order_that_is_sent_again_is_one_order(store: PostgresStore) -> None:
    order = new_order()
    first = await store.place(order, PRICE, now())
    again = await store.place(order, PRICE + 1, now())
    assert first == (again[0], True)
    assert not again[1]
    assert len(await store.trades_after(0, 10)) == 1


async def test_an_order_that_is_sent_twice_at_once_is_one_order(
    store: PostgresStore,
) -> None:
    order = new_order()
    sent = [store.place(order, PRICE, now()) for _ in range(10)]
    answers = await asyncio.gather(*sent)
    assert sum(is_new for _, is_new in answers) == 1
    assert len({placed.trade for placed, _ in answers}) == 1


@pytest.mark.parametrize(
    ("side", "limit", "price", "is_filled"),
    [
        ("buy", "100.00", "100.01", False),
        ("buy", "100.00", "100.00", True),
        ("buy", "100.00", "99.99", True),
        ("sell", "100.00", "99.99", False),
        ("sell", "100.00", "100.00", True),
        ("sell", "100.00", "100.01", True),
    ],
)
async def test_an_order_waits_until_the_price_comes_to_its_limit(
    store: PostgresStore, side: Side, limit: str, price: str, *, is_filled: bool
) -> None:
    order = new_order(side, limit)
    far = Decimal(1000 if side == "buy" else 1)
    waiting, _ = await store.place(order, far, now())
    assert (waiting.status, waiting.trade) == ("waiting", None)
    prices = {"BRIG": Decimal(1), "ALDR": Decimal(price)}
    assert await store.fill(prices, now()) == int(is_filled)
    found = await store.order(order.key)
    assert found is not None
    assert found.status == ("filled" if is_filled else "waiting")
    assert (found.trade is not None) == is_filled
    assert await store.fill(prices, now()) == 0


async def test_orders_that_are_filled_together_are_numbered_by_their_time(
    store: PostgresStore,
) -> None:
    orders = [new_order("buy", "100.00") for _ in range(5)]
    for order in orders:
        await store.place(order, PRICE, now())
        await asyncio.sleep(0.002)  # the clock of the board has milliseconds
    workers = [store.fill({"ALDR": Decimal(99)}, now()) for _ in range(4)]
    assert sum(await asyncio.gather(*workers)) == len(orders)
    trades = await store.trades_after(0, 10)
    assert [trade.number for trade in trades] == [1, 2, 3, 4, 5]
    assert [trade.key for trade in trades] == [order.key for order in orders]


async def test_only_an_order_that_waits_can_be_cancelled(store: PostgresStore) -> None:
    waiting, filled = new_order("buy", "1.00"), new_order()
    for order in (waiting, filled):
        await store.place(order, PRICE, now())
    statuses: list[str] = []
    for order in (waiting, waiting, filled):
        placed = await store.cancel(order.key)
        assert placed is not None
        statuses.append(placed.status)
    assert statuses == ["cancelled", "cancelled", "filled"]
    assert await store.fill({"ALDR": Decimal("0.01")}, now()) == 0
    assert await store.cancel(uuid4()) is None
    assert await store.order(uuid4()) is None


async def test_trades_are_found_in_pages_both_ways(store: PostgresStore) -> None:
    for number in range(1, 8):
        symbol = "ALDR" if number % 2 else "BRIG"
        order = Order(UUID(int=number), "buy", symbol, 1)
        await store.place(order, PRICE, now())

    def numbers(trades: Sequence[Trade]) -> list[int]:
        return [trade.number for trade in trades]

    assert numbers(await store.trades_after(2, 3)) == [3, 4, 5]
    assert numbers(await store.trades_after(7, 3)) == []
    assert numbers(await store.trades_before(None, 3)) == [7, 6, 5]
    assert numbers(await store.trades_before(5, 3)) == [4, 3, 2]
    assert numbers(await store.trades_before(None, 3, "BRIG")) == [6, 4, 2]


async def test_a_number_is_given_away_only_when_the_one_before_is_committed(
    store: PostgresStore, database_url: str
) -> None:
    first, _ = await store.place(new_order(), PRICE, now())
    other = await asyncpg.connect(database_url)
    slow = other.transaction()
    await slow.start()
    # What a worker does that writes a trade, and has not committed it yet.
    await other.execute(LOCK, NUMBERING)
    await other.execute(
        "INSERT INTO orders SELECT $1, time, side, symbol, quantity, limit_price,"
        " status FROM orders WHERE key = $2",
        *(UUID(int=2), first.order.key),
    )
    await other.execute(
        "INSERT INTO trades SELECT 2, time, symbol, side, quantity, price, $1"
        " FROM trades WHERE number = 1",
        UUID(int=2),
    )
    placing = asyncio.create_task(store.place(new_order(), PRICE, now()))
    watching = await asyncpg.connect(database_url)
    await until_some_wait(watching)
    assert not placing.done()
    assert [trade.number for trade in await store.trades_after(0, 10)] == [1]
    await slow.commit()
    placed, _ = await placing
    assert placed.trade is not None
    assert placed.trade.number == 3
    for connection in (other, watching):
        await connection.close()


async def test_a_reader_never_sees_a_number_before_a_smaller_one(
    store: PostgresStore, database_url: str
) -> None:
    seen: list[int] = []
    looks = 0

    async def read() -> None:
        nonlocal looks
        while len(seen) < 300:
            looks += 1
            found = await store.trades_after(seen[-1] if seen else 0, 500)
            seen.extend(trade.number for trade in found)

    async def write(many: int) -> None:
        # Another pool, as of another worker.
        async with open_pool(database_url, connections=5, seconds=DEADLINE) as pool:
            writer = PostgresStore(pool, DEADLINE)
            orders = (new_order() for _ in range(many))
            placed = (writer.place(order, PRICE, now()) for order in orders)
            await asyncio.gather(*placed)

    await asyncio.gather(read(), write(100), write(100), write(100))
    assert seen == [*range(1, 301)]
    print(f"\nlooked {looks} times")  # noqa: T201
    assert looks > 1


async def test_a_database_that_is_away_is_told_and_used_again(
    store: PostgresStore, postgres: Postgres
) -> None:
    order = new_order()
    await store.place(order, PRICE, now())
    postgres.crash()
    with pytest.raises(StoreError, match="at the moment"):
        await store.place(new_order(), PRICE, now())
    with pytest.raises(StoreError, match="at the moment"):
        await store.check()
    postgres.start()
    await store.check()
    _, is_new = await store.place(order, PRICE, now())
    assert not is_new


async def test_a_statement_that_takes_too_long_is_given_up(
    pool: Pool, database_url: str
) -> None:
    store, patient = PostgresStore(pool, 0.2), PostgresStore(pool, DEADLINE)
    await patient.check()
    other = await asyncpg.connect(database_url)
    async with other.transaction():
        await other.execute(LOCK, NUMBERING)
        with pytest.raises(StoreError):
            await store.place(new_order(), PRICE, now())
    await other.close()
    await eventually(lambda: pool.get_idle_size() == pool.get_size())
    assert await patient.trades_after(0, 1) == []


async def test_a_database_that_does_not_answer_is_given_up(
    pool: Pool, postgres: Postgres
) -> None:
    store, patient = PostgresStore(pool, 0.2), PostgresStore(pool, DEADLINE)
    orders = [new_order() for _ in range(10)]
    await asyncio.gather(*(patient.place(order, PRICE, now()) for order in orders))
    with postgres.frozen():
        begun = time.monotonic()
        placed = [store.place(order, PRICE, now()) for order in orders]
        answers = await asyncio.gather(*placed, return_exceptions=True)
        print(f"\ngiven up after {time.monotonic() - begun:.3f} s")  # noqa: T201
        assert all(isinstance(answer, StoreError) for answer in answers), answers
    for order in orders:
        await patient.place(order, PRICE, now())
    trades = await patient.trades_after(0, 100)
    assert [trade.number for trade in trades] == [*range(1, len(orders) + 1)]
