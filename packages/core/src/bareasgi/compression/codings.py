"""Content codings: what makes the objects that compress and decompress.

They all work like those of `zlib`, which may be used as they are. The modules for br
and zstd are optional. zstd is in the standard library from Python 3.14 on.
"""

import re
import sys
import zlib
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final, Protocol, TypeAlias, TypeVar

_Made = TypeVar("_Made")

_CODING: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")

_GZIP: Final = zlib.MAX_WBITS | 16
_ZLIB: Final = zlib.MAX_WBITS

# What a stream refers back to, as a power of two: 256 KiB. It is kept for each one.
_WINDOW: Final = 18
# RFC 9659: nobody needs to have more than 8 MiB for the window of a client's.
_MAX_WINDOW: Final = 23

# To begin a frame of zstd takes 15 us, however little is in it. More than so many small
# ones make no sense but to keep us busy.
_SMALL: Final = 256
_MAX_SMALL: Final = 1_000

_LEVEL: Final = 6
_BR_QUALITY: Final = 4
_ZSTD_LEVEL: Final = 1


class Compressor(Protocol):
    """Compresses one body. `zlib.compressobj()` is one."""

    def compress(self, data: bytes, /) -> bytes:
        """Take data, and give what there is to send, which may be nothing yet."""
        ...

    def flush(self, mode: int = zlib.Z_FINISH, /) -> bytes:
        """End the body; or with `zlib.Z_SYNC_FLUSH` give all that was held back."""
        ...


class Decompressor(Protocol):
    """Decompresses one body. `zlib.decompressobj()` is one."""

    @property
    def eof(self) -> bool:
        """Whether the end was seen."""
        ...

    @property
    def unconsumed_tail(self) -> bytes:
        """What is to be given again, since there was no room for the result."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What stood behind the end, and does not belong there."""
        ...

    def decompress(self, data: bytes, /, max_length: int = 0) -> bytes:
        """Take data, and give about `max_length` bytes at most, or all with 0."""
        ...


CompressorMaker: TypeAlias = Callable[[], Compressor]
"""Makes what compresses one body."""

DecompressorMaker: TypeAlias = Callable[[], Decompressor]
"""Makes what decompresses one body."""


def make_gzip_compressobj(level: int = _LEVEL) -> Compressor:
    """Make a compressor for `gzip` (RFC 1952), with a level from 0 to 9."""
    return zlib.compressobj(level, zlib.DEFLATED, _GZIP)


def make_deflate_compressobj(level: int = _LEVEL) -> Compressor:
    """Make a compressor for `deflate`, with a level from 0 to 9.

    Its format is that of zlib, as HTTP has it (RFC 9110, section 8.4.1.2).
    """
    return zlib.compressobj(level, zlib.DEFLATED, _ZLIB)


def make_compress_compressobj(level: int = _LEVEL) -> Compressor:
    """Make a compressor in the format of zlib, under its older name.

    It is not the coding `compress`, that of the Unix program, which nobody uses.
    """
    return make_deflate_compressobj(level)


def make_br_compressobj(quality: int = _BR_QUALITY) -> Compressor:
    """Make a compressor for `br` (RFC 7932), with a quality from 0 to 11.

    Raises RuntimeError when the package `brotli` is not installed.
    """
    return _BrotliCompressor(quality)


def make_zstd_compressobj(level: int = _ZSTD_LEVEL) -> Compressor:
    """Make a compressor for `zstd` (RFC 8878), with a level up to 22.

    Raises RuntimeError when neither Python nor the package `backports.zstd` has it.
    """
    return _ZstdCompressor(level)


def make_gzip_decompressobj() -> Decompressor:
    """Make a decompressor for `gzip`, of one member or several (RFC 1952).

    Of those that are smaller than 256 bytes it takes a thousand.
    """
    return _Members(lambda: zlib.decompressobj(_GZIP))


def make_deflate_decompressobj() -> Decompressor:
    """Make a decompressor for `deflate`, in the format of zlib."""
    return zlib.decompressobj(_ZLIB)


def make_compress_decompressobj() -> Decompressor:
    """Make a decompressor for the format of zlib, under its older name."""
    return make_deflate_decompressobj()


def make_br_decompressobj() -> Decompressor:
    """Make a decompressor for `br`.

    Raises RuntimeError when the package `brotli` is not installed.
    """
    return _BrotliDecompressor()


def make_zstd_decompressobj() -> Decompressor:
    """Make a decompressor for `zstd`, of one frame or several, with windows to 8 MiB.

    Of those that are smaller than 256 bytes it takes a thousand.
    Raises RuntimeError when neither Python nor the package `backports.zstd` has it.
    """
    return _Members(_ZstdDecompressor)


def _optional(name: str) -> Any:
    """Import a module, or give None when it is not installed."""
    try:
        return import_module(name)
    except ImportError:
        return None


_brotli: Any = _optional("brotli")
_zstd: Any = _optional(
    "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
)

# What is quick for its size comes first, and decides where a client likes all alike.
COMPRESSORS: Final[Mapping[bytes, CompressorMaker]] = {
    **({} if _zstd is None else {b"zstd": make_zstd_compressobj}),
    **({} if _brotli is None else {b"br": make_br_compressobj}),
    b"gzip": make_gzip_compressobj,
    b"deflate": make_deflate_compressobj,
}
DECOMPRESSORS: Final[Mapping[bytes, DecompressorMaker]] = {
    **({} if _zstd is None else {b"zstd": make_zstd_decompressobj}),
    **({} if _brotli is None else {b"br": make_br_decompressobj}),
    b"gzip": make_gzip_decompressobj,
    b"deflate": make_deflate_decompressobj,
}

MALFORMED: Final[tuple[type[Exception], ...]] = (
    zlib.error,
    *(() if _brotli is None else (_brotli.error,)),
    *(() if _zstd is None else (_zstd.ZstdError,)),
)
"""What a decompressor raises for data that is not in its format."""


def checked_makers(
    makers: Mapping[bytes, Callable[[], _Made]],
) -> dict[bytes, Callable[[], _Made]]:
    """Copy the makers by coding, and try each.

    Raises ValueError for what is no name of a coding in lower case and for no makers at
    all, and whatever a maker raises when it is tried.
    """
    if not makers:
        raise ValueError("there must be at least one coding")
    for coding, make in makers.items():
        if not _CODING.fullmatch(coding) or coding == b"identity":
            raise ValueError(f"{coding!r} is not the name of a coding in lower case")
        make()
    return {**makers}


def _required(module: Any, coding: str, package: str) -> Any:
    if module is None:
        raise RuntimeError(
            f"{coding} needs a module: install {package!r}, or bareasgi[{coding}]"
        )
    return module


class _BrotliCompressor:
    """A compressor of `brotli` with the methods of zlib's."""

    __slots__ = ("_inner",)

    def __init__(self, quality: int) -> None:
        brotli = _required(_brotli, "br", "brotli")
        self._inner = brotli.Compressor(quality=quality, lgwin=_WINDOW)

    def compress(self, data: bytes, /) -> bytes:
        output: bytes = self._inner.process(data)
        return output

    def flush(self, mode: int = zlib.Z_FINISH, /) -> bytes:
        is_last = mode == zlib.Z_FINISH
        output: bytes = self._inner.finish() if is_last else self._inner.flush()
        return output


class _ZstdCompressor:
    """A compressor of `zstd` with the methods of zlib's.

    What it was given last waits for what comes next. A body that is given whole is then
    compressed in one call, in two thirds of the time.
    """

    __slots__ = ("_inner", "_waiting")

    def __init__(self, level: int) -> None:
        zstd = _required(_zstd, "zstd", "backports.zstd")
        names = zstd.CompressionParameter
        options = {names.compression_level: level, names.window_log: _WINDOW}
        self._inner = zstd.ZstdCompressor(options=options)
        self._waiting = b""

    def compress(self, data: bytes, /) -> bytes:
        output: bytes = b""
        if self._waiting:
            output = self._inner.compress(self._waiting, self._inner.CONTINUE)
        self._waiting = data
        return output

    def flush(self, mode: int = zlib.Z_FINISH, /) -> bytes:
        inner, data, self._waiting = self._inner, self._waiting, b""
        is_last = mode == zlib.Z_FINISH
        output: bytes = inner.compress(
            data, inner.FLUSH_FRAME if is_last else inner.FLUSH_BLOCK
        )
        return output


class _BrotliDecompressor:
    """A decompressor of `brotli` with the attributes of zlib's.

    It keeps what it has no room for, and raises when something stands behind the end.
    """

    __slots__ = ("_inner", "unconsumed_tail", "unused_data")

    def __init__(self) -> None:
        self._inner = _required(_brotli, "br", "brotli").Decompressor()
        self.unconsumed_tail = b""
        self.unused_data = b""

    @property
    def eof(self) -> bool:
        is_finished: bool = self._inner.is_finished()
        return is_finished

    def decompress(self, data: bytes, /, max_length: int = 0) -> bytes:
        limit = {"output_buffer_limit": max_length} if max_length else {}
        output: bytes = self._inner.process(data, **limit)
        return output


class _ZstdDecompressor:
    """A decompressor of one `zstd` frame with the attributes of zlib's.

    It keeps what it has no room for.
    """

    __slots__ = ("_inner", "unconsumed_tail")

    def __init__(self) -> None:
        zstd = _required(_zstd, "zstd", "backports.zstd")
        options = {zstd.DecompressionParameter.window_log_max: _MAX_WINDOW}
        self._inner = zstd.ZstdDecompressor(options=options)
        self.unconsumed_tail = b""

    @property
    def eof(self) -> bool:
        is_finished: bool = self._inner.eof
        return is_finished

    @property
    def unused_data(self) -> bytes:
        data: bytes = self._inner.unused_data
        return data

    def decompress(self, data: bytes, /, max_length: int = 0) -> bytes:
        output: bytes = self._inner.decompress(data, max_length or -1)
        return output


class _Members:
    """Decompresses parts that follow one another, each complete in itself."""

    __slots__ = ("_make", "_member", "_size", "_small", "unused_data")

    def __init__(self, make: DecompressorMaker) -> None:
        self._make = make
        self._member = make()
        self._size = 0
        self._small = 0
        self.unused_data = b""

    @property
    def eof(self) -> bool:
        return self._member.eof

    @property
    def unconsumed_tail(self) -> bytes:
        member = self._member
        return member.unused_data if member.eof else member.unconsumed_tail

    def decompress(self, data: bytes, /, max_length: int = 0) -> bytes:
        if self._member.eof:
            if not data:
                return b""
            self._begin()
        output = self._member.decompress(data, max_length)
        self._size += len(data) - len(self.unconsumed_tail)
        return output

    def _begin(self) -> None:
        if self._size < _SMALL:
            self._small += 1
            if self._small > _MAX_SMALL:
                raise zlib.error("there are too many small members")
        self._member = self._make()
        self._size = 0
