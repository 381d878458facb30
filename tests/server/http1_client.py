"""A client of HTTP/1.1, spoken byte by byte, so that a request can be cut anywhere."""

import asyncio
import os
import socket

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


class Http1Connection(TcpConnection):
    """A connection of HTTP/1.1: one exchange after the other."""

    async def request(
        self,
        method: str,
        path: str,
        headers: Fields = NOTHING,
        content: bytes | None = b"",
    ) -> "Http1Exchange":
        """Send a request; with content None its body is open for uploads."""
        fields = [(b"host", b"localhost"), *headers]
        if content is None:
            fields.append((b"transfer-encoding", b"chunked"))
        elif content:
            fields.append((b"content-length", b"%d" % len(content)))
        lines = [f"{method} {path} HTTP/1.1".encode("latin-1")]
        lines += [name + b": " + value for name, value in fields]
        await self.send(b"\r\n".join([*lines, b"", content or b""]))
        return Http1Exchange(self, method)

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()


class Http1Exchange(Exchange):
    """One request of HTTP/1.1 and its response."""

    def __init__(self, connection: Http1Connection, method: str) -> None:
        self.connection = connection
        self._method = method
        self._head: Head | None = None
        self._left: int | None = 0
        self._is_chunked = False

    async def head(self) -> Head:
        """Wait for status and headers."""
        while self._head is None or self._head.status == 100:
            try:
                data = await self.connection.reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, OSError) as error:
                raise CutError("before the end of the headers") from error
            first, *lines = data.removesuffix(b"\r\n\r\n").split(b"\r\n")
            pairs = [line.split(b":", 1) for line in lines]
            headers = [(name.lower(), value.strip()) for name, value in pairs]
            self._head = Head(int(first.split(b" ")[1]), headers)
            length = self._head.get(b"content-length")
            self._is_chunked = self._head.get(b"transfer-encoding") == b"chunked"
            if self._method == "HEAD" or self._head.status in {204, 304}:
                self._left, self._is_chunked = 0, False
            else:
                self._left = None if length is None else int(length)
        return self._head

    async def chunk(self) -> bytes:
        """Wait for more of the body; b"" is its end. Raises CutError if it is cut."""
        await self.head()
        try:
            return await (self._read_chunk() if self._is_chunked else self._read())
        except (asyncio.IncompleteReadError, OSError, ValueError) as error:
            raise CutError("before the end of the body") from error

    async def _read_chunk(self) -> bytes:
        reader = self.connection.reader
        size = int(await reader.readuntil(b"\r\n"), 16)
        data = await reader.readexactly(size + 2)
        self._is_chunked = size > 0
        self._left = 0
        return data[:-2]

    async def _read(self) -> bytes:
        if self._left == 0:
            return b""
        data = await self.connection.reader.read(self._left or 65536)
        if self._left is not None:
            if not data:
                raise CutError("before the end of the body")
            self._left -= len(data)
        return data

    async def upload(self, data: bytes, *, is_last: bool = False) -> None:
        """Send more of the request's body, and wait until the server makes room.

        After a change of protocol the bytes are sent as they are.
        """
        if self._head is not None and self._head.status == 101:
            await self.connection.send(data)
            return
        chunk = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        await self.connection.send(chunk + (b"0\r\n\r\n" if is_last else b""))

    async def fill(self, size: int) -> None:
        """Upload until the server takes nothing more, long before so many bytes."""
        # Past the transport: what that keeps would be sent later, and if the server
        # does not want it, the transport forgets the answer too.
        wire: socket.socket = self.connection.writer.get_extra_info("socket")
        left = memoryview(b"%x\r\n%b" % (size, bytes(size)))
        looks = 0
        with socket.socket(fileno=os.dup(wire.fileno())) as twin:
            while looks < LOOKS:
                try:
                    left = left[twin.send(left) :]
                    looks = 0
                except BlockingIOError:
                    looks += 1
                    await asyncio.sleep(PAUSE)
                if not left:
                    raise ValueError(f"the server took all {size} bytes")


async def connect_http1(port: int) -> Http1Connection:
    """Connect to a loopback port."""
    return Http1Connection(*await asyncio.open_connection("127.0.0.1", port))
