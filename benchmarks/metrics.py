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
from benchmarks import report
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
    verify,
)

TARGET: Final = 1.9
"""The highest cost beside a counter and a histogram called by hand."""

PEER_TARGET: Final = 0.25
"""The highest cost beside that of each peer."""

SLICE: Final = 1.0
"""Milliseconds of CPU that a slice of a scrape may take."""

LATE: Final = 3.0
"""Milliseconds that the timer may be late."""

_RUNS: Final = 3
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
    if arguments not in ([], ["quick"]):
        sys.exit("usage: python -m benchmarks.metrics [quick]")
    distributions = ["bareasgi-prometheus", "prometheus-client", "starlette", *_PEERS]
    _say(report.machine(distributions))
    runs = asyncio.run(_measure(QUICK if arguments else FULL))
    _say(f"\nA greeting: CPU per request, and the ratio to {BASELINE} in each run")
    for name in runs[0]:
        figures = "".join(
            f"{run[name].ratio:9.2f} ±{run[name].spread:.2f}" for run in runs
        )
        microseconds = sorted(run[name].microseconds for run in runs)[_RUNS // 2]
        _say(f"  {name:<34}{microseconds:>9.2f} us{figures}")
    _say("\nThe cost of metrics beside that of others, in each run")
    is_reached = [_verdict(_BY_HAND, _PLAIN, TARGET, runs)]
    is_reached += [_verdict(peer, _PEER, PEER_TARGET, runs) for peer in _PEERS]
    scrapes = [asyncio.run(_scrape()) for _ in range(_RUNS)]
    _say(f"\nA scrape of {_ROUTES} routes: milliseconds in each run")
    slices, late = zip(*scrapes, strict=True)
    is_reached += [
        _limit("longest slice, CPU", slices, max(slices), SLICE),
        _limit("a timer beside it, late by", late, min(late), LATE),
    ]
    return 0 if all(is_reached) else 1


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


async def _measure(plan: Plan) -> Sequence[Mapping[str, Timing]]:
    """Measure all contenders, once in each run."""
    contenders: Mapping[str, AsgiApplication] = {
        BASELINE: _hand_written,
        _PLAIN: _ours(),
        _BY_HAND: _ours_by_hand(),
        report.OURS: _ours_with_metrics(),
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
        return [await measure(contenders, _CASE, plan) for _ in range(_RUNS)]


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


def _verdict(
    other: str, without: str, target: float, runs: Sequence[Mapping[str, Timing]]
) -> bool:
    """Print our cost beside another one, and tell whether the target was reached."""
    shares = [
        (run[report.OURS].ratio - run[_PLAIN].ratio)
        / (run[other].ratio - run[without].ratio)
        for run in runs
    ]
    worst = max(shares)
    is_reached = worst <= target
    figures = "".join(f"{share:9.2f}" for share in shares)
    outcome = "reached" if is_reached else "MISSED"
    _say(f"  {other:<34}{figures}   worst {worst:.2f}, target {target} {outcome}")
    return is_reached


def _limit(what: str, found: Sequence[float], counts: float, limit: float) -> bool:
    """Print what was found in each run, and tell whether it is within the limit."""
    is_reached = counts <= limit
    figures = "".join(f"{each:9.2f}" for each in found)
    outcome = "reached" if is_reached else "MISSED"
    _say(f"  {what:<34}{figures}   counts {counts:.2f}, limit {limit} {outcome}")
    return is_reached


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - this page is what the program is for


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
