"""What a route and an open stream take: bytes, counted by tracemalloc, and CPU time.

A stream is open when its first chunk was sent to a client that does not read on.
"""

import asyncio
import gc
import time
import tracemalloc
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from benchmarks import contenders
from benchmarks.cases import CASES, TICKS, AsgiApplication, Case, Message, scope_for
from benchmarks.driver import Server, running, verify
from benchmarks.report import OURS, Column, Figure, Table, at_most

STREAMS: Final = (1, 10, 100, 1_000)

STREAM_KIB: Final = 10.0
"""The most that an open stream of ours may take."""

STREAM_GROWTH: Final = 1.2
"""The highest time of a chunk of a thousand streams, by that of a chunk of one."""

_FEW, _MANY = 10, 1_000
_OPEN: Final = 200
_CHUNKS: Final = 10_000
_DEADLINE: Final = 60.0
_BY_NAME: Final[Mapping[str, Case]] = {case.name: case for case in CASES}
_STREAM: Final = _BY_NAME["ticks"]
_FIRST_ROUTE: Final = replace(
    _BY_NAME["parameters"], scopes=[scope_for("/area0/name0/0")]
)


class _Client(Server):
    """A client of a stream that takes one chunk, and the rest when it is told to."""

    def __init__(self, goes_on: asyncio.Event) -> None:
        super().__init__([{"type": "http.request", "body": b""}])
        self._goes_on = goes_on
        self.has_chunk = asyncio.Event()

    async def send(self, message: Message) -> None:
        """Take a message."""
        if message.get("body"):
            self.has_chunk.set()
            await self._goes_on.wait()


def tables(names: Sequence[str], runs: int) -> Sequence[Table]:
    """Measure, and make the tables."""
    able = [name for name in names if "ticks" not in contenders.LACKS.get(name, ())]
    routes: dict[str, list[float]] = {name: [] for name in names}
    memory: dict[str, list[float]] = {name: [] for name in able}
    times: dict[str, list[list[float]]] = {name: [] for name in able}
    for _ in range(runs):
        for name in names:
            routes[name].append(asyncio.run(_bytes_of_a_route(name)))
        for name in able:
            memory[name].append(asyncio.run(_bytes_of_a_stream(name)) / 1024)
            times[name].append(
                [asyncio.run(_time_of_a_chunk(name, count)) for count in STREAMS]
            )
    grown = [run[-1] / run[0] for run in times[OURS]]
    return [
        Table(
            title="the memory of a route with two parameters",
            columns=[Column("each", "bytes", 0)],
            rows={name: [Figure(found)] for name, found in routes.items()},
        ),
        Table(
            title="a chunk of a stream, by the number of streams at once",
            columns=[Column(f"{count:,}", "µs") for count in STREAMS],
            rows={
                name: [Figure([run[index] for run in found]) for index in range(4)]
                for name, found in times.items()
            },
            targets=[at_most("1,000 streams by 1", grown, STREAM_GROWTH)],
        ),
        Table(
            title="the memory of an open stream",
            columns=[Column("each", "KiB", 1)],
            rows={name: [Figure(found)] for name, found in memory.items()},
            targets=[at_most("each", memory[OURS], STREAM_KIB, "KiB")],
        ),
    ]


async def _bytes_of_a_route(name: str) -> float:
    # The first makes what is there once, however many routes there are.
    await _bytes_of_routes(name, _FEW)
    few, many = [await _bytes_of_routes(name, count) for count in (_FEW, _MANY)]
    return (many - few) / (_MANY - _FEW)


async def _bytes_of_routes(name: str, count: int) -> int:
    make = contenders.module(name).with_routes
    before = _traced()
    application: AsgiApplication = make(count)
    async with running(application):
        # Some make what they need with the first request.
        await verify(name, application, _FIRST_ROUTE)
        taken = _traced() - before
    tracemalloc.stop()
    return taken


async def _bytes_of_a_stream(name: str) -> float:
    application = contenders.applications(name)["ticks"]
    async with running(application):
        # The first makes what is there once, however many streams there are.
        await _bytes_of_streams(application, 1)
        return await _bytes_of_streams(application, _OPEN) / _OPEN


async def _bytes_of_streams(application: AsgiApplication, count: int) -> int:
    goes_on = asyncio.Event()
    clients = [_Client(goes_on) for _ in range(count)]
    scopes = [dict(_STREAM.scopes[0]) for _ in clients]
    before = _traced()
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(_DEADLINE):
        for client, scope in zip(clients, scopes, strict=True):
            served: Any = application(scope, client.receive, client.send)
            tasks.create_task(served)
        for client in clients:
            await client.has_chunk.wait()
        taken = _traced() - before
        goes_on.set()
    tracemalloc.stop()
    return taken


async def _time_of_a_chunk(name: str, count: int) -> float:
    """Give the microseconds of CPU time that a chunk takes."""
    application = contenders.applications(name)["ticks"]
    goes_on = asyncio.Event()
    goes_on.set()
    rounds = max(1, _CHUNKS // (count * TICKS))
    async with running(application):
        gc.collect()
        started = time.process_time()
        for _ in range(rounds):
            async with asyncio.TaskGroup() as tasks:
                for _ in range(count):
                    client, scope = _Client(goes_on), dict(_STREAM.scopes[0])
                    served: Any = application(scope, client.receive, client.send)
                    tasks.create_task(served)
        seconds = time.process_time() - started
    return seconds / (rounds * count * TICKS) * 1e6


def _traced() -> int:
    """Give the bytes that are in use, of those since the first call."""
    gc.collect()
    if not tracemalloc.is_tracing():
        tracemalloc.start()
    return tracemalloc.get_traced_memory()[0]
