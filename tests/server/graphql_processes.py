"""Starts processes that serve sources, and asks them what became of those."""

import asyncio
import json
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from programs import free_port, running
from repository import ROOT

from .clients import FIN, LOOKS, PAUSE, RST, RST_STREAM, Connection, Exchange, Head
from .http1_client import connect_http1
from .http2_client import Http2Exchange, connect_http2
from .servers import DEADLINE

KINDS: Final = ("hypercorn h1", "hypercorn h2", "uvicorn h1")

WAYS_TO_LEAVE: Final = tuple(
    (kind, how)
    for kind in KINDS
    for how in (FIN, RST, RST_STREAM)
    if how != RST_STREAM or kind.endswith("h2")
)
"""A kind of server, and how a client may leave it."""

UNDER: Final = 5
"""Seconds in which a server with open answers ends; it takes less than one."""

_names: Final = count(1)


@dataclass
class Server:
    """A server that runs, spoken to in one version of HTTP.

    Attributes:
        tasks: the fewest that it ever told of, when it was asked and did nothing else.
    """

    port: int
    protocol: str
    tasks: int = field(default=sys.maxsize)

    async def connect(self) -> Connection:
        """Open a connection, with wide windows: hypercorn keeps what does not fit."""
        if self.protocol == "h2":
            return await connect_http2(self.port, has_wide_windows=True)
        return await connect_http1(self.port)

    async def ask(self, method: str, path: str) -> tuple[Head, bytes]:
        """Make a request on a connection of its own."""
        async with await connect_http1(self.port) as connection:
            close = (b"connection", b"close")
            exchange = await connection.request(method, path, [close])
            return await exchange.head(), await exchange.body()

    async def let_pass(self, name: str) -> None:
        """Have one of those that wait at this name's gate go on."""
        head, _ = await self.ask("POST", f"/pass/{name}")
        assert head.status == 204

    async def state(self, name: str) -> dict[str, Any]:
        """Ask what became of the sources of a name."""
        _, body = await self.ask("GET", f"/state/{name}")
        told: dict[str, Any] = json.loads(body)
        self.tasks = min(self.tasks, told["tasks"])
        return told

    async def until(
        self, claim: Callable[[dict[str, Any]], bool], name: str
    ) -> dict[str, Any]:
        """Wait until the claim is true of what became of the sources of this name."""
        told: dict[str, Any] = {}
        try:
            async with asyncio.timeout(DEADLINE):
                while True:
                    told = await self.state(name)
                    if claim(told):
                        return told
                    await asyncio.sleep(PAUSE)
        except TimeoutError as error:
            error.add_note(f"at last it was {told}, and {self.tasks} tasks at rest")
            raise

    async def until_at_rest(self, name: str) -> None:
        """Wait until all sources of the name are closed, and no task is left of them.

        None may have been closed twice, and nothing have been logged.
        """
        told = await self.until(
            lambda told: (
                told["closed"] >= told["begun"] and told["tasks"] <= self.tasks
            ),
            name,
        )
        assert told["closed"] == told["begun"]
        assert told["troubles"] == []

    async def until_held_up(self, name: str) -> None:
        """Wait until the sources of the name are asked for nothing more."""
        looks = [0]

        def is_held_up(told: dict[str, Any]) -> bool:
            looks.append(told["given"])
            return looks[-1] > 0 and looks[-LOOKS:] == [looks[-1]] * LOOKS

        await self.until(is_held_up, name)


@contextmanager
def serving(kind: str, module: str) -> Generator[Server]:
    """Start a module of this folder, such as "hypercorn h1", and end it by SIGTERM."""
    way, protocol = kind.split()
    port = free_port()
    command = [sys.executable, "-m", f"server.{module}", way, str(port)]
    with running(*command, port=port, cwd=ROOT / "tests", end_within=UNDER):
        yield Server(port, protocol)


def new_name() -> str:
    """Give a name that no source has had."""
    return f"source-{next(_names)}"


async def leave(connection: Connection, exchange: Exchange, how: str) -> None:
    """Leave in the middle of an answer."""
    if how != RST_STREAM:
        await connection.leave(how)
    else:
        assert isinstance(exchange, Http2Exchange)
        await exchange.reset()
