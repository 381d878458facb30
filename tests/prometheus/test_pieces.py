"""A scrape never holds the event loop up for long."""

import asyncio
import gc
import gzip
from collections.abc import Iterator
from time import process_time, thread_time

import pytest

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
)
from bareasgi.testing import http_request
from bareasgi_prometheus import add_prometheus
from bareasgi_prometheus.pieces import at_once, in_slices


async def answer(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 204


@pytest.mark.parametrize("is_gzip", [False, True], ids=["plain", "gzip"])
async def test_both_ways_to_encode_give_all_of_it(*, is_gzip: bool) -> None:
    lines = [f"line {n}\n" for n in range(5_000)]
    expected = "".join(lines).encode()
    for data in (
        at_once(iter(lines), is_gzip=is_gzip),
        await in_slices(iter(lines), is_gzip=is_gzip),
    ):
        assert (gzip.decompress(data) if is_gzip else data) == expected


async def test_others_have_their_turn_between_slices() -> None:
    turns = 0
    seen: list[int] = []

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def lines() -> Iterator[str]:
        for _ in range(20):
            began = process_time()
            while process_time() - began < 0.001:
                pass
            seen.append(turns)
            yield "line\n"

    task = asyncio.create_task(other())
    await in_slices(lines(), is_gzip=False)
    task.cancel()
    # After each line, for each took longer than a slice.
    assert seen == sorted(set(seen))


async def test_no_slice_of_a_scrape_of_200_routes_takes_long() -> None:
    app = Application()
    add_prometheus(app)
    for n in range(200):
        app.http_router.add({"GET"}, f"/route{n}", answer)
        await http_request(app, "GET", f"/route{n}")
    loop = asyncio.get_running_loop()
    slices: list[float] = []

    async def watch() -> None:
        # Runs in between any two steps of the scrape.
        last = thread_time()
        while True:
            await asyncio.sleep(0)
            slices.append(thread_time() - last)
            last = thread_time()

    gc.collect()
    gc.disable()
    try:
        task = loop.create_task(watch())
        response = await http_request(
            app, "GET", "/metrics", headers=[(b"accept-encoding", b"gzip")]
        )
        task.cancel()
    finally:
        gc.enable()
    assert response.status == 200
    assert len(slices) > 20
    # Half a millisecond is what it takes, in one piece a hundred times as long; this
    # leaves room for slow machines.
    slices.sort()
    assert slices[-3] < 0.01
