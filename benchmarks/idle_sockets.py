"""Memory of idle WebSockets: `python -m benchmarks.idle_sockets [quick]`.

A server process with an application that only waits for messages, and a thousand
clients that have sent one and had its echo. What counts is how much the process has
grown, divided by their number: server and framework together, as an operator sees it.
Beside it an application written by hand, on the same server. The clients do not ask for
compression, which costs a server far more. The exit status is 1 when the target is
missed.
"""

import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from bareasgi import Application, Info, RouteMatches, Scope, WebSocket
from benchmarks.ports import free_port
from benchmarks.report import OURS, Column, Figure, Report, Table, at_most

TARGET: Final = 28.0
"""The most KiB that an idle socket of ours may cost, server included."""

FULL: Final = 1_000
QUICK: Final = 200

SERVERS: Final[Mapping[str, Sequence[str]]] = {
    "hypercorn": (
        *("hypercorn", "--workers=0", "--bind=127.0.0.1:{port}"),
        "--log-level=warning",
    ),
    "uvicorn, websockets": (
        *("uvicorn", "--host=127.0.0.1", "--port={port}", "--log-level=warning"),
        *("--loop=asyncio", "--ws=websockets-sansio"),
    ),
    "uvicorn, wsproto": (
        *("uvicorn", "--host=127.0.0.1", "--port={port}", "--log-level=warning"),
        *("--loop=asyncio", "--ws=wsproto"),
    ),
}
APPLICATIONS: Final = {"hand-written": "by_hand", OURS: "app"}

_KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="
_MESSAGE: Final = b"\x81\x82\0\0\0\0hi"
_ECHO: Final = b"\x81\x02hi"

app = Application()


@app.on_ws_request("/")
async def _echo(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    await web_socket.accept()
    async for message in web_socket:
        await web_socket.send(message)


async def by_hand(
    scope: Mapping[str, Any],
    receive: Callable[[], Awaitable[Mapping[str, Any]]],
    send: Callable[[Any], Awaitable[None]],
) -> None:
    """Do the same without a framework."""
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return the exit status."""
    distributions = ["bareasgi", "hypercorn", "uvicorn", "websockets", "wsproto"]
    report = Report("idle_sockets", arguments, distributions)
    number = QUICK if report.is_quick else FULL
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for server, command in SERVERS.items():
        costs = {
            name: [_measure(command, module, number) for _ in range(report.runs)]
            for name, module in APPLICATIONS.items()
        }
        report.add(
            Table(
                title=f"{number:,} idle sockets on {server}",
                columns=[Column("each", "KiB of the server's process", 1)],
                rows={name: [Figure(cost)] for name, cost in costs.items()},
                targets=[at_most("an idle socket", costs[OURS], TARGET, "KiB")],
            )
        )
    return report.finish([f"{FULL - QUICK} of {FULL} sockets"])


def _measure(command: Sequence[str], application: str, number: int) -> float:
    """Start a server, connect, and give the KiB that each socket costs."""
    port = free_port()
    words = [word.format(port=port) for word in command]
    target = f"benchmarks.idle_sockets:{application}"
    process = subprocess.Popen(  # noqa: S603 - the servers named above
        [sys.executable, "-m", *words, target],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        with ExitStack() as stack:
            # What is loaded with the first of them is not theirs.
            _connect(stack, port, 20)
            before = _resident_kib(process.pid)
            _connect(stack, port, number)
            return (_resident_kib(process.pid) - before) / number
    finally:
        process.kill()
        process.wait()


def _connect(stack: ExitStack, port: int, number: int) -> None:
    """Open sockets that stay, and wait until each has had an echo."""
    head = (
        f"GET / HTTP/1.1\r\nhost: localhost:{port}\r\nconnection: Upgrade\r\n"
        "upgrade: websocket\r\nsec-websocket-version: 13\r\n"
        f"sec-websocket-key: {_KEY}\r\n\r\n"
    )
    for _ in range(number):
        client = stack.enter_context(_dial(port))
        client.sendall(head.encode())
        _read_until(client, b"\r\n\r\n")
        client.sendall(_MESSAGE)
        _read_until(client, _ECHO)


def _dial(port: int) -> socket.socket:
    deadline = time.monotonic() + 10
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 10)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _read_until(client: socket.socket, end: bytes) -> None:
    received = b""
    while not received.endswith(end):
        data = client.recv(4096)
        if not data:
            sys.exit(f"the server closed a socket after {received!r}")
        received += data


def _resident_kib(process: int) -> float:
    if not Path("/proc/self/status").exists():
        sys.exit("this benchmark reads /proc, which this system has not")
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
