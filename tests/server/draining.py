"""Serves the application in the ways that drain it first when the server has to end.

`python -m server.draining hypercorn PORT TLS_PORT CHAIN KEY server.served:application`,
or `uvicorn PORT PARSER SOCKETS` with the same end.
"""

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Final

import uvicorn

# Its own type for WSGI has a bare `dict` in it.
from hypercorn.asyncio import serve  # pyright: ignore[reportUnknownVariableType]
from hypercorn.config import Config

from .served import app, application


class DrainingServer(uvicorn.Server):
    """Ends what would go on before it waits for the rest."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await app.drain()
        await super().shutdown(sockets)


def serve_by_uvicorn(arguments: Sequence[str]) -> None:
    port, parser, sockets = arguments
    config = uvicorn.Config(
        application,
        port=int(port),
        http=parser,
        ws=sockets,
        loop="asyncio",
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    DrainingServer(config).run()


def serve_by_hypercorn(arguments: Sequence[str]) -> None:
    port, tls_port, chain, key = arguments
    config = Config()
    config.insecure_bind = [f"127.0.0.1:{port}"]
    config.bind = [f"127.0.0.1:{tls_port}"]
    config.certfile, config.keyfile = chain, key
    config.loglevel = "warning"

    async def main() -> None:
        told_to_end = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, told_to_end.set)

        async def drained() -> None:
            await told_to_end.wait()
            await app.drain()

        await serve(application, config, shutdown_trigger=drained)

    asyncio.run(main())


WAYS: Final[dict[str, Callable[[Sequence[str]], None]]] = {
    "hypercorn": serve_by_hypercorn,
    "uvicorn": serve_by_uvicorn,
}

if __name__ == "__main__":
    way, *others, _ = sys.argv[1:]
    WAYS[way](others)
