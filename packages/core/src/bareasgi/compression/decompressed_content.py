"""A request's content on its way through a decompressor."""

from collections.abc import AsyncIterator, Iterator
from typing import Final

from bareasgi import Content, ContentTooLarge, HttpError, bytes_reader
from bareasgi.closing import Begun, close_body
from bareasgi.compression.codings import MALFORMED, Decompressor
from bareasgi.compression.pace import Pace
from bareasgi.streaming import MAX_BYTES

SLICE: Final = 16384
"""How many bytes are decompressed at a time.

What is not used up yet is copied each time, so it must not be large.
"""

PIECE: Final = 65536
"""About how many bytes are made of them at a time: what a bomb gets of the memory."""


def compression_reader_adapter(
    reader: Content, decompressobj: Decompressor, *, max_bytes: int | None = None
) -> "DecompressedContent":
    """Decompress content on its way, as it is read, in pieces of about 64 KiB.

    The result is a single pass, both an async iterable and an async iterator. Raises,
    while it is read, ContentTooLarge, which answers 413, when there are more than
    `max_bytes` bytes before or after, None for no limit; and HttpError 400 for what is
    not in the format, for an end that is missing, and for what stands behind it. No
    bytes at all are no content. What decompresses is used up by it.
    """
    return DecompressedContent(reader, decompressobj, max_bytes)


async def compression_reader(
    reader: Content, decompressobj: Decompressor, *, max_bytes: int | None = MAX_BYTES
) -> bytes:
    """Read the whole of compressed content, and decompress it.

    Raises what `compression_reader_adapter` does; the limit is 2 MiB unless told
    otherwise, and None lifts it.
    """
    content = compression_reader_adapter(reader, decompressobj, max_bytes=max_bytes)
    return await bytes_reader(content, max_bytes=max_bytes)


class DecompressedContent:
    """Content, decompressed piece by piece."""

    __slots__ = (
        "_decompressor",
        "_is_over",
        "_iterator",
        "_made",
        "_max_bytes",
        "_pace",
        "_pieces",
        "_reader",
        "_received",
    )

    _iterator: AsyncIterator[bytes] | None
    _pieces: Iterator[bytes]

    def __init__(
        self, reader: Content, decompressor: Decompressor, max_bytes: int | None
    ) -> None:
        self._reader: Content | None = reader
        self._iterator = None
        self._decompressor = decompressor
        self._pieces = iter(())
        self._max_bytes = max_bytes
        self._received = 0
        self._made = 0
        self._is_over = False
        self._pace = Pace()

    def __aiter__(self) -> "DecompressedContent":
        """Go on from where it is; there is no second pass."""
        return self

    async def __anext__(self) -> bytes:
        """Give the next piece, and read for it if need be."""
        if self._is_over or self._reader is None:
            raise StopAsyncIteration
        if piece := await self._next_piece():
            return piece
        if self._iterator is None:
            self._iterator = aiter(self._reader)
        async for chunk in Begun(self._iterator):
            self._received = self._counted(self._received, chunk)
            self._pieces = self._decompressed(chunk)
            if piece := await self._next_piece():
                return piece
        self._is_over = True
        if self._received and not self._decompressor.eof:
            raise _malformed()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close the content, once."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await close_body(reader, self._iterator)

    async def _next_piece(self) -> bytes:
        """Decompress until there is something, or nothing left of the chunk."""
        for piece in self._pieces:
            await self._pace.give_way()
            if piece:
                self._made = self._counted(self._made, piece)
                return piece
        return b""

    def _decompressed(self, chunk: bytes) -> Iterator[bytes]:
        """Give a chunk's pieces, each made when it is asked for. Some are empty."""
        decompressor = self._decompressor
        for start in range(0, len(chunk), SLICE):
            data = chunk[start : start + SLICE]
            piece = b""
            while data or piece:
                try:
                    piece = decompressor.decompress(data, PIECE)
                except MALFORMED as error:
                    raise _malformed() from error
                data = decompressor.unconsumed_tail
                yield piece
            if decompressor.unused_data:
                raise _malformed()

    def _counted(self, count: int, data: bytes) -> int:
        count += len(data)
        if self._max_bytes is not None and count > self._max_bytes:
            raise ContentTooLarge(self._max_bytes)
        return count


def _malformed() -> HttpError:
    return HttpError(400, "The content is not in the coding that it claims")
