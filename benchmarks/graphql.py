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
    table,
    verify,
)
from benchmarks.graphql_documents import TRUSTED, documents
from benchmarks.graphql_query import DOCUMENT, JSON, VARIABLES, query_case, verify_data
from benchmarks.graphql_schema import Market, core_schema, make_schema
from benchmarks.graphql_stream import ITEMS, Streamed, stream
from benchmarks.report import (
    OURS,
    Column,
    Figure,
    Report,
    Table,
    at_least,
    at_most,
)
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

_PRICES: Final = 3
# A slice of subscriptions takes longer than one of requests: fewer of them will do.
_SHARE: Final = 3
_BY_HAND: Final = "by hand, no checks"
_CACHED: Final = "ariadne, cached by hand"
_ALONE: Final = "graphql.execute alone"


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return the exit status."""
    distributions = ["bareasgi-graphql", "graphql-core", "strawberry-graphql"]
    report = Report("graphql", arguments, [*distributions, "ariadne", "starlette"])
    plan, times = (QUICK if report.is_quick else FULL), report.runs
    report.add(_query_table(asyncio.run(_queries(plan, times))))
    report.add(_document_table(asyncio.run(documents(plan, times))))
    report.add(_stream_table([asyncio.run(stream()) for _ in range(times)]))
    report.add(_event_table([asyncio.run(_events(plan)) for _ in range(times)]))
    return report.finish()


def _query_table(runs: Sequence[Mapping[str, Timing]]) -> Table:
    ratios = [run[OURS].ratio for run in runs]
    targets = [at_most(f"ratio to {_ALONE}", ratios, TARGET)]
    for peer, limit in PEER_TARGETS.items():
        times = [run[peer].ratio / run[OURS].ratio for run in runs]
        targets.append(at_least(f"times as fast as {peer}", times, limit))
    return table("a small query", runs, targets, baseline=_ALONE)


def _document_table(runs: Sequence[Mapping[str, Timing]]) -> Table:
    ratios = [run[TRUSTED].ratio for run in runs]
    what = "ratio of a trusted document to one that is kept"
    return table(
        "the same, by documents that bareASGI has",
        runs,
        [at_most(what, ratios, TRUSTED_TARGET)],
        baseline="kept, sent in full",
    )


def _stream_table(runs: Sequence[Streamed]) -> Table:
    first = [run.first * 1e3 for run in runs]
    memory = [run.memory / 1024 for run in runs]
    item = [run.item * 1e6 for run in runs]
    return Table(
        title=f"@stream of {ITEMS:,} items of 1 KiB",
        columns=[
            Column("to the first", "ms"),
            Column("CPU time of an item", "µs", 1),
            Column("memory", "KiB", 0),
        ],
        rows={OURS: [Figure(first), Figure(item), Figure(memory)]},
        targets=[
            at_most("to the first", first, FIRST_ITEM, "ms"),
            at_most("memory", memory, MEMORY, "KiB"),
        ],
    )


def _event_table(runs: Sequence[Mapping[str, Sequence[float]]]) -> Table:
    rates = {name: [median(run[name]) for run in runs] for name in runs[0]}
    targets = [at_least("events", rates[OURS], EVENTS, "a second")]
    for peer in PEER_TARGETS:
        times = [
            median(
                ours / theirs for ours, theirs in zip(run[OURS], run[peer], strict=True)
            )
            for run in runs
        ]
        targets.append(at_least(f"times the events of {peer}", times, 1.0))
    return Table(
        title="1,000 subscriptions on 10 sockets",
        columns=[Column("events", "a second of CPU time", 0, more_is_better=True)],
        rows={name: [Figure(rate)] for name, rate in rates.items()},
        targets=targets,
    )


async def _queries(plan: Plan, times: int) -> Sequence[Mapping[str, Timing]]:
    """Measure the query, once in each run."""
    schema = make_schema(Market())
    case = query_case(TARGET)
    contenders: Mapping[str, AsgiApplication] = {
        _BY_HAND: _by_hand(core_schema(schema)),
        OURS: _ours(schema),
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
        return [await measure(measured, case, plan) for _ in range(times)]


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
    OURS: _ours,
    "strawberry": StrawberryGraphQL,
    "ariadne": _ariadne,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
