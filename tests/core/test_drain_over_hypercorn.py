"""A server that is told to end, and drains its application first, ends in seconds."""

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from programs import free_port, on_port, running
from repository import ROOT

EXAMPLE: Final = ROOT / "examples" / "drain.py"

# For clients that do not read. The example's ticks would never fill a buffer.
FLOOD: Final = """
@app.on_http_request({"GET"}, "/flood")
async def flood(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    async def body() -> AsyncIterator[bytes]:
        while True:
            yield bytes(65536)

    return 200, None, body()


@app.on_ws_request("/flood")
async def flood_socket(
    scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
) -> None:
    await web_socket.accept()
    while True:
        await web_socket.send(bytes(65536))


async def main("""

UNDER: Final = 3
"""Seconds that are promised from the signal to the end of the process."""

GOING_AWAY: Final = b"\x88\x02" + (1001).to_bytes(2)
"""A close frame with the code, and no reason."""


@contextmanager
def told_to_end(tmp_path: Path, seconds: float) -> Iterator[int]:
    """Serve the example until the end of the block, and so many seconds at most."""
    port = free_port()
    program = tmp_path / "program.py"
    text = EXAMPLE.read_text("utf-8").replace("async def main(", FLOOD)
    program.write_text(on_port(text, port), "utf-8")
    with running(sys.executable, str(program), port=port, end_within=seconds):
        yield port


def connect(stack: ExitStack, port: int, path: str, *lines: str) -> socket.socket:
    """Make a request, and leave with the stack."""
    client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
    head = "\r\n".join([f"GET {path} HTTP/1.1", "host: localhost", *lines, "", ""])
    client.sendall(head.encode())
    return client


def open_socket(stack: ExitStack, port: int, path: str) -> socket.socket:
    """Ask for a WebSocket."""
    key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="
    upgrade = "connection: Upgrade", "upgrade: websocket", "sec-websocket-version: 13"
    return connect(stack, port, path, *upgrade, key)


def read_until(client: socket.socket, end: bytes) -> bytes:
    """Read up to a mark, and not to the end of the connection."""
    received = b""
    while end not in received:
        data = client.recv(4096)
        assert data, received
        received += data
    return received


def rest(client: socket.socket) -> bytes:
    """Read to the end of the connection."""
    return b"".join(iter(lambda: client.recv(4096), b""))


def test_100_streams_and_100_sockets_do_not_keep_a_server_from_ending(
    tmp_path: Path,
) -> None:
    with ExitStack() as stack:
        with told_to_end(tmp_path, UNDER) as port:
            streams = [connect(stack, port, "/ticks") for _ in range(100)]
            sockets = [open_socket(stack, port, "/ticks") for _ in range(100)]
            idle = [connect(stack, port, "/nothing") for _ in range(10)]
            for stream in streams:
                read_until(stream, b"data: tick")
            for each in sockets:
                read_until(each, b"tick")
            for each in idle:
                read_until(each, b"Not Found")
        # Only now do the clients look what became of them.
        for stream in streams:
            assert b"\r\n0\r\n" not in rest(stream), "ended as if it were complete"
        for each in sockets:
            assert rest(each).endswith(GOING_AWAY)
        assert [rest(each) for each in idle] == [b""] * 10


def test_clients_that_do_not_read_do_not_keep_a_server_from_ending(
    tmp_path: Path,
) -> None:
    with ExitStack() as stack, told_to_end(tmp_path, 10) as port:
        stream = connect(stack, port, "/flood")
        each = open_socket(stack, port, "/flood")
        wait_until_full(stream)
        wait_until_full(each)


def wait_until_full(client: socket.socket) -> None:
    """Wait until no more arrives: the server is held up."""
    sizes = [-1]
    while sizes[-10:] != [sizes[-1]] * 10:
        sizes.append(len(client.recv(2**24, socket.MSG_PEEK)))
        time.sleep(0.01)
