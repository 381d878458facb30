"""What clients have in common: they show what arrives when, and leave in every way.

A connection gives exchanges: one request, and its response as it comes.
"""

import asyncio
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple, Self, TypeAlias

Fields: TypeAlias = Iterable[tuple[bytes, bytes]]

NOTHING: Final[Fields] = ()

PAUSE: Final = 0.01
"""Seconds between two looks at something that tells nobody when it changes."""

LOOKS: Final = 10
"""What was the same in so many looks has come to a stop."""

FIN: Final = "FIN"
RST: Final = "RST"
RST_STREAM: Final = "RST_STREAM"


class CutError(Exception):
    """The response ended before it was complete."""


class Head(NamedTuple):
    """The start of a response, without what a server adds to every one."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]

    def get(self, name: bytes) -> bytes | None:
        """Give the only value of a field, or None."""
        values = [value for other, value in self.headers if other == name]
        if len(values) > 1:
            raise ValueError(f"{name!r} was sent more than once: {values}")
        return values[0] if values else None


class Exchange(ABC):
    """One request and its response."""

    @abstractmethod
    async def head(self) -> Head:
        """Wait for status and headers."""

    @abstractmethod
    async def chunk(self) -> bytes:
        """Wait for more of the body; b"" is its end. Raises CutError if it is cut."""

    @abstractmethod
    async def upload(self, data: bytes, *, is_last: bool = False) -> None:
        """Send more of the request's body, and wait until the server makes room."""

    @abstractmethod
    async def fill(self, size: int) -> None:
        """Upload until the server takes nothing more, long before so many bytes."""

    async def body(self) -> bytes:
        """Wait for the rest of the body."""
        return b"".join([chunk async for chunk in self])

    def __aiter__(self) -> Self:
        """Give the chunks as they come."""
        return self

    async def __anext__(self) -> bytes:
        """Give the next chunk."""
        if chunk := await self.chunk():
            return chunk
        raise StopAsyncIteration


class Connection(ABC):
    """One connection, closed at the end of its block."""

    @abstractmethod
    async def request(
        self,
        method: str,
        path: str,
        headers: Fields = NOTHING,
        content: bytes | None = b"",
    ) -> Exchange:
        """Send a request; with content None its body is open for uploads."""

    @abstractmethod
    async def leave(self, how: str) -> None:
        """Close the connection by FIN or RST, whatever waits on either side."""

    async def __aenter__(self) -> Self:
        """Give the connection."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self.leave(FIN)


class TcpConnection(Connection):
    """A connection over TCP."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader = reader
        self.writer = writer

    async def leave(self, how: str) -> None:
        """Close the connection by FIN or RST, whatever waits on either side."""
        if how == RST:
            option = struct.pack("ii", 1, 0)  # close at once, and say so
            wire: socket.socket = self.writer.get_extra_info("socket")
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)
        self.writer.transport.abort()
        with suppress(OSError):
            await self.writer.wait_closed()
