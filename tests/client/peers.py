"""Peers that do what a script says, over HTTP/1.1 and HTTP/2, on the loopback."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset

DEADLINE: Final = 10.0
"""Seconds that anything may take; it takes far less than a tenth of them."""


@dataclass
class Peer:
    """A server that listens, and what happened to it.

    Attributes:
        port: where it listens.
        requests: what it was sent on each connection, as it came.
        connections: how many were made.
        gone: is set when a client closed its connection, or reset its stream.
    """

    port: int = 0
    requests: list[bytes] = field(default_factory=list[bytes])
    connections: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """What to ask for."""
        return f"http://127.0.0.1:{self.port}/"


Script: TypeAlias = Callable[
    [asyncio.StreamReader, asyncio.StreamWriter, Peer], Awaitable[None]
]
Script2: TypeAlias = Callable[["Http2", int], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(script: Script) -> AsyncGenerator[Peer]:
    """Run a script for each connection, until the block ends."""
    peer = Peer()
    tasks: set[asyncio.Task[Any]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer, peer)
        except (OSError, asyncio.IncompleteReadError):
            peer.gone.set()
        finally:
            writer.transport.abort()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.connections += 1
        task = asyncio.create_task(run(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait([*tasks], timeout=DEADLINE)


async def request_head(reader: asyncio.StreamReader, peer: Peer) -> bytes:
    """Read the head of a request, and remember it."""
    head = await reader.readuntil(b"\r\n\r\n")
    peer.requests.append(head)
    return head


def answers(*answers: bytes, stays: bool = True) -> Script:
    """Send an answer to each request of a connection, as it is written here.

    Afterwards wait for the client to leave, or leave at once.
    """

    async def script(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer
    ) -> None:
        for answer in answers:
            await request_head(reader, peer)
            writer.write(answer)
            await writer.drain()
        if stays:
            await reader.read()
            peer.gone.set()

    return script


def answer(
    status: int = 200,
    body: bytes = b"",
    *fields: bytes,
) -> bytes:
    """Write an answer with a length."""
    head = [b"HTTP/1.1 %d Status" % status, b"content-length: %d" % len(body), *fields]
    return b"\r\n".join([*head, b"", body])


class Http2:
    """The server's side of one connection on HTTP/2.

    Attributes:
        state: what h2 knows of it.
        peer: the peer that it belongs to.
        data: the content that was received, by stream.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer
    ) -> None:
        self.peer = peer
        self.state = H2Connection(
            H2Configuration(
                client_side=False,
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.data: dict[int, list[bytes]] = {}
        self._reader = reader
        self._writer = writer

    async def run(self, script: Script2) -> None:
        """Run a script for each request that has arrived, one after another."""
        self.state.initiate_connection()
        await self.flush()
        while data := await self._reader.read(65_536):
            for event in self.state.receive_data(data):
                match event:
                    case RequestReceived(stream_id=int(), headers=headers):
                        assert headers is not None
                        lines = [b"%b: %b" % (name, value) for name, value in headers]
                        self.peer.requests.append(b"\n".join(lines))
                    case DataReceived(stream_id=int(stream_id)):
                        self.data.setdefault(stream_id, []).append(event.data or b"")
                        length = event.flow_controlled_length or 0
                        self.state.acknowledge_received_data(length, stream_id)
                    case StreamReset():
                        self.peer.gone.set()
                    case StreamEnded(stream_id=int(stream_id)):
                        await script(self, stream_id)
                    case _:
                        pass
            await self.flush()
        self.peer.gone.set()

    async def send(
        self,
        stream_id: int,
        *fields: tuple[bytes, bytes],
        status: bytes = b"200",
        body: bytes | None = b"",
    ) -> None:
        """Send an answer, or with None only its head."""
        head = [(b":status", status), *fields]
        self.state.send_headers(stream_id, head, end_stream=body == b"")
        if body:
            self.state.send_data(stream_id, body, end_stream=True)
        await self.flush()

    async def flush(self) -> None:
        """Write what there is to write."""
        self._writer.write(self.state.data_to_send())
        await self._writer.drain()

    async def write(self, data: bytes) -> None:
        """Write bytes that h2 knows nothing of."""
        self._writer.write(data)
        await self._writer.drain()

    def leave(self) -> None:
        """Close the connection."""
        self._writer.close()


@contextlib.asynccontextmanager
async def listening_http2(script: Script2) -> AsyncGenerator[Peer]:
    """Run a script for each request on HTTP/2, spoken without being asked."""

    async def serve(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer
    ) -> None:
        await Http2(reader, writer, peer).run(script)

    async with listening(serve) as peer:
        yield peer
