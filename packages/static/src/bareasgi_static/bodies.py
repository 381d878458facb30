"""The bodies of large files: read a piece at a time, as fast as the client takes them.

A piece that the kernel has in memory is read at once: that takes less time than to hand
it to a thread and back. A thread is left to wait for the disk.
"""

import asyncio
import os
from collections import deque
from collections.abc import Iterable
from io import FileIO
from typing import Final, Self

from bareasgi_static.ranges import Piece

PIECE: Final = 256 * 1024
"""How many bytes of a file are in memory at a time, for each client."""

# Only Linux tells what it has in memory. Elsewhere this is no flag, and refused.
_NO_WAIT: Final[int] = getattr(os, "RWF_NOWAIT", -1)


class FileShrankError(Exception):
    """The file ended before the bytes that were announced. The response is cut."""


class FileBody:
    """Some pieces of an open file, as a body that is iterated once.

    The file is closed with the body, whether that was begun or not, and after a thread
    that still reads from it.
    """

    __slots__ = ("_file", "_left", "_piece", "_reading")

    def __init__(
        self, file: FileIO, pieces: Iterable[Piece], piece_size: int = PIECE
    ) -> None:
        self._file = file
        self._left = deque(pieces)
        self._piece = piece_size
        self._reading: asyncio.Future[bytes] | None = None

    def __aiter__(self) -> Self:
        """Go on from where it is: there is no second pass."""
        return self

    async def __anext__(self) -> bytes:
        """Give the next bytes. Raises FileShrankError when they are not there."""
        while self._left:
            piece = self._left.popleft()
            if isinstance(piece, bytes):
                return piece
            if piece:
                data = await self._read(piece[: self._piece])
                self._left.appendleft(piece[len(data) :])
                return data
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close the file, now or when the thread that reads from it is done."""
        self._left.clear()
        if self._reading is None or self._reading.done():
            self._file.close()
        else:
            self._reading.add_done_callback(self._close_after)

    async def _read(self, part: range) -> bytes:
        descriptor = self._file.fileno()
        if _is_in_memory(descriptor, part):
            data = os.pread(descriptor, len(part), part.start)
        else:
            loop = asyncio.get_running_loop()
            self._reading = loop.run_in_executor(
                None, os.pread, descriptor, len(part), part.start
            )
            # The thread goes on when this is cancelled, and must have its file.
            data = await asyncio.shield(self._reading)
        if not data:
            raise FileShrankError(f"the file has no byte {part.start} any more")
        return data

    def _close_after(self, reading: asyncio.Future[bytes]) -> None:
        if not reading.cancelled():
            reading.exception()  # else it would be logged: nobody asked for it
        self._file.close()


def _is_in_memory(descriptor: int, part: range) -> bool:
    """Whether the kernel need not wait for the disk to read these bytes.

    It reads files in order and ahead: when it has the first and the last of them, it
    has those between.
    """
    probe = [bytearray(1)]
    try:
        os.preadv(descriptor, probe, part[-1], _NO_WAIT)
        os.preadv(descriptor, probe, part[0], _NO_WAIT)
    except (OSError, NotImplementedError):
        # It would have to wait, or the file system or the kernel cannot tell.
        return False
    return True
