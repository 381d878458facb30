"""Makes an exposition a little at a time, so that the event loop never waits for it.

A thread would not help: it keeps the event loop waiting for 5 ms at a time.
"""

import asyncio
import zlib
from collections.abc import Iterator
from time import perf_counter
from typing import Final

SLICE: Final = 0.0004
"""After how many seconds the event loop has its turn. With what then has to be encoded
and compressed it is well below a millisecond."""

_SMALL: Final = 8192
"""How many characters are encoded, or compressed, at once."""

_GZIP: Final = 16 + zlib.MAX_WBITS
_LEVEL: Final = 4
"""Expositions are so repetitive that higher levels take longer and gain little."""


class Encoder:
    """Encodes lines, and compresses them if asked to."""

    def __init__(self, *, is_gzip: bool) -> None:
        self._compressor = (
            zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP) if is_gzip else None
        )
        self._lines: list[str] = []
        self._length = 0
        self._pieces: list[bytes] = []

    def add(self, line: str) -> bool:
        """Add a line, and tell whether that took some time."""
        self._lines.append(line)
        self._length += len(line)
        if self._length < _SMALL:
            return False
        self._encode()
        return True

    def finish(self) -> bytes:
        """Give all of it."""
        self._encode()
        if self._compressor is not None:
            self._pieces.append(self._compressor.flush())
        return b"".join(self._pieces)

    def _encode(self) -> None:
        # A value that cannot be encoded must not make all others unreadable.
        piece = "".join(self._lines).encode("utf-8", "replace")
        self._lines.clear()
        self._length = 0
        if self._compressor is not None:
            piece = self._compressor.compress(piece)
        self._pieces.append(piece)


def at_once(lines: Iterator[str], *, is_gzip: bool) -> bytes:
    """Encode lines without a pause, for a thread."""
    encoder = Encoder(is_gzip=is_gzip)
    for line in lines:
        encoder.add(line)
    return encoder.finish()


async def in_slices(lines: Iterator[str], *, is_gzip: bool) -> bytes:
    """Encode lines, and let the event loop have its turn in between."""
    encoder = Encoder(is_gzip=is_gzip)
    began = perf_counter()
    for line in lines:
        if encoder.add(line) or perf_counter() - began > SLICE:
            await asyncio.sleep(0)
            began = perf_counter()
    return encoder.finish()
