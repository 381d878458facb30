"""Queries, answers in parts and subscriptions: `python -m benchmarks.graphql [quick]`.

A small query comes as JSON by POST and is answered with JSON. What counts is the ratio
to `graphql.execute` alone, called with a document that was parsed and validated before,
and whose result goes nowhere. Beside bareASGI with bareasgi-graphql run strawberry with
its caches for documents, and ariadne, which has none; for information also an
application written by hand, which reads, executes, writes and checks nothing, and
ariadne with caches put into its hooks. All serve one schema, with the same resolvers.

Then a trusted document is compared with one that is kept. A list of ten thousand items
is streamed: how soon the first one is sent counts, and how much memory all of them
take. At last each package sends events to a thousand subscriptions on ten WebSockets.

All run as those of the other benchmarks do. Of three runs the worst counts. The exit
status is 1 when a target was missed. A package that is missing, or a wrong answer, ends
the run.
"""

import asyncio
import gc
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import lru_cache
from itertools import chain
from statistics import median
from typing import Any, Final, cast

import strawberry
from ariadne.asgi import GraphQL as AriadneGraphQL
from ariadne.asgi.handlers import GraphQLTransportWSHandler
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLSchema,
    execute,
    parse,
    validate,
)
from strawberry.asgi import GraphQL as StrawberryGraphQL

from bareasgi import Application
from bareasgi_graphql import add_graphql
from benchmarks import report
from benchmarks.cases import (
    AsgiApplication,
    Receive,
    Scope,
    Send,
)
from benchmarks.driver import (
    BASELINE,
    FULL,
    QUICK,
    Plan,
    Timing,
    measure,
    running,
    verify,
)
from benchmarks.graphql_documents import TRUSTED, documents
from benchmarks.graphql_query import DOCUMENT, JSON, VARIABLES, query_case, verify_data
from benchmarks.graphql_schema import Market, core_schema, make_schema
from benchmarks.graphql_stream import ITEMS, Streamed, stream
from benchmarks.subscribers import ALL, Subscribers

TARGET: Final = 1.35
"""The highest ratio to executing alone."""

PEER_TARGETS: Final[Mapping[str, float]] = {"strawberry": 1.9, "ariadne": 8.0}
"""How many times as fast as these we are at least."""

TRUSTED_TARGET: Final = 1.05
"""The highest ratio of a trusted document to one that was sent and is kept."""

FIRST_ITEM: Final = 5.0
"""The most milliseconds from a resolver's first item until it is sent."""

MEMORY: Final = 1024.0
"""The most KiB that a streamed list takes, a tenth of what its items have."""

EVENTS: Final = 8_000.0
"""The fewest events in a second of CPU."""

_RUNS: Final = 3
_PRICES: Final = 3
# A slice of subscriptions takes longer than one of requests: fewer of them will do.
_SHARE: Final = 3
_BY_HAND: Final = "by hand, no checks"
_CACHED: Final = "ariadne, cached by hand"
_ALONE: Final = "graphql.execute alone"


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return the exit status."""
    if arguments not in ([], ["quick"]):
        sys.exit("usage: python -m benchmarks.graphql [quick]")
    plan = QUICK if arguments else FULL
    distributions = ["bareasgi-graphql", "graphql-core", "strawberry-graphql"]
    _say(report.machine([*distributions, "ariadne", "starlette"]))
    is_reached = _report_queries(asyncio.run(_queries(plan)))
    is_reached += _report_documents(asyncio.run(documents(plan, _RUNS)))
    is_reached += _report_stream([asyncio.run(stream()) for _ in range(_RUNS)])
    is_reached += _report_events([asyncio.run(_events(plan)) for _ in range(_RUNS)])
    return 0 if all(is_reached) else 1


def _report_queries(runs: Sequence[Mapping[str, Timing]]) -> list[bool]:
    _say("\nA small query: CPU per request, ratio in each run")
    _show(runs, _ALONE)
    worst = max(run[report.OURS].ratio for run in runs)
    is_reached = [_verdict(f"ratio to {_ALONE}", worst, TARGET, worst <= TARGET)]
    for peer, target in PEER_TARGETS.items():
        worst = min(run[peer].ratio / run[report.OURS].ratio for run in runs)
        what = f"times as fast as {peer}"
        is_reached.append(_verdict(what, worst, target, worst >= target))
    return is_reached


def _report_documents(runs: Sequence[Mapping[str, Timing]]) -> list[bool]:
    _say("\nThe same, by documents that bareASGI has: ratio to one that is kept")
    _show(runs, "kept, sent in full")
    worst = max(run[TRUSTED].ratio for run in runs)
    what = "ratio of a trusted document to one that is kept"
    return [_verdict(what, worst, TRUSTED_TARGET, worst <= TRUSTED_TARGET)]


def _report_stream(runs: Sequence[Streamed]) -> list[bool]:
    _say(f"\n@stream of {ITEMS:,} items of 1 KiB, in each run")
    for name, figures in {
        "ms to the first": [f"{run.first * 1e3:.2f}" for run in runs],
        "us of CPU an item": [f"{run.item * 1e6:.1f}" for run in runs],
        "KiB of memory": [f"{run.memory / 1024:,.0f}" for run in runs],
    }.items():
        _say(f"  {name:<24}" + "".join(f"{figure:>12}" for figure in figures))
    first = max(run.first for run in runs) * 1e3
    memory = max(run.memory for run in runs) / 1024
    return [
        _verdict("ms to the first", first, FIRST_ITEM, first <= FIRST_ITEM),
        _verdict("KiB of memory", memory, MEMORY, memory <= MEMORY),
    ]


def _report_events(runs: Sequence[Mapping[str, Sequence[float]]]) -> list[bool]:
    _say("\n1,000 subscriptions on 10 sockets: events in a second of CPU, in each run")
    for name in runs[0]:
        figures = "".join(f"{median(run[name]):>12,.0f}" for run in runs)
        _say(f"  {name:<24}{figures}")
    worst = min(median(run[report.OURS]) for run in runs)
    is_reached = [_verdict("events a second", worst, EVENTS, worst >= EVENTS)]
    for peer in PEER_TARGETS:
        worst = min(
            median(
                ours / theirs
                for ours, theirs in zip(run[report.OURS], run[peer], strict=True)
            )
            for run in runs
        )
        what = f"times the events of {peer}"
        is_reached.append(_verdict(what, worst, 1.0, worst > 1))
    return is_reached


async def _queries(plan: Plan) -> Sequence[Mapping[str, Timing]]:
    """Measure the query, once in each run."""
    schema = make_schema(Market())
    case = query_case(TARGET)
    contenders: Mapping[str, AsgiApplication] = {
        _BY_HAND: _by_hand(core_schema(schema)),
        report.OURS: _ours(schema),
        "strawberry": StrawberryGraphQL(schema),
        "ariadne": AriadneGraphQL(core_schema(schema)),
        _CACHED: _cached_ariadne(core_schema(schema)),
    }
    async with AsyncExitStack() as stack:
        for name, application in contenders.items():
            await stack.enter_async_context(running(application))
            await verify(name, application, case)
            await verify_data(name, application, case)
        gc.collect()
        gc.freeze()
        measured = {BASELINE: _alone(core_schema(schema)), **contenders}
        return [await measure(measured, case, plan) for _ in range(_RUNS)]


async def _events(plan: Plan) -> Mapping[str, Sequence[float]]:
    """Measure the subscriptions in one run: events in a second, by contender.

    Every run has new ones, since graphql-core keeps something of each event as long as
    its subscription lives.
    """
    subscribers: dict[str, Subscribers] = {}
    async with AsyncExitStack() as stack:
        for name, make in _SERVERS.items():
            market = Market(ALL)
            subscribers[name] = Subscribers(name, market)
            application = make(make_schema(market))
            await stack.enter_async_context(subscribers[name].connected(application))
        gc.collect()
        gc.freeze()
        rates = await _rates(subscribers, plan.rounds // _SHARE)
    gc.unfreeze()
    return rates


async def _rates(
    subscribers: Mapping[str, Subscribers], rounds: int
) -> Mapping[str, Sequence[float]]:
    """Take turns, in an order that changes from round to round."""
    names = list(subscribers)
    rates: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        offset = turn % len(names)
        for name in chain(names[offset:], names[:offset]):
            gc.collect()
            rates[name].append(await subscribers[name].events_per_second(_PRICES))
    return rates


def _alone(schema: GraphQLSchema) -> AsgiApplication:
    document = parse(DOCUMENT)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        execute(schema, document, variable_values=VARIABLES, operation_name="Hero")

    return application


def _by_hand(schema: GraphQLSchema) -> AsgiApplication:
    document = parse(DOCUMENT)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(scope["type"])
        request = json.loads((await receive())["body"])
        result = execute(
            schema,
            document,
            variable_values=request["variables"],
            operation_name=request["operationName"],
        )
        body = json.dumps(cast(ExecutionResult, result).formatted).encode()
        headers = [*JSON, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return application


def _ours(schema: strawberry.Schema) -> AsgiApplication:
    application = Application()
    add_graphql(application, schema)
    return application


def _ariadne(schema: strawberry.Schema) -> AsgiApplication:
    return AriadneGraphQL(
        core_schema(schema), websocket_handler=GraphQLTransportWSHandler()
    )


def _cached_ariadne(schema: GraphQLSchema) -> AsgiApplication:
    parsed = lru_cache(parse)

    def find(context: object, data: Mapping[str, str]) -> DocumentNode:
        return parsed(data["query"])

    return AriadneGraphQL(
        schema, query_parser=find, query_validator=cast(Any, lru_cache(validate))
    )


_SERVERS: Final[Mapping[str, Callable[[strawberry.Schema], AsgiApplication]]] = {
    report.OURS: _ours,
    "strawberry": StrawberryGraphQL,
    "ariadne": _ariadne,
}


def _show(runs: Sequence[Mapping[str, Timing]], baseline: str) -> None:
    for name in runs[0]:
        figures = "".join(
            f"{run[name].ratio:9.2f} ±{run[name].spread:.2f}" for run in runs
        )
        microseconds = sorted(run[name].microseconds for run in runs)[_RUNS // 2]
        label = baseline if name == BASELINE else name
        _say(f"  {label:<24}{microseconds:>9.1f} us{figures}")


def _verdict(what: str, worst: float, target: float, is_reached: bool) -> bool:  # noqa: FBT001
    outcome = "reached" if is_reached else "MISSED"
    _say(f"  worst {what}: {worst:,.2f}, target {target:g} {outcome}")
    return is_reached


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - this page is what the program is for


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
