"""What is sent with a request: bytes in memory, or a stream that is read as it is sent.

httpcore2 may start a request anew on another connection, and so may a retry or a
redirect. Bytes are simply sent again. A stream that has begun is gone, and to send
what is left of it would be a lie: that is refused.
"""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from typing import Final, TypeAlias, cast

from bareasgi import Content, bytes_writer
from bareclient.errors import RefusedError, RequestError

Sendable: TypeAlias = bytes | AsyncIterable[bytes] | None
"""What a request takes as its content."""

NO_CONTENT: Final[Content] = bytes_writer(b"")
"""The content of a request without any."""

_InMemory: Final = type(NO_CONTENT)


class Upload:
    """A stream on its way, as the source of a request's body.

    Iterating over it again starts afresh where the source can do so, and raises
    RefusedError where it cannot.

    Attributes:
        failure: what the source raised, or None.
    """

    __slots__ = ("_first", "_has_begun", "_iterator", "_source", "failure")

    def __init__(self, source: AsyncIterable[bytes]) -> None:
        self._source = source
        self._iterator: AsyncIterator[bytes] | None = None
        self._first = b""
        self._has_begun = False
        self.failure: Exception | None = None

    @property
    def can_begin(self) -> bool:
        """Whether it can be sent from its start."""
        return not self._has_begun or aiter(self._source) is not self._source

    async def is_empty(self) -> bool:
        """Wait for the first chunk, and tell whether there is none."""
        if self._iterator is None:
            self._iterator = aiter(self._source)
        while not self._first:
            try:
                self._first = _to_bytes(await anext(self._iterator))
            except StopAsyncIteration:
                return True
        return False

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        if not self.can_begin:
            self.failure = RefusedError("a part of the content was sent, and is gone")
            raise self.failure
        if self._has_begun or self._iterator is None:
            self._iterator, self._first = aiter(self._source), b""
        self._has_begun = True
        first, self._first = self._first, b""
        try:
            if first:
                yield first
            async for chunk in self._iterator:
                if chunk:
                    yield _to_bytes(chunk)
        except Exception as error:
            self.failure = error
            raise
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Close the iterator, and the source if that is another object."""
        iterator, self._iterator = self._iterator, None
        if iterator is not None and iterator is not self._source:
            await close(iterator)
        await close(self._source)


def as_content(given: Sendable) -> Content:
    """Take what a caller gives as a handler takes its content.

    Raises RequestError for anything but bytes and async iterables.
    """
    content = cast(object, given)
    match content:
        case None:
            return NO_CONTENT
        case bytes() | bytearray() | memoryview():
            return bytes_writer(cast(bytes, content))
        case AsyncIterable():
            stream = cast(AsyncIterable[bytes], content)
            return stream if is_in_memory(stream) else Upload(stream)
        case _:
            raise RequestError(
                "content must be bytes or an async iterable of bytes, not"
                f" {type(content).__name__}; text_writer makes one of str"
            )


def is_in_memory(content: Content) -> bool:
    """Whether it is what `bytes_writer` and `text_writer` make of a whole."""
    return type(content) is _InMemory


def can_resend(content: Content) -> bool:
    """Whether the content can be sent from its start, perhaps once more."""
    if isinstance(content, Upload):
        return content.can_begin
    return aiter(content) is not content


async def close(closing: object) -> None:
    """Call `aclose`, where there is one."""
    aclose = getattr(closing, "aclose", None)
    if aclose is not None:
        await aclose()


def _to_bytes(chunk: object) -> bytes:
    if isinstance(chunk, bytes):
        return chunk
    if isinstance(chunk, (bytearray, memoryview)):
        return bytes(cast(bytes, chunk))
    raise TypeError(f"content must produce bytes, not {type(chunk).__name__}")
