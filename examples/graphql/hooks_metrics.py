"""Metrics of operations, beside those of requests.

The requests tell little: all have one path, and errors may come with a 200. So each
operation has a hook, which counts in the registry that `/metrics` serves.

Run it with `python examples/graphql/hooks_metrics.py`, ask something in GraphiQL at
http://127.0.0.1:9009/graphql, and see http://127.0.0.1:9009/metrics. Another port is
taken from the environment variable PORT.
"""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from time import perf_counter

from graphql import DocumentNode, GraphQLError, GraphQLResolveInfo, build_schema
from hypercorn.asyncio import serve
from hypercorn.config import Config
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from bareasgi import Application, Info, Scope
from bareasgi_graphql import GraphQLRequest, Hook, add_graphql
from bareasgi_prometheus import add_prometheus

SDL = """
type Query {
  hello(name: String = "World"): String!
  "Fails, to be counted."
  broken: String
}

type Subscription {
  "Counts down, once in a tenth of a second."
  countdown(from: Int = 3): Int!
}
"""


class Root:
    """What the fields give."""

    def hello(self, info: GraphQLResolveInfo[Info], name: str) -> str:
        """A greeting."""
        return f"Hello, {name}!"

    def broken(self, info: GraphQLResolveInfo[Info]) -> str:
        """No greeting."""
        raise GraphQLError("I am broken")

    async def countdown(
        self, info: GraphQLResolveInfo[Info], **arguments: int
    ) -> AsyncGenerator[dict[str, int], None]:
        """Ever smaller numbers."""
        for number in range(arguments["from"], 0, -1):
            yield {"countdown": number}
            await asyncio.sleep(0.1)


class Metrics:
    """What is counted. The labels have few values, whatever clients send."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.live = Gauge(
            "graphql_operations_in_progress",
            "Operations that were started, and have not ended.",
            registry=registry,
        )
        self.parsed = Counter(
            "graphql_documents_parsed_total",
            "Documents that were not known already.",
            registry=registry,
        )
        self.results = Counter(
            "graphql_results_total",
            "Results: of a subscription one for each event.",
            ["type"],
            registry=registry,
        )
        self.errors = Counter(
            "graphql_errors_total",
            "Errors of fields. The results are there, without these.",
            ["type"],
            registry=registry,
        )
        self.seconds = Histogram(
            "graphql_operation_duration_seconds",
            "How long operations took, by how they ended.",
            ["type", "outcome"],
            registry=registry,
        )


class Measured(Hook):
    """Counts one operation."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._kind = ""
        self._began = perf_counter()

    def started(self, scope: Scope, info: Info, request: GraphQLRequest) -> None:
        """Counts it as live."""
        self._metrics.live.inc()

    def parsed(self, document: DocumentNode) -> None:
        """Counts the document."""
        self._metrics.parsed.inc()

    def validated(self, name: str | None, kind: str) -> None:
        """Keeps what it does. Its name is the client's choice: no label for us."""
        self._kind = kind

    def executed(self, errors: Sequence[GraphQLError]) -> None:
        """Counts a result."""
        self._metrics.results.labels(self._kind).inc()
        self._metrics.errors.labels(self._kind).inc(len(errors))

    def ended(self, error: BaseException | None) -> None:
        """Tells how long it took."""
        match error:
            case None:
                outcome = "complete"
            case Exception():
                outcome = "error"
            case _:
                outcome = "stopped"
        seconds = perf_counter() - self._began
        self._metrics.seconds.labels(self._kind, outcome).observe(seconds)
        self._metrics.live.dec()


def make_application() -> Application:
    """Wires the schema, its metrics, and those of the requests."""
    app = Application()
    registry = CollectorRegistry()
    hooks = [partial(Measured, Metrics(registry))]
    add_graphql(app, build_schema(SDL), root_value=Root(), hooks=hooks)
    add_prometheus(app, registry=registry)
    return app


async def main() -> None:
    """Serves until SIGINT or SIGTERM, and ends subscriptions before the server."""
    app = make_application()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)

    async def stop() -> None:
        await stopping.wait()
        await app.drain()

    config = Config()
    config.bind = [f"127.0.0.1:{os.environ.get('PORT', '9009')}"]
    await serve(app, config, shutdown_trigger=stop)


if __name__ == "__main__":
    asyncio.run(main())
