"""Figures, printed and never asserted: how much one worker does, and how much two."""

import asyncio
import time
from collections.abc import Callable

from .clients import MARKET_ORDER, Caller
from .followers import following
from .workers import Site

MEASURED = 2.0
"""Seconds for each figure."""

CLIENTS = 16
SOCKETS = 10
"""For each worker."""


async def rate(port: int, method: str, path: str, value: object = None) -> float:
    """Give how many requests were answered in a second, CLIENTS at a time."""
    begun = time.monotonic()

    async def ask() -> int:
        caller, count = Caller(port, keeps=True), 0
        while time.monotonic() < begun + MEASURED:
            answer = await caller.call(method, path, value)
            assert answer.status in {200, 201}, answer
            count += 1
        caller.close()
        return count

    counts = await asyncio.gather(*(ask() for _ in range(CLIENTS)))
    return sum(counts) / (time.monotonic() - begun)


async def test_what_one_worker_does_and_what_two_do(
    new_site: Callable[..., Site],
) -> None:
    site = new_site()
    ports = [worker.port for worker in site.workers]
    lines: list[str] = []
    for chosen in (ports[:1], ports):
        site.nginx.configure(chosen)
        await site.nginx.reload()
        reads = await rate(site.port, "GET", "/api/stocks")
        orders = await rate(site.port, "POST", "/api/orders", MARKET_ORDER)
        line = f"{len(chosen)} of 2 workers: {reads:.0f} reads/s, {orders:.0f} orders/s"
        lines.append(line)
    answer = await Caller(site.port).call("POST", "/api/orders", MARKET_ORDER)
    last = answer.json()["trade"]["number"]
    ways = ["socket"] * SOCKETS
    async with following(*ports, ways=ways, after=last - 1) as followers:
        for follower in followers:
            await follower.until(last)
        begun = time.monotonic()
        orders = await rate(site.port, "POST", "/api/orders", MARKET_ORDER)
        received = sum(len(follower.numbers) for follower in followers)
        events = received / (time.monotonic() - begun)
    lines.append(
        f"{orders:.0f} orders/s at two workers are {events:.0f} events/s"
        f" at {len(followers)} sockets"
    )
    print("", *lines, sep="\n")  # noqa: T201
