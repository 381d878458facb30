"""The GraphQL server that the clients of others are tried with.

`python -m clients.served hypercorn PORT LOG`, or `uvicorn PORT LOG`. What it logs from
warnings upwards goes to the file LOG; there should be nothing.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, TypeAlias

import uvicorn
from bareutils import header
from graphql import GraphQLError, GraphQLResolveInfo, build_schema

# Its own type for WSGI has a bare `dict` in it.
from hypercorn.asyncio import serve  # pyright: ignore[reportUnknownVariableType]
from hypercorn.config import Config

from bareasgi import Application, Content, HttpResponse, Info, RouteMatches, Scope
from bareasgi_graphql import add_graphql

PING_INTERVAL: Final = 0.2
"""Seconds. It is short, so that every client has to answer pings in the tests."""

SCHEMA: Final = build_schema(
    """
    type Query {
      hello(name: String!): String!
      "An error on purpose, beside the rest of the data."
      fails: String
      "Who the client said that it is."
      user: String
      "How many sources of `ticks` with this name are open."
      sources(name: String!): Int!
    }

    type Mutation {
      "The sum of all that was added."
      add(amount: Int!): Int!
    }

    type Subscription {
      "From 1 to a number."
      count(to: Int!): Int!
      "One event, and then an error."
      failing: Int!
      "Two events, and then none for ever."
      ticks(name: String!): Int!
      "Who the client said that it is, once."
      welcome: String
    }
    """
)

Context: TypeAlias = dict[str, str | None]
Resolving: TypeAlias = GraphQLResolveInfo[Context]
Event: TypeAlias = dict[str, int | str | None]


class Root:
    """The resolvers of the fields of the three root types."""

    def __init__(self) -> None:
        self.total = 0
        self.open: Counter[str] = Counter()

    def hello(self, info: Resolving, name: str) -> str:
        return f"Hello, {name}!"

    def fails(self, info: Resolving) -> str:
        raise GraphQLError("fails on purpose")

    def user(self, info: Resolving) -> str | None:
        return info.context["user"]

    def sources(self, info: Resolving, name: str) -> int:
        return self.open[name]

    def add(self, info: Resolving, amount: int) -> int:
        self.total += amount
        return self.total

    async def count(self, info: Resolving, to: int) -> AsyncIterator[Event]:
        for number in range(1, to + 1):
            yield {"count": number}

    async def failing(self, info: Resolving) -> AsyncIterator[Event]:
        yield {"failing": 1}
        raise GraphQLError("fails on purpose")

    async def ticks(self, info: Resolving, name: str) -> AsyncIterator[Event]:
        self.open[name] += 1
        try:
            yield {"ticks": 1}
            yield {"ticks": 2}
            await asyncio.Event().wait()
        finally:
            self.open[name] -= 1

    async def welcome(self, info: Resolving) -> AsyncIterator[Event]:
        yield {"welcome": info.context["user"]}


def context(scope: Scope, info: Info, matches: RouteMatches) -> Context:
    """Tell the resolvers who it is, by connection parameters or by a header."""
    if "connection_params" in scope:
        return {"user": scope["connection_params"].get("user")}
    name = header.find(b"x-user", scope["headers"])
    return {"user": name.decode() if name else None}


def on_connect(
    scope: Scope, info: Info, payload: Mapping[str, Any]
) -> Mapping[str, Any] | bool:
    """Refuse one user, and greet the others."""
    if payload.get("user") == "Mallory":
        return False
    return {"greeting": f"Hello, {payload.get('user')}!"}


app = Application()
add_graphql(
    app,
    SCHEMA,
    root_value=Root(),
    context=context,
    on_connect=on_connect,
    ping_interval=PING_INTERVAL,
)


@app.on_http_request({"POST"}, "/end")
async def end(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Tell the server to end, as a service manager would."""
    os.kill(os.getpid(), signal.SIGTERM)
    return 204


class DrainingServer(uvicorn.Server):
    """Ends what would go on before it waits for the rest."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await app.drain()
        await super().shutdown(sockets)


def serve_by_uvicorn(port: int) -> None:
    config = uvicorn.Config(
        app, port=port, log_config=None, timeout_graceful_shutdown=1
    )
    DrainingServer(config).run()


def serve_by_hypercorn(port: int) -> None:
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.errorlog = logging.getLogger("hypercorn.error")

    async def main() -> None:
        told_to_end = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, told_to_end.set)

        async def drained() -> None:
            await told_to_end.wait()
            await app.drain()

        await serve(app, config, shutdown_trigger=drained)

    asyncio.run(main())


SERVERS: Final[dict[str, Callable[[int], None]]] = {
    "hypercorn": serve_by_hypercorn,
    "uvicorn": serve_by_uvicorn,
}

if __name__ == "__main__":
    kind, given_port, log = sys.argv[1:]
    logging.basicConfig(filename=log, level=logging.WARNING)
    SERVERS[kind](int(given_port))
