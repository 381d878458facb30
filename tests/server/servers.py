"""Starts the servers, each in a process of its own, asks them, and stops them."""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

from programs import free_port

from .clients import LOOKS, NOTHING, PAUSE, Connection, Fields, Head
from .commands import COMMANDS, DRAINING, Certificate, Ports
from .http1_client import connect_http1
from .http2_client import connect_http2
from .http3_client import connect_http3
from .socket_client import Socket, open_socket

DEADLINE: Final = 10.0
"""Seconds that anything may take; it takes far less than a tenth of them."""

ATTEMPTS: Final = 3
"""How often another port is tried: the one that was free may be so no longer."""

HTTP1: Final = (
    "hypercorn h1",
    "uvicorn-h11 h1",
    "uvicorn-httptools h1",
    "granian h1",
)
HTTP2: Final = ("hypercorn h2", "hypercorn h2-tls", "granian h2")
ALL: Final = (*HTTP1, *HTTP2)
"""What tests are run with: a kind of server, and a version of HTTP."""

OVER_TCP: Final = (
    *ALL,
    "hypercorn-uvloop h1",
    "hypercorn-uvloop h2-tls",
    "daphne h1",
)
EVERY: Final = (*OVER_TCP, "hypercorn-h3 h3")
"""What plain requests are made to, and plain streams."""

SOCKETS: Final = (*HTTP1, "hypercorn h2", "hypercorn-uvloop h1")
"""Where there are WebSockets. The two kinds of uvicorn have different libraries."""


# What the application, or the framework below it, writes to a log when it fails: its
# own records, the checker's, and tracebacks and warnings that name its files. A server
# has failures of its own, and may tell of them long after, when it collects garbage.
TROUBLE: Final = re.compile(
    r"^(?:WARNING|ERROR|CRITICAL) (?:bareasgi|served)(?:_|\b).*|.*ProtocolError.*"
    r"|.*(?:site-packages|src)/bareasgi(?:_\w+)?/.*|.*/served\.py.*"
    r"|.*coroutine '(?!TCPServer\.).*' was never awaited.*",
    re.MULTILINE,
)


def troubles(log: str) -> list[str]:
    """Give the lines of a log that tell of a failure of ours."""
    return TROUBLE.findall(log)


class Counters(NamedTuple):
    """What the served application tells of one name and of its process."""

    begun: int
    closed: int
    chunks: int
    is_sending: bool
    code: int | None
    reason: str | None
    calls: int
    unclosed: int
    tasks: int
    descriptors: int
    memory: int


class Server:
    """One process that serves the application of `served.py`, until it is stopped.

    Attributes:
        tasks: how many live in it when it is asked and does nothing else; the fewest
            that it ever told of.
        descriptors: the same of open descriptors.
    """

    def __init__(self, kind: str, folder: Path, certificate: Certificate) -> None:
        self.kind = kind
        self.certificate = certificate
        self.names = count(1)
        self.tasks = sys.maxsize
        self.descriptors = sys.maxsize
        self.log_path = folder / f"{kind}.log"
        for attempt in range(1, ATTEMPTS + 1):
            self.ports = Ports(free_port(), free_port(), free_port())
            self.process = self._start()
            try:
                self._wait_until_ready()
            except RuntimeError:
                self.stop()
                if attempt == ATTEMPTS:
                    raise
            else:
                break

    def _start(self) -> "subprocess.Popen[bytes]":
        command = (COMMANDS | DRAINING)[self.kind](self.ports, self.certificate)
        with self.log_path.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *command, "server.served:application"],
                cwd=Path(__file__).parent.parent,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.kind} ended at once:\n{self.log()}")
            with contextlib.suppress(ConnectionRefusedError):
                asyncio.run(self.counters())
                return
            time.sleep(PAUSE)
        raise RuntimeError(f"{self.kind} does not listen:\n{self.log()}")

    def log(self) -> str:
        """Everything it wrote to stdout and stderr."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self.process.poll() is None

    def terminate(self) -> int:
        """Ask it to end, as a service manager does, and give the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE)

    def stop(self) -> None:
        """End it and its workers, if need be the hard way."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.terminate()
        self.kill()

    def kill(self) -> None:
        """End it and its workers the hard way."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(DEADLINE)

    async def ask(self, method: str, path: str) -> tuple[Head, bytes]:
        """Make a request on a connection of its own."""
        async with (
            asyncio.timeout(DEADLINE),
            await connect_http1(self.ports.plain) as connection,
        ):
            exchange = await connection.request(
                method, path, [(b"connection", b"close")]
            )
            return await exchange.head(), await exchange.body()

    async def open_gate(self, name: str) -> None:
        """Let the body or handler of this name go on."""
        await self.ask("POST", f"/gate/{name}")

    async def counters(self, name: str = "-") -> Counters:
        """Tell about this name, and about the process."""
        _, body = await self.ask("GET", f"/counters/{name}")
        told: dict[str, Any] = json.loads(body)
        counters = Counters(**told)
        self.tasks = min(self.tasks, counters.tasks)
        self.descriptors = min(self.descriptors, counters.descriptors)
        return counters

    async def until(self, claim: Callable[[Counters], bool], name: str) -> Counters:
        """Wait until the claim is true of the counters. TimeoutError has the last."""
        counters = None
        try:
            async with asyncio.timeout(DEADLINE):
                while True:
                    counters = await self.counters(name)
                    if claim(counters):
                        return counters
                    await asyncio.sleep(PAUSE)
        except TimeoutError:
            rest = f"{self.tasks} tasks, {self.descriptors} descriptors"
            raise TimeoutError(f"{counters}, at rest {rest}") from None

    async def until_at_rest(self, name: str) -> Counters:
        """Wait until every body of the name was closed and nothing is left.

        Neither task, descriptor nor call of the application may remain, no body may
        have been closed twice, and none later than its call returned.
        """

        def is_at_rest(counters: Counters) -> bool:
            return (
                counters.closed >= counters.begun
                and counters.calls == 0
                and counters.tasks == self.tasks
                and counters.descriptors == self.descriptors
            )

        counters = await self.until(is_at_rest, name)
        assert counters.closed == counters.begun, counters
        assert counters.unclosed == 0, counters
        return counters

    async def until_blocked(self, name: str) -> Counters:
        """Wait until the body of the name is held up in `send`."""
        looks: list[int] = []

        def is_blocked(counters: Counters) -> bool:
            looks.append(counters.chunks if counters.is_sending else -1)
            return looks[-1] > 0 and looks[-LOOKS:] == [looks[-1]] * LOOKS

        return await self.until(is_blocked, name)


@dataclass(frozen=True)
class Endpoint:
    """A server, spoken to in one version of HTTP."""

    server: Server
    protocol: str

    @property
    def is_http2(self) -> bool:
        """Whether exchanges share a connection."""
        return self.protocol != "h1"

    async def connect(self, *, has_wide_windows: bool = False) -> Connection:
        """Open a connection; wide windows matter to HTTP/2 only."""
        ports = self.server.ports
        match self.protocol:
            case "h1":
                return await connect_http1(ports.plain)
            case "h2-tls":
                context = self.server.certificate.context
                return await connect_http2(
                    ports.tls, context, has_wide_windows=has_wide_windows
                )
            case "h3":
                return await connect_http3(ports.quic, self.server.certificate.chain)
            case _:
                return await connect_http2(
                    ports.plain, has_wide_windows=has_wide_windows
                )

    @asynccontextmanager
    async def socket(
        self, path: str, *, subprotocols: Sequence[str] = (), headers: Fields = NOTHING
    ) -> AsyncGenerator[Socket]:
        """Ask for a WebSocket on a connection of its own."""
        async with (
            asyncio.timeout(DEADLINE),
            open_socket(
                await self.connect(),
                path,
                is_http2=self.is_http2,
                subprotocols=subprotocols,
                headers=headers,
            ) as socket,
        ):
            yield socket

    def new_name(self) -> str:
        """Make a name that no other stream has."""
        return f"stream-{next(self.server.names)}"
