"""Readers collect a request's body, writers make a response's.

A writer that is not told to cut its bytes makes a `BufferedBody`. The sender knows it
by its class, and sends it in one message.
"""

import codecs
from abc import ABC, abstractmethod
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Sequence,
)
from logging import Logger, getLogger
from typing import Final

from bareasgi.closing import call_back
from bareasgi.errors import ContentTooLarge
from bareasgi.types import Content, Scope

logger: Final[Logger] = getLogger(__name__)

MAX_BYTES: Final = 2 * 1024 * 1024
"""How much the collecting readers accept unless they are told otherwise: 2 MiB."""


class AnnouncedContent:
    """What the readers may know of the content that the framework made.

    Attributes:
        scope: the request's.
        is_complete: whether there are no more chunks to come.
    """

    __slots__ = ("is_complete", "scope")

    scope: Scope
    is_complete: bool

    @property
    def content_length(self) -> int | None:
        """How many bytes the client announced, or None (RFC 9110, section 8.6)."""
        for name, value in self.scope["headers"]:
            if name == b"content-length":
                # Twenty digits are beyond any size, and int() takes time that grows
                # with the square of their number.
                return int(value[:20]) if value.isdigit() else None
        return None


async def bytes_reader(content: Content, *, max_bytes: int | None = MAX_BYTES) -> bytes:
    """Read the whole of a request's body.

    Raises ContentTooLarge, which answers 413, when there are more than `max_bytes`
    bytes, before the first is read when the client's content-length says so. None lifts
    the limit. Raises HttpDisconnectError when the client leaves before the end.
    """
    announced = _announced(content, max_bytes)
    chunks: list[bytes] = []
    size = 0
    async for chunk in content:
        size += len(chunk)
        if max_bytes is not None and size > max_bytes:
            raise ContentTooLarge(max_bytes)
        chunks.append(chunk)
        if announced is not None and announced.is_complete:
            # To ask for more, and be told that there is none, takes its time.
            break
    return b"".join(chunks)


async def text_reader(
    content: Content, encoding: str = "utf-8", *, max_bytes: int | None = MAX_BYTES
) -> str:
    """Read the whole of a request's body as text.

    The limit counts bytes, and is the one of `bytes_reader`. Raises UnicodeDecodeError
    at the first chunk that is not in the encoding, and when the last character is cut
    short; a handler that does not want that to be a 500 catches it.
    """
    announced = _announced(content, max_bytes)
    decoder = codecs.getincrementaldecoder(encoding)()
    pieces: list[str] = []
    size = 0
    async for chunk in content:
        size += len(chunk)
        if max_bytes is not None and size > max_bytes:
            raise ContentTooLarge(max_bytes)
        pieces.append(decoder.decode(chunk))
        if announced is not None and announced.is_complete:
            break
    pieces.append(decoder.decode(b"", final=True))
    return "".join(pieces)


def bytes_writer(
    buf: bytes | bytearray | memoryview, chunk_size: int = -1
) -> "WriterBody":
    """Make a body of bytes.

    With -1 it is sent in one message, with its length known; otherwise in pieces of
    `chunk_size` bytes. Every `async for` over it starts afresh. Raises ValueError for a
    chunk size that is neither -1 nor positive.
    """
    if not isinstance(buf, bytes):
        buf = memoryview(buf).tobytes()
    if chunk_size == -1:
        body = BufferedBody()
        body.data, body.callbacks = buf, ()
        return body
    _check_chunk_size(chunk_size)
    return ChunkedBody(
        [buf[start : start + chunk_size] for start in range(0, len(buf), chunk_size)]
    )


def text_writer(
    text: str, encoding: str = "utf-8", chunk_size: int = -1
) -> "WriterBody":
    """Make a body of text.

    With -1 it is sent in one message, with its length known; otherwise in pieces of
    `chunk_size` characters, with a byte order mark in the first at most. Every
    `async for` over it starts afresh. Raises ValueError for a chunk size that is
    neither -1 nor positive, and UnicodeEncodeError for text that the encoding cannot
    express.
    """
    if chunk_size == -1:
        body = BufferedBody()
        # Without its name Python need not look the encoding up.
        body.data = text.encode() if encoding == "utf-8" else text.encode(encoding)
        body.callbacks = ()
        return body
    _check_chunk_size(chunk_size)
    encoder = codecs.getincrementalencoder(encoding)()
    return ChunkedBody(
        [
            encoder.encode(
                text[start : start + chunk_size], start + chunk_size >= len(text)
            )
            for start in range(0, len(text), chunk_size)
        ]
    )


class WriterBody(ABC):
    """Bytes in memory, as a body. Both an async iterable and an async iterator."""

    __slots__ = ("_iterator",)

    _iterator: AsyncGenerator[bytes, None]

    @abstractmethod
    def __aiter__(self) -> AsyncGenerator[bytes, None]:  # noqa: PYI058 - it is closed
        """Start afresh: two iterations do not disturb one another."""

    def __anext__(self) -> Awaitable[bytes]:
        # There is no iterator before it is needed, which it hardly ever is.
        if not hasattr(self, "_iterator"):
            self._iterator = self.__aiter__()
        return self._iterator.__anext__()

    async def aclose(self) -> None:
        """End what `anext` began. Another `async for` starts afresh."""
        if hasattr(self, "_iterator"):
            await self._iterator.aclose()


class BufferedBody(WriterBody):
    """Bytes that are sent in one message. The one body that needs no task.

    Whoever makes one sets its attributes. Most responses have one, and `__init__` would
    take as long as all the rest of making it ("plain text" in the benchmarks).

    Attributes:
        data: the bytes.
        callbacks: what is called when the response is over.
    """

    __slots__ = ("callbacks", "data")

    data: bytes
    callbacks: tuple[Callable[[], object], ...]

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        yield self.data

    async def aclose(self) -> None:
        """Call what waits for the end of the response."""
        if hasattr(self, "_iterator"):
            await self._iterator.aclose()
        callbacks, self.callbacks = self.callbacks, ()
        cancellation = None
        for callback in callbacks:
            waiting = call_back(callback)
            if waiting is not None:
                cancellation = await waiting or cancellation
        if cancellation is not None:
            raise cancellation


class ChunkedBody(WriterBody):
    """Bytes that are sent in pieces."""

    __slots__ = ("_pieces",)

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        for piece in self._pieces:
            yield piece


def _announced(content: Content, max_bytes: int | None) -> AnnouncedContent | None:
    """Check what the client announced, where the content knows: not in a wrapping."""
    if not isinstance(content, AnnouncedContent):
        return None
    if max_bytes is not None:
        length = content.content_length
        if length is not None and length > max_bytes:
            raise ContentTooLarge(max_bytes)
    return content


def _check_chunk_size(chunk_size: int) -> None:
    if chunk_size < 1:
        raise ValueError(
            f"chunk_size is {chunk_size}: it must be positive, or -1 for one piece"
        )
