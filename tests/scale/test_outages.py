"""An engine is gone for five seconds: clear answers meanwhile, and then all goes on."""

import time
from collections.abc import Callable
from functools import partial

from .clients import Answer, Buyer, Caller
from .engines import Postgres, Redis
from .followers import Prices, following
from .workers import Site, Worker

OUTAGE = 5.0
"""Seconds for which an engine is gone."""

BETWEEN = 20
"""How many orders become trades before and after."""


async def test_postgres_gone_for_five_seconds_loses_nothing(
    new_site: Callable[..., Site], postgres: Postgres
) -> None:
    site = new_site()
    buyer, prices = Buyer(site.port, insists=True), Prices(site.port)
    slowest = 0.0
    async with following(site.port) as followers, prices.reading():
        async with buyer.buying():
            await buyer.until(BETWEEN)
            postgres.crash()
            gone = time.monotonic()
            while time.monotonic() < gone + OUTAGE:
                asked = time.monotonic()
                answer = await Caller(site.port).call("GET", "/api/trades")
                slowest = max(slowest, time.monotonic() - asked)
                assert_clear(answer, "The database cannot be used at the moment.")
            for worker in site.workers:
                told = worker.health("ready")
                assert told is not None
                assert (told["http"], told["database"]) == (503, "away")
                assert worker.health("live") == {"http": 200, "status": "live"}
            await postgres.restart()
            await until_all_goes_on(site, buyer, prices)
        assert buyer.refusals
        for refusal in buyer.refusals:
            assert_clear(refusal)
        made = sorted(buyer.trades.values())
        for follower in followers:
            await follower.until(made[-1])
    for follower in followers:
        assert follower.numbers == made == [*range(1, len(made) + 1)]
        assert follower.returns == 0
    assert prices.returns == 0
    refused = len(buyer.refusals)
    print(f"\n{refused} orders refused; the slowest 503 took {slowest:.3f} s")  # noqa: T201


async def test_redis_gone_for_five_seconds_loses_nothing(
    new_site: Callable[..., Site], redis: Redis
) -> None:
    site = new_site(STALE_SECONDS="1")
    buyer, prices = Buyer(site.port, insists=True), Prices(site.port)
    async with following(*(worker.port for worker in site.workers)) as followers:
        async with prices.reading(), buyer.buying():
            await buyer.until(BETWEEN)
            redis.crash()
            gone = time.monotonic()
            # What was taken before the prices were too old is seen without Redis too.
            for worker in site.workers:
                await worker.process.until(partial(has_old_prices, worker))
            for follower in followers:
                await follower.until(max(buyer.trades.values()))
            await prices.until("stale")
            while time.monotonic() < gone + OUTAGE:
                answer = await Caller(site.port).call("GET", "/api/trades")
                assert answer.status == 200
            assert (await Caller(site.port).call("GET", "/")).status == 200
            await redis.restart()
            await until_all_goes_on(site, buyer, prices)
        assert buyer.refusals
        for refusal in buyer.refusals:
            assert_clear(refusal, "There are no new prices at the moment.")
        made = sorted(buyer.trades.values())
        for follower in followers:
            await follower.until(made[-1])
    for follower in followers:
        assert follower.numbers == made == [*range(1, len(made) + 1)]
        assert follower.returns == 0
    assert prices.returns == 0


async def test_workers_may_be_started_before_their_engines(
    new_worker: Callable[..., Worker], postgres: Postgres, redis: Redis
) -> None:
    worker = new_worker()
    redis.crash()
    postgres.crash()
    worker.process.start()
    await worker.process.until(lambda: worker.health("live") is not None)
    told = worker.health("ready")
    assert told is not None
    assert (told["http"], told["database"], told["prices"]) == (503, "away", "old")
    await redis.restart()
    await postgres.restart()
    await worker.process.until(worker.is_ready)
    told = worker.health("ready")
    assert told is not None
    assert told["http"] == 200


def assert_clear(answer: Answer | Exception, detail: str | None = None) -> None:
    """Assert that an answer says why, and when to ask again."""
    assert isinstance(answer, Answer), answer
    assert answer.status == 503, answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["detail"].endswith(detail or "at the moment.")


async def until_all_goes_on(site: Site, buyer: Buyer, prices: Prices) -> None:
    """Wait until orders are taken by all workers, and prices move."""
    for worker in site.workers:
        await worker.process.until(worker.is_ready)
    await buyer.until(len(buyer.trades) + BETWEEN)
    await prices.until("tick", 3)


def has_old_prices(worker: Worker) -> bool:
    """Whether a worker is ready all the same, and says that its prices are old."""
    told = worker.health("ready")
    return told is not None and told["http"] == 200 and told["prices"] == "old"
