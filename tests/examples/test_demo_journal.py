"""Whoever follows the demo's trades gets each of them, once and in order."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest

from board.background import background
from board.bell import LocalBell
from board.journal import KEPT, Journal
from board.model import Order
from board.sqlite_store import SqliteStore
from board.store import StoreError

TIME = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
DEADLINE = 10.0


class Floor:
    """A journal, and the trades that are made for it."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.bell = LocalBell()
        self.journal = Journal(store, self.bell)

    async def trade(self, count: int = 1) -> None:
        for _ in range(count):
            order = Order(uuid4(), "buy", "LUM", 1)
            await self.store.place(order, Decimal(17), TIME)
            await self.bell.ring()

    async def until_known(self, number: int) -> None:
        await self.read(number - 1, 1)

    async def read(self, after: int, count: int) -> list[int]:
        """Read so many trades, and a few more if they come together."""
        numbers: list[int] = []
        async with asyncio.timeout(DEADLINE):
            async for trades in self.journal.after(after):
                numbers += [trade.number for trade in trades]
                if len(numbers) >= count:
                    return numbers
        raise AssertionError


@pytest.fixture
async def floor(store: SqliteStore) -> AsyncGenerator[Floor]:
    floor = Floor(store)
    async with background(floor.journal.run):
        yield floor


async def test_trades_come_as_they_are_made(floor: Floor) -> None:
    following = floor.journal.after(0)
    for number in (1, 2, 3):
        waiting = asyncio.create_task(anext(following))
        await floor.trade()
        trades = await asyncio.wait_for(waiting, DEADLINE)
        assert [trade.number for trade in trades] == [number]


async def test_whoever_comes_later_gets_what_was_missed_and_then_the_rest(
    floor: Floor,
) -> None:
    await floor.trade(5)
    following = asyncio.create_task(floor.read(2, 5))
    await floor.trade(2)
    assert await following == [3, 4, 5, 6, 7]


async def test_many_who_follow_from_anywhere_get_all_once_and_in_order(
    floor: Floor,
) -> None:
    await floor.trade(20)
    starts = [0, 5, 19, 20]
    following = [asyncio.create_task(floor.read(s, 50 - s)) for s in starts * 5]
    await asyncio.gather(*(floor.trade(10) for _ in range(3)))
    for start, numbers in zip(
        starts * 5, await asyncio.gather(*following), strict=True
    ):
        assert numbers == [*range(start + 1, 51)]


async def test_older_trades_than_are_remembered_come_from_the_store(
    store: SqliteStore,
) -> None:
    floor = Floor(store)
    await floor.trade(KEPT + 600)
    # As after a restart: it remembers the last ones only.
    async with background(floor.journal.run):
        await floor.until_known(KEPT + 600)
        numbers = await floor.read(0, KEPT + 600)
        assert numbers == [*range(1, KEPT + 601)]
        assert await floor.read(599, KEPT) == [*range(600, KEPT + 601)]


async def test_a_number_that_is_not_reached_yet_is_waited_for(floor: Floor) -> None:
    following = asyncio.create_task(floor.read(2, 1))
    await floor.trade(3)
    assert await following == [3]


async def test_one_ring_may_stand_for_many_trades(store: SqliteStore) -> None:
    floor = Floor(store)
    async with background(floor.journal.run):
        await floor.trade()
        await floor.until_known(1)
        for _ in range(3):
            order = Order(uuid4(), "buy", "LUM", 1)
            await store.place(order, Decimal(17), TIME)
        await floor.bell.ring()
        assert await floor.read(1, 3) == [2, 3, 4]


async def test_a_job_in_the_background_that_fails_is_begun_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("board.background.PAUSE", 0.01)
    problems: list[Exception] = [StoreError("away"), ValueError("wrong")]
    is_well = asyncio.Event()

    async def job() -> None:
        if problems:
            raise problems.pop(0)
        is_well.set()
        await asyncio.Event().wait()

    async with background(job):
        await asyncio.wait_for(is_well.wait(), DEADLINE)
    away, wrong = caplog.records
    # What passes by itself needs no traceback.
    assert (away.levelname, away.exc_info) == ("WARNING", None)
    assert wrong.levelname == "ERROR"
    assert wrong.exc_info is not None
