"""Serves a schema whose subscriptions are asked for as event streams.

`python -m server.graphql_streams_served hypercorn PORT`, or `uvicorn PORT`. At SIGTERM
the application is drained first, and so it is by `/drain`. `/state` tells what became
of the sources of one name.
"""

import asyncio
import logging
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from typing import Final

import uvicorn
from graphql import GraphQLObjectType, build_schema

# Its own type for WSGI has a bare `dict` in it.
from hypercorn.asyncio import serve  # pyright: ignore[reportUnknownVariableType]
from hypercorn.config import Config

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    json_response,
)
from bareasgi.testing import checked
from bareasgi_graphql import add_graphql

PIECE: Final = "x" * 65536

begun: Final = Counter[str]()
closed: Final = Counter[str]()
given: Final = Counter[str]()
troubles: Final[list[str]] = []

schema = build_schema("""
type Query { hello: String }
type Subscription { held(name: String!): Int  endless(name: String!): String }
""")


async def held(_root: object, _info: object, name: str) -> AsyncGenerator[object, None]:
    """Give one result, and wait for ever."""
    begun[name] += 1
    try:
        given[name] += 1
        yield {"held": 1}
        await asyncio.Event().wait()
    finally:
        closed[name] += 1


async def endless(
    _root: object, _info: object, name: str
) -> AsyncGenerator[object, None]:
    """Give large results without end, and never wait."""
    begun[name] += 1
    try:
        while True:
            given[name] += 1
            yield {"endless": PIECE}
    finally:
        closed[name] += 1


def resolve(kind: GraphQLObjectType | None, **resolvers: Callable[..., object]) -> None:
    assert kind is not None
    for name, resolver in resolvers.items():
        kind.fields[name].resolve = resolver


def subscribe(kind: GraphQLObjectType | None, **sources: Callable[..., object]) -> None:
    assert kind is not None
    for name, source in sources.items():
        kind.fields[name].subscribe = source


resolve(schema.query_type, hello=lambda *_: "world")
subscribe(schema.subscription_type, held=held, endless=endless)
app = Application()
add_graphql(app, schema)


@app.on_http_request({"GET"}, "/state/{name}")
async def state(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    name = matches["name"]
    told = {
        "begun": begun[name],
        "closed": closed[name],
        "given": given[name],
        "tasks": len(asyncio.all_tasks()),
        "troubles": troubles,
    }
    return json_response(200, None, told)


@app.on_http_request({"POST"}, "/drain")
async def drain(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return json_response(200, None, await app.drain())


class Troubles(logging.Handler):
    """Keeps what our loggers tell of."""

    def emit(self, record: logging.LogRecord) -> None:
        troubles.append(self.format(record))


class DrainingServer(uvicorn.Server):
    """Ends what would go on before it waits for the rest."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await app.drain()
        await super().shutdown(sockets)


def serve_by_uvicorn(port: int) -> None:
    DrainingServer(
        uvicorn.Config(checked(app), port=port, loop="asyncio", log_level="warning")
    ).run()


def serve_by_hypercorn(port: int) -> None:
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.loglevel = "warning"

    async def main() -> None:
        told_to_end = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, told_to_end.set)

        async def drained() -> None:
            await told_to_end.wait()
            await app.drain()

        await serve(checked(app), config, shutdown_trigger=drained)

    asyncio.run(main())


if __name__ == "__main__":
    for name in "bareasgi", "bareasgi_graphql":
        logging.getLogger(name).addHandler(Troubles(logging.WARNING))
    way, port = sys.argv[1:]
    {"uvicorn": serve_by_uvicorn, "hypercorn": serve_by_hypercorn}[way](int(port))
