"""The files of a request: what resolvers are given, and where their bytes are."""

import asyncio
from collections.abc import AsyncGenerator
from tempfile import TemporaryFile
from threading import Lock
from typing import IO, Final, NoReturn

from graphql import GraphQLError, GraphQLScalarType, ValueNode

MEMORY: Final = 64 * 1024
"""How many bytes of a file are kept in memory before they go to the disk: 64 KiB."""


class StoredFile:
    """The bytes of one file: in memory while they are few, else in a temporary file.

    That has no name, so that nothing is left of it whatever becomes of the process. It
    is written and read in a thread, for a disk may be slow.

    Attributes:
        size: how many bytes it has.
    """

    def __init__(self) -> None:
        self.size: int = 0
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self._is_closed = False
        # A thread goes on when whoever waits for it is cancelled, and closes the file.
        self._lock = Lock()

    async def write(self, chunk: bytes) -> None:
        """Add to the file."""
        self.size += len(chunk)
        self._memory += chunk
        if len(self._memory) > MEMORY:
            await self._spill()

    async def end(self) -> None:
        """Finish writing. Before that nothing is read."""
        if self._file is not None:
            await self._spill()

    async def read(self, start: int, size: int) -> bytes:
        """Give at most `size` bytes. Raises ValueError when the file is closed."""
        if self._is_closed:
            raise ValueError("an upload can be read until its operation has ended")
        if self._file is None:
            return bytes(self._memory[start : start + size])
        return await asyncio.to_thread(self._read, self._file, start, size)

    def close(self) -> None:
        """Drop all bytes."""
        with self._lock:
            self._is_closed = True
            self._memory.clear()
            if self._file is not None:
                self._file.close()

    async def _spill(self) -> None:
        """Move what is in memory to the disk."""
        if self._file is None:
            self._file = TemporaryFile()  # noqa: SIM115 - `close` closes it
        data, self._memory = self._memory, bytearray()
        await asyncio.to_thread(self._write, self._file, data)

    def _write(self, file: IO[bytes], data: bytearray) -> None:
        with self._lock:
            file.write(data)
            file.flush()

    def _read(self, file: IO[bytes], start: int, size: int) -> bytes:
        with self._lock:
            file.seek(start)
            return file.read(size)


class Upload:
    """A file that came with a request, as resolvers are given it.

    It can be read until the operation has ended: then its bytes are gone. `async for`
    over it gives all of them in chunks of at most 64 KiB, each time from the start.

    Attributes:
        filename: what the client calls it, or None. It may be anything: never use it as
            a path.
        content_type: what the client says that it is, in lower case and without
            parameters, or None. It may be wrong.
        size: how many bytes it has.
    """

    def __init__(
        self, file: StoredFile, filename: str | None, content_type: str | None
    ) -> None:
        self.filename: str | None = filename
        self.content_type: str | None = content_type
        self.size: int = file.size
        self._file = file
        self._position = 0

    async def read(self, n: int = -1) -> bytes:
        """Read at most `n` bytes from where the last read ended, or all that are left.

        Gives b"" at the end. The same file elsewhere among the variables has a position
        of its own. Raises ValueError when the operation has ended.
        """
        start = self._position
        data = await self._file.read(start, self.size - start if n < 0 else n)
        self._position = start + len(data)
        return data

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        for start in range(0, self.size, MEMORY):
            yield await self._file.read(start, MEMORY)

    def __repr__(self) -> str:
        return f"<Upload {self.filename!r}, {self.size} bytes>"


def _coerce_input(value: object) -> Upload:
    if not isinstance(value, Upload):
        raise GraphQLError("Upload must be a file of a multipart request.")
    return value


def _refuse_literal(node: ValueNode) -> NoReturn:
    raise GraphQLError("Upload must be a variable, and cannot be written.", node)


def _refuse_output(value: object) -> NoReturn:
    raise GraphQLError("Upload cannot be part of a result.")


GraphQLUpload: Final[GraphQLScalarType] = GraphQLScalarType(
    "Upload",
    description="A file, sent beside the operation in a multipart request.",
    specified_by_url="https://github.com/jaydenseric/graphql-multipart-request-spec",
    coerce_output_value=_refuse_output,
    coerce_input_value=_coerce_input,
    coerce_input_literal=_refuse_literal,
)
"""The scalar of schemas that are made by hand: it takes `Upload`, and nothing else."""
