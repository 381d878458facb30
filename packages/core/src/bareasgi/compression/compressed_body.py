"""A response's body on its way through a compressor."""

import zlib
from collections.abc import AsyncIterator
from typing import Final

from bareasgi import Body, bytes_writer
from bareasgi.closing import Begun, close_body
from bareasgi.compression.codings import Compressor
from bareasgi.compression.pace import Pace

SLICE: Final = 65536
"""How many bytes are compressed before others may have their turn.

64 KiB take gzip about 2 ms.
"""


def compression_writer_adapter(
    writer: Body, compressobj: Compressor
) -> "CompressedBody":
    """Compress a body on its way.

    Each of its chunks is flushed, so that it can be decompressed as soon as it arrives.
    The result is a single pass, both an async iterable and an async iterator; to close
    it closes the body. What compresses is used up by it.
    """
    return CompressedBody(writer, compressobj)


def compression_writer(
    buf: bytes | bytearray | memoryview, compressobj: Compressor, chunk_size: int = -1
) -> "CompressedBody":
    """Make a body of bytes that are compressed on their way.

    They are cut as by `bytes_writer`, and each piece is compressed when it is asked
    for. Raises ValueError for a chunk size that is neither -1 nor positive.
    """
    return compression_writer_adapter(bytes_writer(buf, chunk_size), compressobj)


async def compressed(data: bytes, compressor: Compressor, *, is_last: bool) -> bytes:
    """Compress data, and all that the compressor has.

    What takes long gives way to the event loop in between.
    """
    if len(data) <= SLICE:
        return compressor.compress(data) + _flushed(compressor, is_last=is_last)
    pieces: list[bytes] = []
    pace = Pace()
    for start in range(0, len(data), SLICE):
        await pace.give_way()
        pieces.append(compressor.compress(data[start : start + SLICE]))
    pieces.append(_flushed(compressor, is_last=is_last))
    return b"".join(pieces)


def _flushed(compressor: Compressor, *, is_last: bool) -> bytes:
    # Without a mode where it need not be, for compressors that do not know of one.
    return compressor.flush() if is_last else compressor.flush(zlib.Z_SYNC_FLUSH)


class CompressedBody:
    """A body, compressed chunk by chunk."""

    __slots__ = ("_body", "_compressor", "_is_over", "_iterator")

    _iterator: AsyncIterator[bytes] | None

    def __init__(self, body: Body, compressor: Compressor) -> None:
        self._body: Body | None = body
        self._compressor = compressor
        self._iterator = None
        self._is_over = False

    def __aiter__(self) -> "CompressedBody":
        """Go on from where it is; there is no second pass."""
        return self

    async def __anext__(self) -> bytes:
        """Give the next chunk, or last of all what ends the coding."""
        if self._is_over or self._body is None:
            raise StopAsyncIteration
        if self._iterator is None:
            self._iterator = aiter(self._body)
        async for chunk in Begun(self._iterator):
            data = chunk if chunk.__class__ is bytes else memoryview(chunk).tobytes()
            if data:
                return await compressed(data, self._compressor, is_last=False)
        self._is_over = True
        return self._compressor.flush()

    async def aclose(self) -> None:
        """Close the body, once."""
        body, self._body = self._body, None
        if body is not None:
            await close_body(body, self._iterator)
