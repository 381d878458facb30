"""Writes the coded forms of the files in a folder beside them.

What is not worth it is left alone: files that do not shrink, kinds that are compressed
already, and forms that have the time of their file, which tells that they are those of
its present content.
"""

import os
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO, Final, TypeAlias

from bareasgi_static.content_types import is_compressible
from bareasgi_static.encodings import SUFFIXES

Encoder: TypeAlias = tuple[Callable[[bytes], bytes], Callable[[], bytes]]
"""Takes a piece, and ends: both give what can be written by then."""

MINIMUM_SIZE: Final = 512
"""Smaller files fit into one packet as they are."""

_PIECE: Final = 1024 * 1024
_GZIP: Final = 31
"""What zlib calls the format of gzip. It writes no time, so equal files stay equal."""


class MissingModuleError(Exception):
    """Something that is needed to compress is not installed."""


@dataclass
class Result:
    """What became of the coded forms.

    Attributes:
        written: how many were written.
        current: how many were there, and up to date.
        useless: how many would not have been smaller than their file.
        saved: how many bytes smaller those are that were written.
    """

    written: int = 0
    current: int = 0
    useless: int = 0
    saved: int = 0


def find_files(folder: str, minimum_size: int = MINIMUM_SIZE) -> Iterator[Path]:
    """Give the files worth compressing, in order.

    Symbolic links are not followed, and names that begin with a dot are passed over.
    """
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place, name)
            status = path.lstat()
            if (
                is_compressible(name)
                and not name.startswith(".")
                and stat.S_ISREG(status.st_mode)
                and status.st_size >= minimum_size
            ):
                yield path


def compress(
    paths: Iterable[Path],
    codings: Sequence[str],
    advance: Callable[[int], object],
) -> Result:
    """Write what is missing, and tell after each coded form how many bytes it was of.

    Raises MissingModuleError before anything is written.
    """
    makers = {coding: _maker(coding) for coding in codings}
    result = Result()
    for path in paths:
        size = path.stat().st_size
        for coding, maker in makers.items():
            _compress_file(
                path, path.with_name(path.name + SUFFIXES[coding]), maker, result
            )
            advance(size)
    return result


def needed(module: str) -> Any:
    """Import a module that only this command needs. Raises MissingModuleError."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingModuleError(
            f"{module} is not installed: python -m pip install"
            " 'bareasgi-static[compress]'"
        ) from error


def _compress_file(
    path: Path, sibling: Path, maker: Callable[[], Encoder], result: Result
) -> None:
    """Write a coded form of a file, unless it is there or not smaller.

    It appears at once and whole, with the rights and the time of the file. One that is
    there and would not be smaller is one of other content, and is removed.
    """
    status = path.stat()
    if _has_time(sibling, status.st_mtime_ns):
        result.current += 1
        return
    with ExitStack() as on_error:
        with (
            path.open("rb") as source,
            NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as target,
        ):
            coded = Path(target.name)
            on_error.callback(coded.unlink)
            size = sum(map(target.write, _encode(source, maker())))
        if size >= status.st_size:
            sibling.unlink(missing_ok=True)
            result.useless += 1
            return
        coded.chmod(stat.S_IMODE(status.st_mode))
        os.utime(coded, ns=(status.st_atime_ns, status.st_mtime_ns))
        coded.replace(sibling)
        on_error.pop_all()
    result.written += 1
    result.saved += status.st_size - size


def _encode(source: BinaryIO, encoder: Encoder) -> Iterator[bytes]:
    add, end = encoder
    while piece := source.read(_PIECE):
        yield add(piece)
    yield end()


def _maker(coding: str) -> Callable[[], Encoder]:
    """Give what makes an encoder that takes its time."""
    match coding:
        case "br":
            brotli = needed("brotli")

            def make() -> Encoder:
                compressor = brotli.Compressor(quality=11)
                return compressor.process, compressor.finish

        case "zstd":
            zstandard = needed("zstandard")

            def make() -> Encoder:
                compressor = zstandard.ZstdCompressor(level=19).compressobj()
                return compressor.compress, compressor.flush

        case _:

            def make() -> Encoder:
                compressor = zlib.compressobj(9, zlib.DEFLATED, _GZIP)
                return compressor.compress, compressor.flush

    return make


def _has_time(path: Path, modified_ns: int) -> bool:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_mtime_ns == modified_ns
