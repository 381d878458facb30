"""The parts of a `multipart/form-data` body, in the order of their arrival.

RFC 7578. What comes before the first part and after the last is not looked at.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final, NamedTuple, Protocol, TypeAlias

# It has neither stubs nor a marker: what is used of it is typed below.
import multipart  # type: ignore[import-untyped] # pyright: ignore[reportMissingTypeStubs]

from bareasgi import Content, Headers
from bareasgi_graphql.errors import RequestError

_HEADER_BYTES: Final = 2048
_HEADERS: Final = 8

# RFC 2046, section 5.1.1. With some of these characters it must be quoted.
_BOUNDARY: Final = re.compile(
    rb";[ \t]*boundary="
    rb"""(?:"([\w'()+,./:=? -]{1,70})"|([\w'+.-]{1,70}))[ \t]*(?=;|\Z)""",
    re.ASCII | re.IGNORECASE,
)
_LONGEST_NUMBER: Final = 20


class Part(NamedTuple):
    """What a part's headers tell of it.

    Attributes:
        name: of the field, which may be empty.
        filename: as the client says.
        content_type: as the client says, in lower case and without parameters.
    """

    name: str
    filename: str | None
    content_type: str | None


class _Segment(Protocol):
    name: str | None
    filename: str | None
    content_type: str | None


_Event: TypeAlias = _Segment | bytes | bytearray | None


class _Parser(Protocol):
    closed: bool

    def parse(self, chunk: bytes, /) -> Iterator[_Event]: ...

    def close(self) -> None: ...


_make_parser: Final[Callable[..., _Parser]] = multipart.PushMultipartParser


class FormData:
    """A form that is being received. It is read once, part by part.

    Reading it raises RequestError, which is a 400, for what is no such form, and a 413
    as soon as it has over `max_bytes` bytes, before the first is read when the client's
    content-length says so. None lifts the limit. Raises HttpDisconnectError when the
    client leaves before the end.
    """

    def __init__(
        self, headers: Headers, content: Content, *, max_bytes: int | None
    ) -> None:
        self._max_bytes = max_bytes
        self._size = 0
        self._check_size(announced_length(headers))
        self._chunks: AsyncIterator[bytes] = aiter(content)
        self._parser = _make_parser(
            _boundary(headers),
            max_header_size=_HEADER_BYTES,
            max_header_count=_HEADERS,
        )
        self._events: Iterator[_Event] = iter(())

    async def next_part(self) -> Part | None:
        """Give the next part, when the one before was read; None after the last."""
        event = await self._next()
        if event is None:
            return None
        if isinstance(event, bytes | bytearray):
            raise TypeError("the part before was not read to its end")
        return Part(event.name or "", event.filename, event.content_type)

    async def next_chunk(self) -> bytes | None:
        """Give what has arrived of the part, and None at its end."""
        event = await self._next()
        return bytes(event) if isinstance(event, bytes | bytearray) else None

    async def _next(self) -> _Event:
        """Give what the parser finds next. None ends a part, and then the form."""
        try:
            while True:
                for event in self._events:
                    return event
                chunk = await anext(self._chunks, None)
                if chunk is None:
                    self._parser.close()
                    return None
                self._size += len(chunk)
                self._check_size(self._size)
                if chunk and not self._parser.closed:
                    self._events = self._parser.parse(chunk)
        except multipart.MultipartError as error:
            reason = error.args[0]
        raise RequestError(f"The form cannot be read: {reason}")

    def _check_size(self, size: int) -> None:
        if self._max_bytes is not None and size > self._max_bytes:
            raise RequestError(
                f"The request is longer than {self._max_bytes} bytes", 413
            )


def _boundary(headers: Headers) -> bytes:
    """Find what is between the parts, in the only content type."""
    values = [value for name, value in headers if name == b"content-type"]
    found: list[tuple[bytes, bytes]] = _BOUNDARY.findall(b",".join(values))
    if len(values) != 1 or len(found) != 1:
        raise RequestError("The content type must have one boundary")
    quoted, plain = found[0]
    return quoted or plain


def announced_length(headers: Headers) -> int:
    """Tell how many bytes the client means to send, as far as it says so."""
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value[:_LONGEST_NUMBER])
    return 0
