"""Prices and rings on their way from one worker to the others."""

import asyncio
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
from redis.asyncio import Redis as RedisClient

from board.clock import now
from scale_out import redis_bell
from scale_out.opening import open_redis
from scale_out.redis_bell import RedisBell
from scale_out.redis_ticks import RedisTicks

from .clients import eventually
from .engines import Redis
from .processes import DEADLINE, PAUSE
from .workers import Worker, start_all


@pytest.fixture
async def client(redis: Redis) -> AsyncIterator[RedisClient]:
    async with open_redis(redis.url) as client:
        yield client


async def until_somebody_listens(client: RedisClient) -> None:
    """Wait until a bell has subscribed."""
    channels = (redis_bell.CHANNEL,)
    while True:
        told: Any = await client.pubsub_numsub(*channels)  # pyright: ignore[reportUnknownMemberType] - its **kwargs
        if told == [(redis_bell.CHANNEL, 1)]:
            return
        await asyncio.sleep(PAUSE)


async def test_ticks_have_the_prices_that_changed(client: RedisClient) -> None:
    sender, receiver = RedisTicks(client), RedisTicks(client)
    first, second = {"ALDR": Decimal("1.00"), "BRIG": Decimal("2.00")}, now()
    await sender.publish(second, first)
    (past,) = await receiver.past()
    assert (past.time, past.prices) == (second, first)
    ticks = aiter(receiver)
    await sender.publish(now(), {**first, "BRIG": Decimal("2.05")})
    await sender.publish(now(), {"ALDR": Decimal("1.01"), "BRIG": Decimal("2.05")})
    async with asyncio.timeout(DEADLINE):
        assert (await anext(ticks)).prices == {"BRIG": Decimal("2.05")}
        assert (await anext(ticks)).prices == {"ALDR": Decimal("1.01")}
    assert receiver.prices == await sender.latest()
    assert receiver.age < DEADLINE


async def test_ticks_of_long_ago_are_forgotten(client: RedisClient) -> None:
    ticks = RedisTicks(client)
    for number in range(1, 611):
        await ticks.publish(now(), {"ALDR": Decimal(number)})
    past = await ticks.past()
    assert [tick.prices["ALDR"] for tick in past] == [*range(11, 611)]


async def test_without_redis_there_are_no_ticks_and_no_errors(
    client: RedisClient, redis: Redis
) -> None:
    ticks = RedisTicks(client)
    redis.crash()
    assert await ticks.past() == []
    coming = asyncio.ensure_future(anext(aiter(ticks)))
    await redis.restart()
    await RedisTicks(client).publish(now(), {"ALDR": Decimal(1)})
    async with asyncio.timeout(DEADLINE):
        assert (await coming).prices == {"ALDR": Decimal(1)}


async def test_a_ring_at_one_worker_is_heard_at_another(
    client: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else it would look by itself before long.
    monkeypatch.setattr(redis_bell, "LOOKS", 10 * DEADLINE)
    here, there = RedisBell(client), RedisBell(client)
    jobs = [asyncio.create_task(job()) for job in (here.speak, there.listen)]
    rings = aiter(there.rings())
    async with asyncio.timeout(DEADLINE):
        await anext(rings)
        await until_somebody_listens(client)
        await here.ring()
        await anext(rings)
    for job in jobs:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)


async def test_a_worker_looks_by_itself_when_nobody_rings(client: RedisClient) -> None:
    rings = aiter(RedisBell(client).rings())
    async with asyncio.timeout(DEADLINE):
        for _ in range(3):
            await anext(rings)


async def test_one_worker_makes_the_prices_and_another_when_it_is_killed(
    new_worker: Callable[..., Worker],
) -> None:
    workers = [new_worker(), new_worker(), new_worker()]
    start_all(workers)
    while True:
        await eventually(lambda: len(ticking(workers)) == 1)
        for worker in workers:
            await worker.process.until(worker.is_ready)
        if len(workers) == 1:
            return
        # It may have changed since, on a machine that is very busy. One will do.
        for worker in ticking(workers)[:1]:
            worker.process.kill()
            workers.remove(worker)


def ticking(workers: list[Worker]) -> list[Worker]:
    """The workers that make the prices: one, or for a moment none."""
    told = ((worker, worker.health("ready")) for worker in workers)
    return [worker for worker, health in told if health and health["ticking"]]
