"""Connections for httpcore2, straight on asyncio.

httpcore2's own way leads through another library, which costs a fifth of the time of a
small request ("one after another" and "fifty at once" in the benchmarks).
"""

import asyncio
import select
import ssl
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

import httpcore2

_AHEAD: Final = 65_536
"""How many bytes are taken from the socket before somebody wants them."""

_HAPPY_EYEBALLS: Final = 0.25
"""Seconds after which another address is tried as well (RFC 8305, section 8)."""


class SocketBackend(httpcore2.AsyncNetworkBackend):
    """Makes connections over TCP and Unix sockets."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - of the interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to whichever address of a host answers first."""
        async with _connecting(timeout):
            _, stream = await asyncio.get_running_loop().create_connection(
                SocketStream,
                host,
                port,
                local_addr=None if local_address is None else (local_address, 0),
                happy_eyeballs_delay=_HAPPY_EYEBALLS,
            )
        return stream

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - of the interface
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to a Unix socket."""
        async with _connecting(timeout):
            _, stream = await asyncio.get_running_loop().create_unix_connection(
                SocketStream, path
            )
        return stream


class SocketStream(asyncio.Protocol, httpcore2.AsyncNetworkStream):
    """One connection: what has arrived on it, and who waits for more."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._is_over = False
        self._is_lost = False
        self._failure: Exception | None = None
        self._is_reading = True
        self._is_full = False
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport
        self._poll: Callable[[int], list[tuple[int, int]]] | None = None

    def connection_made(self, transport: Any) -> None:
        """Take the connection."""
        self._transport = transport
        # To look at the socket is what tells that an idle connection has ended, before
        # the loop gets round to it.
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
            self._poll = poll.poll

    def data_received(self, data: bytes) -> None:
        """Keep what has arrived, and take no more when that is enough."""
        self._chunks.append(data)
        self._size += len(data)
        if self._size >= _AHEAD and self._is_reading:
            self._is_reading = False
            self._transport.pause_reading()
        _wake(self._reader)

    def eof_received(self) -> bool:
        """Take the end, and close."""
        self._is_over = True
        _wake(self._reader)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end, or what broke the connection."""
        self._is_over = self._is_lost = True
        self._failure = exc
        _wake(self._reader)
        _wake(self._writer)

    def pause_writing(self) -> None:
        """Have whoever writes wait."""
        self._is_full = True

    def resume_writing(self) -> None:
        """Let whoever writes go on."""
        self._is_full = False
        _wake(self._writer)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """Take what has arrived, or wait for it; b"" is the end."""
        if not self._chunks and not self._is_over:
            self._reader = self._loop.create_future()
            await self._wait(self._reader, timeout, httpcore2.ReadTimeout)
        if not self._chunks:
            if self._failure is not None:
                raise httpcore2.ReadError(str(self._failure)) from self._failure
            return b""
        data = self._chunks.popleft()
        if len(data) > max_bytes:
            self._chunks.appendleft(data[max_bytes:])
            data = data[:max_bytes]
        self._size -= len(data)
        if not self._is_reading and self._size < _AHEAD:
            self._is_reading = True
            self._transport.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Send bytes, and wait while too many are on their way."""
        if not buffer:
            return
        if self._is_over:
            raise httpcore2.WriteError("the connection has ended")
        self._transport.write(buffer)
        if self._is_full:
            self._writer = self._loop.create_future()
            await self._wait(self._writer, timeout, httpcore2.WriteTimeout)
            if self._is_lost:
                raise httpcore2.WriteError("the connection has ended")

    async def aclose(self) -> None:
        """Close at once, whatever is on its way."""
        if not self._is_lost:
            self._transport.abort()
        # Only in the next turn of the loop is the socket closed.
        await asyncio.sleep(0)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - of the interface
    ) -> httpcore2.AsyncNetworkStream:
        """Go on with TLS, and verify the server as the context says."""
        stream = SocketStream()
        # Until it has its transport it cannot pause.
        stream._is_reading = False
        try:
            async with _connecting(timeout):
                transport = await self._loop.start_tls(
                    self._transport,
                    stream,
                    ssl_context,
                    server_hostname=server_hostname,
                )
        except BaseException:
            await self.aclose()
            raise
        stream._is_reading = True
        stream.connection_made(transport)
        return stream

    def get_extra_info(self, info: str) -> Any:
        """Tell about the connection, in the terms of httpcore2."""
        if info != "is_readable":
            return self._transport.get_extra_info(info)
        # What has come to an idle connection is not the answer to anything.
        return (
            self._is_over
            or bool(self._chunks)
            or (self._poll is not None and bool(self._poll(0)))
        )

    async def _wait(
        self,
        waiter: asyncio.Future[None],
        seconds: float | None,
        error: type[httpcore2.TimeoutException],
    ) -> None:
        if seconds is None:
            await waiter
            return
        # A handle is a fraction of what `asyncio.timeout` costs.
        handle = self._loop.call_later(seconds, _fail, waiter, error)
        try:
            await waiter
        finally:
            handle.cancel()


@asynccontextmanager
async def _connecting(seconds: float | None) -> AsyncGenerator[None]:
    """Say in the terms of httpcore2 why there is no connection."""
    timeout = asyncio.timeout(seconds)
    try:
        async with timeout:
            yield
    except OSError as error:
        if timeout.expired():
            raise httpcore2.ConnectTimeout from error
        raise httpcore2.ConnectError(str(error)) from error


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


def _fail(waiter: asyncio.Future[None], error: type[Exception]) -> None:
    if not waiter.done():
        waiter.set_exception(error())
