"""The GraphQL server that the clients of others are tried with.

`python -m clients.served hypercorn PORT LOG`, or `uvicorn PORT LOG`. The schema is at
`/graphql`; at `/persisted` clients may send hashes of documents, and at `/trusted` they
must. What the server logs from warnings upwards goes to the file LOG; there should be
nothing.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import uvicorn
from bareutils import header

# Its own type for WSGI has a bare `dict` in it.
from hypercorn.asyncio import serve  # pyright: ignore[reportUnknownVariableType]
from hypercorn.config import Config

from bareasgi import Application, Content, HttpResponse, Info, RouteMatches, Scope
from bareasgi_graphql import add_graphql

from .schema import SCHEMA, Context, Root

PING_INTERVAL: Final = 0.2
"""Seconds. It is short, so that every client has to answer pings in the tests."""

DOCUMENTS: Final = Path(__file__).with_name("documents")
"""What is run at `/trusted`, and nothing else."""


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
add = partial(
    add_graphql,
    app,
    SCHEMA,
    root_value=Root(),
    context=context,
    on_connect=on_connect,
    ping_interval=PING_INTERVAL,
)
add(uploads=True)
add(path="/persisted", persisted=10)
add(path="/trusted", documents=DOCUMENTS)


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
