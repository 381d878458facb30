"""A client of WebSockets that sends and shows frames, legal or not (RFC 6455)."""

import base64
import hashlib
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from .clients import NOTHING, Connection, CutError, Exchange, Fields, Head

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY: Final = base64.b64encode(bytes(16))
NO_STATUS: Final = 1005


class Frame(NamedTuple):
    """One frame: what kind it is, what is in it, and whether it ends its message."""

    opcode: int
    payload: bytes
    is_final: bool = True


class ClosedError(Exception):
    """A close frame arrived, where a message was awaited."""

    def __init__(self, payload: bytes) -> None:
        self.code = int.from_bytes(payload[:2]) if payload else NO_STATUS
        self.reason = payload[2:].decode()
        super().__init__(self.code, self.reason)


class Socket:
    """A WebSocket from the client's end, or the answer of a server that refused it."""

    def __init__(self, connection: Connection, exchange: Exchange, head: Head) -> None:
        self.connection = connection
        self.exchange = exchange
        self.head = head
        self._received = b""

    @property
    def is_accepted(self) -> bool:
        """Whether the handshake was completed."""
        return self.head.status == (101 if self.head.get(b"upgrade") else 200)

    async def send(self, content: str | bytes, *, pieces: int = 1) -> None:
        """Send a message, in so many frames."""
        opcode = TEXT if isinstance(content, str) else BINARY
        data = content.encode() if isinstance(content, str) else content
        size = -(-len(data) // pieces) or 1
        for piece in range(pieces):
            payload = data[piece * size : (piece + 1) * size]
            await self.send_frame(opcode, payload, is_final=piece == pieces - 1)
            opcode = CONTINUATION

    async def send_frame(
        self,
        opcode: int,
        payload: bytes = b"",
        *,
        is_final: bool = True,
        reserved: int = 0,
        is_masked: bool = True,
    ) -> None:
        """Send a frame, whatever it is."""
        await self.exchange.upload(
            encode(
                opcode,
                payload,
                is_final=is_final,
                reserved=reserved,
                is_masked=is_masked,
            )
        )

    async def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        await self.exchange.upload(data)

    async def frame(self) -> Frame:
        """Wait for a frame, and hold the server to the protocol. CutError: the end."""
        first, second = await self._take(2)
        assert not first & 0x70, "a reserved bit is set"
        assert not second & 0x80, "a server must not mask"
        length, opcode = second, first & 0x0F
        if length > 125:
            assert opcode < CLOSE, "a control frame is too long"
            length = int.from_bytes(await self._take(2 if length == 126 else 8))
            assert length > 125, "a length was not written in the shortest way"
        return Frame(opcode, await self._take(length), bool(first & 0x80))

    async def message(self) -> str | bytes:
        """Wait for a message. ClosedError when the server closed, CutError at the end.

        Pings are answered on the way.
        """
        kind: int | None = None
        data = b""
        while True:
            frame = await self.frame()
            match frame.opcode:
                case 8:
                    raise ClosedError(frame.payload)
                case 9:
                    await self.send_frame(PONG, frame.payload)
                case 10:
                    pass
                case opcode:
                    assert (opcode == CONTINUATION) == (kind is not None)
                    kind = opcode if kind is None else kind
                    data += frame.payload
                    if frame.is_final:
                        return data.decode() if kind == TEXT else data

    async def close(self, code: int | None = 1000, reason: str = "") -> ClosedError:
        """Close, and give what the server answers, whatever it had sent before."""
        payload = b"" if code is None else code.to_bytes(2) + reason.encode()
        await self.send_frame(CLOSE, payload)
        return await self.closed()

    async def closed(self) -> ClosedError:
        """Wait until the server closes, whatever it sends before."""
        while True:
            try:
                await self.message()
            except ClosedError as closed:
                return closed

    async def ended(self) -> None:
        """Wait until the server has closed the connection, whatever it sends before."""
        try:
            while await self.exchange.chunk():
                pass
        except CutError:
            pass

    async def _take(self, size: int) -> bytes:
        while len(self._received) < size:
            data = await self.exchange.chunk()
            if not data:
                raise CutError("before the end of a frame")
            self._received += data
        taken, self._received = self._received[:size], self._received[size:]
        return taken


def encode(
    opcode: int,
    payload: bytes = b"",
    *,
    is_final: bool = True,
    reserved: int = 0,
    is_masked: bool = True,
) -> bytes:
    """Make the bytes of a frame."""
    size = len(payload)
    length = size if size < 126 else 126 if size < 65536 else 127
    extended = b"" if length < 126 else size.to_bytes(2 if length == 126 else 8)
    first = (0x80 if is_final else 0) | reserved << 4 | opcode
    head = bytes([first, (0x80 if is_masked else 0) | length]) + extended
    return head + (mask(payload) if is_masked else payload)


def mask(payload: bytes) -> bytes:
    """Give a key, and the payload masked with it (RFC 6455, section 5.3)."""
    key = os.urandom(4)
    keys = (key * (len(payload) // 4 + 1))[: len(payload)]
    masked = int.from_bytes(payload) ^ int.from_bytes(keys)
    return key + masked.to_bytes(len(payload))


async def ask(
    connection: Connection,
    path: str,
    *,
    is_http2: bool = False,
    key: bytes = KEY,
    headers: Fields = NOTHING,
) -> Exchange:
    """Ask for a WebSocket. Over HTTP/2 it is a stream of the connection (RFC 8441)."""
    fields = [(b"sec-websocket-version", b"13"), *headers]
    if is_http2:
        fields.insert(0, (b":protocol", b"websocket"))
        return await connection.request("CONNECT", path, fields, None)
    fields += [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
    return await connection.request("GET", path, [*fields, (b"sec-websocket-key", key)])


@asynccontextmanager
async def open_socket(
    connection: Connection,
    path: str,
    *,
    is_http2: bool = False,
    subprotocols: Sequence[str] = (),
    headers: Fields = NOTHING,
) -> AsyncGenerator[Socket]:
    """Ask for a WebSocket, wait for the answer, and leave at the end of the block."""
    fields = [*headers]
    if subprotocols:
        fields.append((b"sec-websocket-protocol", ", ".join(subprotocols).encode()))
    key = base64.b64encode(os.urandom(16))
    async with connection:
        exchange = await ask(
            connection, path, is_http2=is_http2, key=key, headers=fields
        )
        socket = Socket(connection, exchange, await exchange.head())
        if socket.is_accepted and not is_http2:
            digest = hashlib.sha1(key + GUID, usedforsecurity=False).digest()
            assert socket.head.get(b"sec-websocket-accept") == base64.b64encode(digest)
        yield socket
