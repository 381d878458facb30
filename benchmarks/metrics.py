"""What it costs to measure a request: `python -m benchmarks.metrics [quick]`.

The cost of metrics is the time of a request with them, less the time without.
Ours is put beside a middleware written by hand, which calls one counter and one
histogram of prometheus-client whose label sets were looked up before, and beside that
of starlette-exporter and prometheus-fastapi-instrumentator in Starlette. Ours counts a
request in six metrics, to the end of its response; each of the peers has the metrics
that it has by default.

Then a registry with 200 routes is scraped, while a timer fires twice a millisecond, and
each slice of the scrape is timed by itself.

All run as those of the other benchmarks do. Of three runs the worst counts, but for the
timer: it is late whenever the machine does something else, so the best one does. The
exit status is 1 when a target was missed. A package that is missing, or a wrong answer,
ends the run.
"""

import asyncio
import gc
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from time import perf_counter, thread_time
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_fastapi_instrumentator import Instrumentator
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette_exporter import PrometheusMiddleware

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    NextHandler,
    RouteMatches,
    text_writer,
)
from bareasgi import Scope as BareScope
from bareasgi.testing import http_request
from bareasgi_prometheus import add_prometheus
from benchmarks.cases import (
    GREETING,
    AsgiApplication,
    Case,
    Receive,
    Scope,
    Send,
    scope_for,
)
from benchmarks.driver import (
    BASELINE,
    FULL,
    QUICK,
    Plan,
    Timing,
    WrongAnswerError,
    measure,
    running,
    table,
    verify,
)
from benchmarks.report import OURS, Column, Figure, Report, Table, at_most

TARGET: Final = 1.9
"""The highest cost beside a counter and a histogram called by hand."""

PEER_TARGET: Final = 0.25
"""The highest cost beside that of each peer."""

SLICE: Final = 1.0
"""Milliseconds of CPU that a slice of a scrape may take."""

LATE: Final = 3.0
"""Milliseconds that the timer may be late."""

_ROUTES: Final = 200
_TICK: Final = 0.0005

_BY_HAND: Final = "bareASGI, by hand"
_PLAIN: Final = "bareASGI without"
_PEER: Final = "Starlette without"
_PEERS: Final = ("starlette-exporter", "prometheus-fastapi-instrumentator")

_PATH: Final = "/greeting"
_PLAIN_TEXT: Final = [(b"content-type", b"text/plain; charset=utf-8")]
_GZIP: Final = [(b"accept-encoding", b"gzip")]
_CASE: Final = Case(
    name="metrics",
    title="a greeting",
    scopes=[scope_for(_PATH)],
    body=GREETING.encode(),
    target=TARGET,
)


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return the exit status."""
    distributions = ["bareasgi-prometheus", "prometheus-client", "starlette", *_PEERS]
    report = Report("metrics", arguments, distributions)
    plan = QUICK if report.is_quick else FULL
    runs = asyncio.run(_measure(plan, report.runs))
    report.add(table("a greeting", runs))
    report.add(_cost_table(runs))
    report.add(_scrape_table([asyncio.run(_scrape()) for _ in range(report.runs)]))
    return report.finish()


def _cost_table(runs: Sequence[Mapping[str, Timing]]) -> Table:
    """What metrics cost: the time with them, less the time without."""
    shares = {
        _BY_HAND: [
            _cost(run, OURS, _PLAIN) / _cost(run, _BY_HAND, _PLAIN) for run in runs
        ]
    }
    for peer in _PEERS:
        shares[peer] = [
            _cost(run, OURS, _PLAIN) / _cost(run, peer, _PEER) for run in runs
        ]
    limits = {_BY_HAND: TARGET, **dict.fromkeys(_PEERS, PEER_TARGET)}
    return Table(
        title="what metrics cost bareASGI, beside what they cost others",
        columns=[Column("our cost by theirs")],
        rows={other: [Figure(found)] for other, found in shares.items()},
        targets=[
            at_most(f"cost beside {other}", found, limits[other])
            for other, found in shares.items()
        ],
    )


def _cost(run: Mapping[str, Timing], measured: str, without: str) -> float:
    return run[measured].ratio - run[without].ratio


def _scrape_table(runs: Sequence[tuple[float, float]]) -> Table:
    slices, late = zip(*runs, strict=True)
    return Table(
        title=f"a scrape of {_ROUTES} routes",
        columns=[
            Column("longest slice, CPU time", "ms"),
            Column("a timer beside it is late by", "ms"),
        ],
        rows={OURS: [Figure(slices), Figure(late)]},
        targets=[
            at_most("longest slice", slices, SLICE, "ms"),
            # The machine itself may be late, so the best run counts.
            at_most("the timer, in the best run", [min(late)], LATE, "ms"),
        ],
    )


async def _scrape() -> tuple[float, float]:
    """Scrape once, and give the longest slice and how late the timer was."""
    application = Application()
    add_prometheus(application)
    for number in range(_ROUTES):
        application.http_router.add({"GET"}, f"/route{number}", _no_content)
        await http_request(application, "GET", f"/route{number}")
    slices: list[float] = []
    late: list[float] = []

    async def watch() -> None:
        # Has its turn whenever the scrape gives way.
        last = thread_time()
        while True:
            await asyncio.sleep(0)
            slices.append(thread_time() - last)
            last = thread_time()

    async def tick() -> None:
        while True:
            due = perf_counter() + _TICK
            await asyncio.sleep(_TICK)
            late.append(perf_counter() - due)

    gc.collect()
    gc.freeze()
    for beside, found in ((watch, slices), (tick, late)):
        task = asyncio.create_task(beside())
        await http_request(application, "GET", "/metrics", headers=_GZIP)
        task.cancel()
        if not found:
            raise WrongAnswerError("the scrape was not made in slices")
    return max(slices) * 1000, max(late) * 1000


async def _no_content(
    scope: BareScope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 204


async def _measure(plan: Plan, times: int) -> Sequence[Mapping[str, Timing]]:
    """Measure all contenders, once in each run."""
    contenders: Mapping[str, AsgiApplication] = {
        BASELINE: _hand_written,
        _PLAIN: _ours(),
        _BY_HAND: _ours_by_hand(),
        OURS: _ours_with_metrics(),
        _PEER: _starlette(),
        _PEERS[0]: _starlette_exporter(),
        _PEERS[1]: _instrumentator(),
    }
    async with AsyncExitStack() as stack:
        for name, application in contenders.items():
            await stack.enter_async_context(running(application))
            await verify(name, application, _CASE)
        gc.collect()
        gc.freeze()
        return [await measure(contenders, _CASE, plan) for _ in range(times)]


async def _hand_written(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == _PATH and scope["method"] == "GET":
        status, body = 200, GREETING.encode()
    else:
        status, body = 404, b"Not Found"
    headers = [*_PLAIN_TEXT, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _ours() -> Application:
    application = Application()

    @application.on_http_request({"GET"}, _PATH)
    async def greet(
        scope: BareScope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, _PLAIN_TEXT, text_writer(GREETING)

    return application


def _ours_with_metrics() -> Application:
    application = _ours()
    add_prometheus(application)
    return application


def _ours_by_hand() -> Application:
    application = _ours()
    registry = CollectorRegistry()
    names = ["method", "route", "status"]
    values = ["GET", _PATH, "200"]
    count = Counter("requests", "Requests.", names, registry=registry).labels(*values)
    seconds = Histogram("seconds", "Time.", names, registry=registry).labels(*values)

    async def count_it(
        scope: BareScope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        started = perf_counter()
        response = await handler(scope, info, matches, content)
        count.inc()
        seconds.observe(perf_counter() - started)
        return response

    application.middlewares.append(count_it)
    return application


def _starlette() -> Starlette:
    async def greet(request: Request) -> PlainTextResponse:
        return PlainTextResponse(GREETING)

    return Starlette(routes=[Route(_PATH, greet, methods=["GET"])])


def _starlette_exporter() -> Starlette:
    application = _starlette()
    application.add_middleware(PrometheusMiddleware)
    return application


def _instrumentator() -> Starlette:
    application = _starlette()
    Instrumentator(registry=CollectorRegistry()).instrument(application)
    return application


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
