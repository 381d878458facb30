"""A client of HTTP/2: many exchanges on a connection, resets and pushes."""

import asyncio
import ssl
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PushedStreamReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from .clients import (
    LOOKS,
    NOTHING,
    PAUSE,
    CutError,
    Exchange,
    Fields,
    Head,
    TcpConnection,
)

LARGEST_WINDOW: Final = 2**31 - 1
FRAME: Final = 16384


class Http2Connection(TcpConnection):
    """A connection of HTTP/2: any number of exchanges at once.

    Attributes:
        pushes: the fields of every promised request, with its exchange.
        keeps_windows_open: makes room for more as soon as something came.
        is_over: nothing more will come.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        super().__init__(reader, writer)
        config = H2Configuration(
            client_side=True,
            header_encoding=None,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.protocol = H2Connection(config)
        self.scheme = b"https" if writer.get_extra_info("ssl_object") else b"http"
        self.exchanges: dict[int, Http2Exchange] = {}
        self.pushes: list[tuple[dict[bytes, bytes], Http2Exchange]] = []
        self.keeps_windows_open = True
        self.room = asyncio.Condition()
        self.is_over = False
        self._pump = asyncio.create_task(self._read())

    async def open(self, *, has_wide_windows: bool = False) -> None:
        """Begin; with wide windows the server may send without end."""
        if has_wide_windows:
            self.protocol.local_settings = Settings(
                client=True,
                initial_values={SettingCodes.INITIAL_WINDOW_SIZE: LARGEST_WINDOW},
            )
        self.protocol.initiate_connection()
        if has_wide_windows:
            self.protocol.increment_flow_control_window(LARGEST_WINDOW - 65535)
        await self.flush()

    async def request(
        self,
        method: str,
        path: str,
        headers: Fields = NOTHING,
        content: bytes | None = b"",
    ) -> "Http2Exchange":
        """Send a request; with content None its body is open for uploads."""
        stream_id = self.protocol.get_next_available_stream_id()
        exchange = self.exchanges[stream_id] = Http2Exchange(self, stream_id)
        fields = [
            (b":method", method.encode()),
            (b":scheme", self.scheme),
            (b":authority", b"localhost"),
            (b":path", path.encode("latin-1")),
            *headers,
        ]
        self.protocol.send_headers(stream_id, fields, end_stream=content == b"")
        if content:
            # Together: for hypercorn an upload that comes after its answer is fatal.
            self.protocol.send_data(stream_id, content, end_stream=True)
        await self.flush()
        return exchange

    async def flush(self) -> None:
        """Send what h2 has made ready."""
        if data := self.protocol.data_to_send():
            self.writer.write(data)
            await self.writer.drain()

    async def stop_reading(self) -> None:
        """Read nothing more from the socket."""
        self._pump.cancel()
        await asyncio.wait([self._pump])

    async def leave(self, how: str) -> None:
        """Close the connection by FIN or RST, whatever waits on either side."""
        await self.stop_reading()
        await super().leave(how)

    async def _read(self) -> None:
        with suppress(OSError, ProtocolError):
            while data := await self.reader.read(2**18):
                for event in self.protocol.receive_data(data):
                    self._take(event)
                await self._tell()
                await self.flush()
        for exchange in self.exchanges.values():
            exchange.events.put_nowait(CutError("the connection was closed"))
        self.is_over = True
        await self._tell()

    async def _tell(self) -> None:
        async with self.room:
            self.room.notify_all()

    def _take(self, event: Event) -> None:
        match event:
            case ResponseReceived(stream_id=int(stream_id)):
                self._put(stream_id, to_head(event.headers or []))
            case DataReceived(stream_id=int(stream_id), data=bytes(data)):
                length = event.flow_controlled_length
                if self.keeps_windows_open and length:
                    self.protocol.acknowledge_received_data(length, stream_id)
                if data:
                    self._put(stream_id, data)
            case StreamEnded(stream_id=int(stream_id)):
                self._put(stream_id, b"")
            case StreamReset(stream_id=int(stream_id)):
                self.exchanges[stream_id].is_reset = True
                self._put(stream_id, CutError(f"reset: {event.error_code}"))
            case PushedStreamReceived(pushed_stream_id=int(stream_id)):
                exchange = self.exchanges[stream_id] = Http2Exchange(self, stream_id)
                fields = [(bytes(n), bytes(v)) for n, v in event.headers or []]
                self.pushes.append((dict(fields), exchange))
            case ConnectionTerminated():
                for exchange in self.exchanges.values():
                    exchange.events.put_nowait(CutError("the server said goodbye"))
            case _:
                pass  # Settings and windows are h2's business.

    def _put(self, stream_id: int, event: "Head | bytes | CutError") -> None:
        self.exchanges[stream_id].events.put_nowait(event)


class Http2Exchange(Exchange):
    """One request of HTTP/2 and its response."""

    def __init__(self, connection: Http2Connection, stream_id: int) -> None:
        self.connection = connection
        self.stream_id = stream_id
        self.events: asyncio.Queue[Head | bytes | CutError] = asyncio.Queue()
        self._head: Head | None = None
        self.is_reset = False
        self._is_over = False
        self._unsent = 0

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
        if self._is_over:
            return b""
        event = await self._next()
        if isinstance(event, Head):
            raise CutError("a second head")
        self._is_over = event == b""
        return event

    async def _next(self) -> Head | bytes:
        event = await self.events.get()
        if isinstance(event, CutError):
            self.events.put_nowait(event)
            raise event
        return event

    async def upload(self, data: bytes, *, is_last: bool = False) -> None:
        """Send more of the request's body, and wait until the server makes room."""
        self._unsent = len(data)
        try:
            for start in range(0, len(data), FRAME):
                frame = data[start : start + FRAME]
                await self._wait_for_room(len(frame))
                self.connection.protocol.send_data(self.stream_id, frame)
                await self.connection.flush()
                self._unsent -= len(frame)
            if is_last:
                self.connection.protocol.end_stream(self.stream_id)
                await self.connection.flush()
        except ProtocolError as error:
            raise CutError("before the end of the upload") from error

    async def _wait_for_room(self, size: int) -> None:
        connection = self.connection
        async with connection.room:
            while connection.protocol.local_flow_control_window(self.stream_id) < size:
                if connection.is_over or self.is_reset:
                    raise CutError("before the end of the upload")
                await connection.room.wait()

    async def fill(self, size: int) -> None:
        """Upload until the server takes nothing more, long before so many bytes."""
        uploading = asyncio.create_task(self.upload(bytes(size)))
        looks: list[int] = []
        while looks[-LOOKS:] != [self._unsent] * LOOKS:
            looks.append(self._unsent)
            await asyncio.sleep(PAUSE)
            if uploading.done():
                raise ValueError(f"the server took all {size} bytes")
        uploading.cancel()
        await asyncio.wait([uploading])

    async def reset(self) -> None:
        """Leave this exchange and keep the connection."""
        self.connection.protocol.reset_stream(self.stream_id, ErrorCodes.CANCEL)
        await self.connection.flush()


def to_head(fields: Iterable[tuple[bytes, bytes]]) -> Head:
    (_, status), *headers = [(bytes(name), bytes(value)) for name, value in fields]
    return Head(int(status), headers)


async def connect_http2(
    port: int,
    context: ssl.SSLContext | None = None,
    *,
    has_wide_windows: bool = False,
) -> Http2Connection:
    """Connect to a loopback port, by prior knowledge or by TLS."""
    name = "localhost" if context else None
    streams = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname=name
    )
    connection = Http2Connection(*streams)
    await connection.open(has_wide_windows=has_wide_windows)
    return connection
