"""Opens what a worker is made of, and keeps it going while engines come and go."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from logging import getLogger
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from board.background import background
from board.model import COMPANIES
from scale_out.fresh_store import FreshStore
from scale_out.postgres_store import AWAY, open_pool
from scale_out.redis_bell import RedisBell
from scale_out.redis_ticks import WAITS, RedisTicks
from scale_out.settings import Settings
from scale_out.ticker import Ticker

logger = getLogger(__name__)

PAUSE: Final = 0.5
"""Seconds after which a job that lost its engine begins again."""


@dataclass(frozen=True)
class Worker:
    """What a worker has beside the board."""

    store: FreshStore
    ticks: RedisTicks
    bell: RedisBell
    ticker: Ticker


@asynccontextmanager
async def open_worker(settings: Settings) -> AsyncGenerator[Worker]:
    """Open the parts of a worker, and close them at the end of the block.

    None of them needs its engine to be there yet. In a cluster everything is started at
    once, and in any order.
    """
    seconds = settings.database_seconds
    async with (
        open_pool(
            settings.database_url,
            connections=settings.database_connections,
            seconds=seconds,
        ) as pool,
        open_redis(settings.redis_url) as redis,
    ):
        ticks = RedisTicks(redis)
        worker = Worker(
            store=FreshStore(pool, seconds, ticks, settings.stale_seconds),
            ticks=ticks,
            bell=RedisBell(redis),
            ticker=Ticker(
                ticks, COMPANIES, settings.database_url, settings.tick_seconds
            ),
        )
        jobs = (worker.ticker.run, worker.bell.speak, worker.bell.listen)
        async with background(*(partial(insist, job) for job in jobs)):
            yield worker


@asynccontextmanager
async def open_redis(url: str) -> AsyncGenerator[Redis]:
    """Make a client, which connects when it is used, and close it at the end.

    It does not try again by itself: whoever uses it knows better what can wait.
    """
    redis = Redis.from_url(  # pyright: ignore[reportUnknownMemberType] - its **kwargs
        url,
        decode_responses=True,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
        socket_connect_timeout=1,
        socket_timeout=WAITS / 1000 + 1,
    )
    try:
        yield redis
    finally:
        await redis.aclose()


async def insist(job: Callable[[], Awaitable[None]]) -> None:
    """Do a job, and begin again whenever an engine failed."""
    while True:
        try:
            await job()
        except (RedisError, *AWAY) as error:
            logger.warning("%s, and it begins again: %s", job.__qualname__, error)
        await asyncio.sleep(PAUSE)
