"""A trade that one worker takes reaches those who follow the other."""

from collections.abc import Callable

from .clients import MARKET_ORDER, Caller
from .followers import following
from .workers import Worker, start_all


async def test_a_trade_at_one_worker_reaches_all_who_follow_the_other(
    new_worker: Callable[..., Worker],
) -> None:
    workers = [new_worker(), new_worker()]
    start_all(workers)
    async with following(*(worker.port for worker in workers)) as followers:
        for number, worker in enumerate([*workers, *workers], 1):
            answer = await Caller(worker.port).call("POST", "/api/orders", MARKET_ORDER)
            assert answer.status == 201
            assert answer.json()["trade"]["number"] == number
            for follower in followers:
                await follower.until(number)
    for follower in followers:
        assert follower.numbers == [1, 2, 3, 4]
        assert follower.returns == 0
