"""bareclient beside others, against one uvicorn: `python -m benchmarks.client [quick]`.

httpx2 and bareclient stand on the same transport, httpcore2, which is measured by
itself as well; httpx stands on httpcore, and aiohttp on a parser in C. Each makes small
requests one after another on a connection that is kept, then fifty at once, and
downloads 50 MiB. They take turns in short slices and in changing order, so that
whatever else the machine does hits all of them. The whole is done three times, and the
worst ratio counts. What is compared is the CPU time of this process, since the server
has its own; the time that passed is shown beside it.

The exit status is 1 when a target was missed. A package that is missing, or a wrong
answer, ends the run.
"""

import asyncio
import gc
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, TypeAlias

import aiohttp
import httpcore2
import httpx
import httpx2

from bareclient import Client, Limits
from benchmarks.ports import free_port
from benchmarks.report import Column, Figure, Report, Table, at_most

OURS: Final = "bareclient"
BASE: Final = "httpcore2"
PEERS: Final = ("httpx2", "httpx", "aiohttp")

AT_ONCE: Final = 50
SIZE: Final = 50 * 1024 * 1024
BODY: Final = b"Hello, World!"

_DEADLINE: Final = 10.0

SERVED: Final = f"""
CHUNK = bytes(65536)
LENGTH = b"%d" % {SIZE}

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError(scope["type"])
    is_long = scope["path"] == "/long"
    length = LENGTH if is_long else b"13"
    headers = [(b"content-type", b"text/plain"), (b"content-length", length)]
    await send({{"type": "http.response.start", "status": 200, "headers": headers}})
    if is_long:
        message = {{"type": "http.response.body", "body": CHUNK, "more_body": True}}
        for _ in range({SIZE} // len(CHUNK)):
            await send(message)
        await send({{"type": "http.response.body"}})
    else:
        await send({{"type": "http.response.body", "body": b"Hello, World!"}})

import uvicorn
uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="error", lifespan="off")
"""

Get: TypeAlias = Callable[[], Awaitable[bytes]]
Download: TypeAlias = Callable[[], Awaitable[int]]


@dataclass(frozen=True)
class Contender:
    """One client: how it gets the short answer, and the size of the long one."""

    get: Get
    download: Download


@dataclass(frozen=True)
class Plan:
    """How often each is asked."""

    rounds: int
    requests: int
    downloads: int


FULL: Final = Plan(rounds=15, requests=200, downloads=3)
QUICK: Final = Plan(rounds=2, requests=50, downloads=1)

Slice: TypeAlias = Callable[[Contender, Plan], Awaitable[int]]


@dataclass(frozen=True)
class Case:
    """What is measured, and the most that our CPU time may be of each other's."""

    title: str
    run: Slice
    targets: Mapping[str, float]


async def one_after_another(contender: Contender, plan: Plan) -> int:
    """Make requests on one connection."""
    for _ in range(plan.requests):
        await contender.get()
    return plan.requests


async def fifty_at_once(contender: Contender, plan: Plan) -> int:
    """Make requests on fifty connections."""

    async def some() -> None:
        for _ in range(plan.requests // AT_ONCE):
            await contender.get()

    await asyncio.gather(*[some() for _ in range(AT_ONCE)])
    return plan.requests


async def download(contender: Contender, plan: Plan) -> int:
    """Download 50 MiB."""
    for _ in range(plan.downloads):
        if await contender.download() != SIZE:
            sys.exit("a download has the wrong size")
    return plan.downloads


CASES: Final = (
    Case("one after another", one_after_another, {"httpx2": 1 / 1.3, "httpx": 1.0}),
    Case("fifty at once", fifty_at_once, {"httpx2": 1 / 1.3, "httpx": 1.0}),
    Case("50 MiB download", download, {BASE: 1.05, "httpx": 1.0}),
)


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return the exit status."""
    report = Report("client", arguments, [OURS, BASE, *PEERS, "uvicorn"])
    with serving() as url:
        asyncio.run(_compare(url, report))
    return report.finish()


@contextmanager
def serving() -> Iterator[str]:
    """Serve the two answers with uvicorn, in a process of its own."""
    port = free_port()
    text = SERVED.replace("PORT", str(port))
    process = subprocess.Popen([sys.executable, "-c", text])  # noqa: S603 - our own
    try:
        deadline = time.monotonic() + _DEADLINE
        while time.monotonic() < deadline and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                break
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(_DEADLINE)


async def _compare(url: str, report: Report) -> None:
    plan = QUICK if report.is_quick else FULL
    async with AsyncExitStack() as stack:
        contenders = await _contenders(url, stack)
        for name, contender in contenders.items():
            if await contender.get() != BODY:
                sys.exit(f"{name} gives a wrong answer")
        gc.collect()
        gc.freeze()
        for case in CASES:
            runs = [await _measure(case, contenders, plan) for _ in range(report.runs)]
            report.add(_table(case, runs))


async def _contenders(url: str, stack: AsyncExitStack) -> Mapping[str, Contender]:
    """Make the clients, each with room for as many connections as are needed."""
    ours = await stack.enter_async_context(
        Client(limits=Limits(keep_alive=AT_ONCE), timeout=_DEADLINE)
    )

    async def get_ours() -> bytes:
        async with ours.request("GET", url) as response:
            return await response.raw()

    async def download_ours() -> int:
        async with ours.request("GET", f"{url}long") as response:
            return sum([len(chunk) async for chunk in response.body])

    return {
        BASE: await _httpcore2(url, stack),
        OURS: Contender(get_ours, download_ours),
        "httpx2": await _httpx(httpx2, url, stack),
        "httpx": await _httpx(httpx, url, stack),
        "aiohttp": await _aiohttp(url, stack),
    }


async def _httpcore2(url: str, stack: AsyncExitStack) -> Contender:
    pool = await stack.enter_async_context(
        httpcore2.AsyncConnectionPool(
            max_connections=100, max_keepalive_connections=AT_ONCE
        )
    )
    extensions = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), 10.0)}

    async def get() -> bytes:
        async with pool.stream("GET", url, extensions=extensions) as response:
            return b"".join([chunk async for chunk in response.aiter_stream()])

    async def get_long() -> int:
        async with pool.stream("GET", f"{url}long", extensions=extensions) as response:
            return sum([len(chunk) async for chunk in response.aiter_stream()])

    return Contender(get, get_long)


async def _httpx(module: Any, url: str, stack: AsyncExitStack) -> Contender:
    limits = module.Limits(max_connections=100, max_keepalive_connections=AT_ONCE)
    client: Any = await stack.enter_async_context(
        module.AsyncClient(limits=limits, timeout=_DEADLINE)
    )

    async def get() -> bytes:
        content: bytes = (await client.get(url)).content
        return content

    async def get_long() -> int:
        async with client.stream("GET", f"{url}long") as response:
            return sum([len(chunk) async for chunk in response.aiter_raw()])

    return Contender(get, get_long)


async def _aiohttp(url: str, stack: AsyncExitStack) -> Contender:
    session = await stack.enter_async_context(aiohttp.ClientSession())

    async def get() -> bytes:
        async with session.get(url) as response:
            return await response.read()

    async def get_long() -> int:
        async with session.get(f"{url}long") as response:
            return sum([len(chunk) async for chunk in response.content.iter_any()])

    return Contender(get, get_long)


@dataclass(frozen=True)
class Timing:
    """Seconds for one request or download: of the CPU, and on the clock."""

    cpu: float
    clock: float


async def _measure(
    case: Case, contenders: Mapping[str, Contender], plan: Plan
) -> Mapping[str, Timing]:
    """Measure all in turn, and give the medians over the rounds."""
    names = [*contenders]
    slices: dict[str, list[Timing]] = {name: [] for name in names}
    for number in range(plan.rounds + 1):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            clock, cpu = time.perf_counter(), time.process_time()
            count = await case.run(contenders[name], plan)
            timing = Timing(
                (time.process_time() - cpu) / count,
                (time.perf_counter() - clock) / count,
            )
            if number:  # The first round warms up.
                slices[name].append(timing)
    return {
        name: Timing(
            median([each.cpu for each in timings]),
            median([each.clock for each in timings]),
        )
        for name, timings in slices.items()
    }


def _table(case: Case, runs: Sequence[Mapping[str, Timing]]) -> Table:
    ratios = {name: [run[OURS].cpu / run[name].cpu for run in runs] for name in runs[0]}
    return Table(
        title=case.title,
        columns=[
            Column("CPU time", "µs", 0),
            Column("clock", "µs", 0),
            Column("our CPU time by theirs"),
        ],
        rows={
            name: [
                Figure([run[name].cpu * 1e6 for run in runs]),
                Figure([run[name].clock * 1e6 for run in runs]),
                Figure(ratios[name]),
            ]
            for name in runs[0]
        },
        targets=[
            at_most(f"ratio to {name}", ratios[name], limit)
            for name, limit in case.targets.items()
        ],
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
