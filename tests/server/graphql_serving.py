"""Serves an application that tells what became of its sources, until SIGTERM.

At SIGTERM the application is drained first, and so it is by `/drain`. `/state/{name}`
tells of the sources of one name, and `/pass/{name}` lets one of them go on.
"""

import asyncio
import logging
import signal
import socket
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager

import uvicorn

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


class Sources:
    """What resolvers and the sources of lists and events have done, by their names.

    Attributes:
        given: how many values were asked for.
    """

    def __init__(self) -> None:
        self.given = Counter[str]()
        self._begun = Counter[str]()
        self._closed = Counter[str]()
        self._gates = defaultdict[str, asyncio.Semaphore](lambda: asyncio.Semaphore(0))
        self._kept: list[AsyncGenerator[object, None]] = []
        self._troubles: list[str] = []

    def kept(
        self, source: AsyncGenerator[object, None]
    ) -> AsyncGenerator[object, None]:
        """Keep a source, so that nothing ends it but who closes it."""
        self._kept.append(source)
        return source

    @contextmanager
    def running(self, name: str) -> Generator[None]:
        """Count one that begins, and its end in whatever way."""
        self._begun[name] += 1
        try:
            yield
        finally:
            self._closed[name] += 1

    async def passed(self, name: str) -> None:
        """Wait until one is let go on."""
        await self._gates[name].acquire()

    def observe(self, app: Application) -> None:
        """Tell of everything, let go on, and drain, by requests."""

        async def state(
            scope: Scope, info: Info, matches: RouteMatches, content: Content
        ) -> HttpResponse:
            name = matches["name"]
            told = {
                "begun": self._begun[name],
                "closed": self._closed[name],
                "given": self.given[name],
                "tasks": len(asyncio.all_tasks()),
                "troubles": self._troubles,
            }
            return json_response(200, None, told)

        async def let_pass(
            scope: Scope, info: Info, matches: RouteMatches, content: Content
        ) -> HttpResponse:
            self._gates[matches["name"]].release()
            return 204

        async def drain(
            scope: Scope, info: Info, matches: RouteMatches, content: Content
        ) -> HttpResponse:
            return json_response(200, None, await app.drain())

        app.http_router.add({"GET"}, "/state/{name}", state)
        app.http_router.add({"POST"}, "/pass/{name}", let_pass)
        app.http_router.add({"POST"}, "/drain", drain)
        for name in "bareasgi", "bareasgi_graphql":
            logging.getLogger(name).addHandler(_Troubles(self._troubles))


class _Troubles(logging.Handler):
    """Keeps what our loggers warn of."""

    def __init__(self, troubles: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._troubles = troubles

    def emit(self, record: logging.LogRecord) -> None:
        self._troubles.append(self.format(record))


class _DrainingServer(uvicorn.Server):
    """Ends what would go on before it waits for the rest."""

    def __init__(self, app: Application, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._app.drain()
        await super().shutdown(sockets)


def serve_application(app: Application, way: str, port: int) -> None:
    """Serve by hypercorn or uvicorn on a port of the loopback interface."""
    if way == "uvicorn":
        config = uvicorn.Config(
            checked(app), port=port, loop="asyncio", log_level="warning"
        )
        _DrainingServer(app, config).run()
    else:
        asyncio.run(_serve_by_hypercorn(app, port))


async def _serve_by_hypercorn(app: Application, port: int) -> None:
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.loglevel = "warning"
    # For so long it has a task for each connection whose client has left.
    config.keep_alive_timeout = 0.5
    told_to_end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told_to_end.set)

    async def drained() -> None:
        await told_to_end.wait()
        await app.drain()

    await serve(checked(app), config, shutdown_trigger=drained)
