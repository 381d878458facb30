"""All workers are replaced, one after the other, and nobody notices."""

import signal
from collections.abc import Callable

from .clients import MARKET_ORDER, Buyer, Caller
from .followers import following
from .workers import Site, Worker

BETWEEN = 20
"""How many orders become trades between one step and the next, at least."""


async def test_a_rolling_restart_drops_no_request(
    new_site: Callable[..., Site],
) -> None:
    site = new_site()
    nginx, ports = site.nginx, [worker.port for worker in site.workers]
    buyer = Buyer(site.port)
    async with following(site.port, site.port) as followers:
        async with buyer.buying():
            for worker in site.workers:
                await buyer.until(len(buyer.trades) + BETWEEN)
                # First nginx, which sends it nothing more from now on,
                nginx.configure(ports, down=[worker.port])
                await nginx.reload()
                await buyer.until_answered()
                # then the worker, whose streams come back to the other one,
                worker.process.send(signal.SIGUSR1)
                await worker.process.until(worker.is_drained)
                # and now it may end.
                assert await worker.end() == 0
                await worker.start()
                nginx.configure(ports)
                await nginx.reload()
            await buyer.until(len(buyer.trades) + BETWEEN)
        assert buyer.refusals == []
        made = sorted(buyer.trades.values())
        for follower in followers:
            await follower.until(made[-1])
    for follower in followers:
        assert follower.numbers == made == [*range(1, len(made) + 1)]
    # Both workers were ended, so every follower came back from one, if not from both.
    assert all(follower.returns for follower in followers)


async def test_a_worker_that_is_about_to_drain_goes_on_and_says_so(
    new_site: Callable[..., Site],
) -> None:
    site = new_site(1, DRAIN_SECONDS="300")
    (worker,) = site.workers
    caller = Caller(worker.port)
    async with following(worker.port) as followers:
        for number in (1, 2):
            answer = await caller.call("POST", "/api/orders", MARKET_ORDER)
            assert answer.status == 201
            for follower in followers:
                await follower.until(number)
            worker.process.send(signal.SIGTERM)
            await worker.process.until(lambda: state(worker) == "draining")
    assert all(follower.returns == 0 for follower in followers)


async def test_a_worker_that_drains_is_alive_and_not_ready(
    new_site: Callable[..., Site],
) -> None:
    site = new_site(1)
    (worker,) = site.workers
    async with following(worker.port) as followers:
        caller = Caller(worker.port, keeps=True)
        answer = await caller.call("POST", "/api/orders", MARKET_ORDER)
        for follower in followers:
            await follower.until(1)
        assert "connection" not in answer.headers
        worker.process.send(signal.SIGUSR1)
        await worker.process.until(worker.is_drained)
        told = worker.health("ready")
        assert told is not None
        assert (told["http"], told["ready"], told["database"]) == (503, False, "open")
        assert worker.health("live") == {"http": 200, "status": "live"}
        # Requests are answered to the end, and new streams are for others.
        answer = await caller.call("GET", "/api/stocks")
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert (await caller.call("GET", "/trades")).status == 503
        caller.close()
    assert await worker.end() == 0


def state(worker: Worker) -> str:
    """What a worker says that it does."""
    told = worker.health("ready")
    assert told is not None
    assert told["http"] == (200 if told["state"] == "serving" else 503)
    return str(told["state"])
