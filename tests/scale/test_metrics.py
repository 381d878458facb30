"""What Prometheus is told: by each worker of itself, or by any of all on its host."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from .clients import MARKET_ORDER, Caller
from .followers import following
from .workers import Worker, start_all

SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


async def orders_and_followers(worker: Worker) -> tuple[float, float]:
    """Ask a worker how many orders were filled, and how many follow the trades."""
    answer = await Caller(worker.port).call("GET", "/metrics")
    assert answer.status == 200
    found: Mapping[str, float] = {}
    for name, labels, value in SAMPLE.findall(answer.body.decode()):
        if name == "board_orders_total" and 'outcome="filled"' in labels:
            found = {**found, "orders": float(value)}
        if name == "board_followers" and 'over="socket"' in labels:
            found = {**found, "followers": float(value)}
    return found.get("orders", 0), found.get("followers", 0)


async def order_and_follow(workers: list[Worker]) -> list[tuple[float, float]]:
    """Place two orders at the first worker and one at the second, and ask both."""
    async with following(workers[0].port, workers[1].port, ways=["socket"]) as all_:
        for worker in (workers[0], workers[0], workers[1]):
            await Caller(worker.port).call("POST", "/api/orders", MARKET_ORDER)
        for follower in all_:
            await follower.until(3)
        return [await orders_and_followers(worker) for worker in workers]


async def test_each_worker_tells_of_itself(new_worker: Callable[..., Worker]) -> None:
    workers = [new_worker(), new_worker()]
    start_all(workers)
    assert await order_and_follow(workers) == [(2, 1), (1, 1)]


async def test_any_worker_of_a_host_tells_of_all(
    new_worker: Callable[..., Worker], tmp_path: Path
) -> None:
    folder = tmp_path / "metrics"
    folder.mkdir()
    workers = [new_worker(PROMETHEUS_MULTIPROC_DIR=str(folder)) for _ in range(2)]
    start_all(workers)
    assert await order_and_follow(workers) == [(3, 2), (3, 2)]
