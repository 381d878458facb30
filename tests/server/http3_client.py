"""A client of HTTP/3: exchanges that share a connection over QUIC (RFC 9114)."""

import asyncio
import ssl
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

# Its own type has a bare `Callable` in it.
from aioquic.asyncio.client import (
    connect,  # pyright: ignore[reportUnknownVariableType]
)
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, QuicEvent, StreamReset

from .clients import FIN, NOTHING, Connection, CutError, Exchange, Fields, Head
from .http2_client import to_head

NO_ERROR: Final = 0x100
"""An error code (RFC 9114, section 8.1)."""


class Protocol(QuicConnectionProtocol):
    """Hands what arrives to the exchanges."""

    def __init__(self, quic: QuicConnection, stream_handler: None = None) -> None:
        super().__init__(quic, stream_handler)
        self.quic = quic
        self.http = H3Connection(quic)
        self.exchanges: dict[int, Http3Exchange] = {}

    def quic_event_received(self, event: QuicEvent) -> None:
        """Take an event of the connection."""
        match event:
            case StreamReset():
                self._put(event.stream_id, CutError(f"reset: {event.error_code}"))
            case ConnectionTerminated():
                for exchange in self.exchanges.values():
                    exchange.events.put_nowait(CutError("the connection was closed"))
            case _:
                for each in self.http.handle_event(event):
                    self._take(each)

    def _take(self, event: H3Event) -> None:
        match event:
            case HeadersReceived():
                self._put(event.stream_id, to_head(event.headers))
            case DataReceived():
                if event.data:
                    self._put(event.stream_id, event.data)
            case _:
                return
        if event.stream_ended:
            self._put(event.stream_id, b"")

    def _put(self, stream_id: int, event: "Head | bytes | CutError") -> None:
        if stream_id in self.exchanges:
            self.exchanges[stream_id].events.put_nowait(event)


class Http3Connection(Connection):
    """A connection of HTTP/3: any number of exchanges at once."""

    def __init__(self, protocol: Protocol, stack: AsyncExitStack) -> None:
        self.protocol = protocol
        self._stack = stack

    async def request(
        self,
        method: str,
        path: str,
        headers: Fields = NOTHING,
        content: bytes | None = b"",
    ) -> "Http3Exchange":
        """Send a request; with content None its body is open for uploads."""
        stream_id = self.protocol.quic.get_next_available_stream_id()
        exchange = Http3Exchange(self, stream_id)
        self.protocol.exchanges[stream_id] = exchange
        fields = [
            (b":method", method.encode()),
            (b":scheme", b"https"),
            (b":authority", b"localhost"),
            (b":path", path.encode("latin-1")),
            *headers,
        ]
        self.protocol.http.send_headers(stream_id, fields, end_stream=content == b"")
        if content:
            self.protocol.http.send_data(stream_id, content, end_stream=True)
        self.protocol.transmit()
        return exchange

    async def leave(self, how: str = FIN) -> None:
        """Close the connection, whatever waits on either side."""
        self.protocol.close(NO_ERROR)
        await self._stack.aclose()


class Http3Exchange(Exchange):
    """One request of HTTP/3 and its response."""

    def __init__(self, connection: Http3Connection, stream_id: int) -> None:
        self.connection = connection
        self.stream_id = stream_id
        self.events: asyncio.Queue[Head | bytes | CutError] = asyncio.Queue()
        self._head: Head | None = None

    async def head(self) -> Head:
        """Wait for status and headers."""
        if self._head is None:
            event = await self._next()
            if not isinstance(event, Head):
                raise CutError(f"{event!r} came before the headers")
            self._head = event
        return self._head

    async def chunk(self) -> bytes:
        """Wait for more of the body; b"" is its end. Raises CutError if it is cut."""
        await self.head()
        event = await self._next()
        if isinstance(event, Head):
            raise CutError("a second head")
        return event

    async def _next(self) -> Head | bytes:
        event = await self.events.get()
        if isinstance(event, CutError):
            raise event
        return event

    async def upload(self, data: bytes, *, is_last: bool = False) -> None:
        """Send more of the request's body. QUIC sends it when there is room."""
        protocol = self.connection.protocol
        protocol.http.send_data(self.stream_id, data, end_stream=is_last)
        protocol.transmit()

    async def fill(self, size: int) -> None:
        """There is no telling when the server takes no more."""
        raise NotImplementedError


async def connect_http3(port: int, trusted: Path) -> Http3Connection:
    """Connect to a loopback port, trusting the certificate in a file."""
    configuration = QuicConfiguration(
        alpn_protocols=H3_ALPN, cafile=str(trusted), server_name="localhost"
    )
    configuration.verify_mode = ssl.CERT_REQUIRED
    stack = AsyncExitStack()
    protocol = await stack.enter_async_context(
        connect(
            "127.0.0.1", port, configuration=configuration, create_protocol=Protocol
        )
    )
    assert isinstance(protocol, Protocol)
    return Http3Connection(protocol, stack)
