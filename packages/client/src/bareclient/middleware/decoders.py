"""Decoders of content codings (RFC 9110, section 8.4.1), which give bounded pieces.

A few bytes may stand for gigabytes. None of these makes more of them at a time than a
caller has to hold.
"""

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, TypeAlias

from bareclient.errors import DecodingError

PIECE: Final = 65_536
"""The most bytes that a decoder gives in one piece: 64 KiB."""

# zstandard cannot be told to stop. Three bytes of input make at most 128 KiB, so this
# much makes at most 11 MiB.
_ZSTD_SLICE: Final = 256
_ZSTD_WINDOW: Final = 8 * 1024 * 1024  # RFC 9659, section 3

_GZIP_BITS: Final = 31
_GZIP_MAGIC: Final = b"\x1f"  # the first byte of two; the second may come later
_ZLIB_BITS: Final = 15
_DEFLATE_METHOD: Final = 8


class Decoder(ABC):
    """Decodes one body."""

    name: str

    @abstractmethod
    def decode(self, data: bytes) -> Iterator[bytes]:
        """Take some bytes, and give what they stand for, in pieces.

        Raises DecodingError for what is not in the coding.
        """

    @abstractmethod
    def finish(self) -> None:
        """Take the end of the body. Raises DecodingError if it is too early."""

    def _fail(self, why: object) -> DecodingError:
        return DecodingError(f"the body is not {self.name}: {why}")


class GzipDecoder(Decoder):
    """Members of gzip (RFC 1952, section 2.2). What follows the last one is ignored."""

    name = "gzip"

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP_BITS)
        self._has_begun = False

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Decode; another member begins where one ends."""
        while data:
            if self._member.eof:
                if not data.startswith(_GZIP_MAGIC):
                    return
                self._member = zlib.decompressobj(_GZIP_BITS)
            self._has_begun = True
            yield from _inflated(self, self._member, data)
            data = self._member.unused_data

    def finish(self) -> None:
        """Ask that the last member be whole. No byte at all is no body."""
        if self._has_begun and not self._member.eof:
            raise self._fail("it ends too early")


class DeflateDecoder(Decoder):
    """The zlib format (RFC 1950), or the bare deflate that some servers send for it."""

    name = "deflate"

    def __init__(self) -> None:
        self._stream: Any = None  # until the first byte tells

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Decode; the first byte tells which of the formats it is."""
        if not data:
            return
        if self._stream is None:
            is_zlib = data[0] & 0x0F == _DEFLATE_METHOD
            self._stream = zlib.decompressobj(_ZLIB_BITS if is_zlib else -_ZLIB_BITS)
        if not self._stream.eof:
            yield from _inflated(self, self._stream, data)

    def finish(self) -> None:
        """Ask that the stream be whole. No byte at all is no body."""
        if self._stream is not None and not self._stream.eof:
            raise self._fail("it ends too early")


class BrotliDecoder(Decoder):
    """Brotli (RFC 7932)."""

    name = "br"

    def __init__(self, brotli: Any) -> None:
        self._brotli = brotli
        self._stream = brotli.Decompressor()
        self._has_begun = False

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Decode."""
        self._has_begun = self._has_begun or bool(data)
        piece = b""
        try:
            # It holds more than it tells of, until it gives nothing any more.
            while data or piece or not self._stream.can_accept_more_data():
                piece = self._stream.process(data, output_buffer_limit=PIECE)
                data = b""
                yield from _cut(piece)
        except self._brotli.error as error:
            raise self._fail(error) from error

    def finish(self) -> None:
        """Ask that the stream be whole. No byte at all is no body."""
        if self._has_begun and not self._stream.is_finished():
            raise self._fail("it ends too early")


class ZstdDecoder(Decoder):
    """Frames of Zstandard (RFC 8878)."""

    name = "zstd"

    def __init__(self, zstandard: Any) -> None:
        self._error = zstandard.ZstdError
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._frame: Any = None

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Decode, slice by slice; another frame begins where one ends."""
        for start in range(0, len(data), _ZSTD_SLICE):
            rest = data[start : start + _ZSTD_SLICE]
            while rest:
                if self._frame is None or self._frame.eof:
                    self._frame = self._decompressor.decompressobj()
                try:
                    decoded = self._frame.decompress(rest)
                except self._error as error:
                    raise self._fail(error) from error
                yield from _cut(decoded)
                rest = self._frame.unused_data if self._frame.eof else b""

    def finish(self) -> None:
        """Ask that the last frame be whole. No byte at all is no body."""
        if self._frame is not None and not self._frame.eof:
            raise self._fail("it ends too early")


MakeDecoder: TypeAlias = Callable[[], Decoder]


def find_module(name: str) -> Any:
    """Import a module, or give None where it is not installed."""
    return None if find_spec(name) is None else import_module(name)


def make_decoders(find: Callable[[str], Any]) -> Mapping[bytes, MakeDecoder]:
    """Give the codings that can be decoded with the modules at hand, the best first."""
    brotli, zstandard = find("brotli"), find("zstandard")
    known: dict[bytes, MakeDecoder] = {}
    if zstandard is not None:
        known[b"zstd"] = lambda: ZstdDecoder(zstandard)
    if brotli is not None:
        known[b"br"] = lambda: BrotliDecoder(brotli)
    return {**known, b"gzip": GzipDecoder, b"deflate": DeflateDecoder}


def _cut(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE]


def _inflated(decoder: Decoder, stream: Any, data: bytes) -> Iterator[bytes]:
    while True:
        try:
            piece: bytes = stream.decompress(data, PIECE)
        except zlib.error as error:
            raise DecodingError(f"the body is not {decoder.name}: {error}") from error
        if piece:
            yield piece
        data = stream.unconsumed_tail
        if stream.eof or (not data and len(piece) < PIECE):
            return
