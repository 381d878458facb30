"""An answer: what a handler would return, and ways to read it."""

import codecs
import json
import re
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Coroutine,
    Generator,
    KeysView,
)
from http import HTTPStatus
from typing import Any, Final, Self, SupportsIndex, overload

from bareasgi import (
    Body,
    FullHttpResponse,
    Header,
    Headers,
    Pushes,
    Scope,
    bytes_writer,
)
from bareclient.content import close, is_in_memory
from bareclient.errors import BodyTooLargeError, DecodingError, StatusError
from bareclient.event_stream import ServerEvent, read_events
from bareclient.fields import find
from bareclient.request import url_of
from bareclient.settings import Limits

NO_BODY: Final[Body] = bytes_writer(b"")
"""The body of an answer without any."""

_CHARSET: Final = re.compile(rb'charset="?([^\s;"]+)', re.IGNORECASE)
_SUCCESSFUL: Final = range(200, 300)
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}


class Response(tuple[int, Headers, Body, Pushes | None]):  # noqa: SLOT001 - see below
    """An answer: the tuple that a handler returns, with attributes.

    Its body owns the connection, and gives it back when it was read to its end or
    closed. A handler may return the answer as it is; then the server does that.
    Otherwise `async with client.request(...)` does, or `aclose`.

    It reads as a mapping too, with the keys of older versions: `status_code`,
    `headers`, `body`, `more_body`, `url` and `http_version`.

    Attributes:
        status: the status code.
        headers: the fields, with names in lower case, without those that concern the
            connection only.
        body: one pass over the chunks, as they arrive.
        pushes: what the application pushed, from `AsgiTransport` only.
    """

    # A tuple cannot have slots of its own: these are in its `__dict__`.
    status: int
    headers: Headers
    body: Body
    pushes: Pushes | None
    _scope: Scope
    _limits: Limits
    _data: bytes | None

    def __new__(cls, response: FullHttpResponse, scope: Scope, limits: Limits) -> Self:
        """Make one of what a handler returned, and of the scope it was called with."""
        status, headers, body, pushes = response
        if body is None:
            body = NO_BODY
        self = super().__new__(cls, (status, headers, body, pushes))
        self.status = status
        self.headers = headers
        self.body = body
        self.pushes = pushes
        self._scope = scope
        self._limits = limits
        self._data = None
        return self

    @property
    def url(self) -> str:
        """Where the answer came from, after all redirects."""
        return url_of(self._scope)

    @property
    def http_version(self) -> str:
        """The version that was spoken: "1.1" or "2", as in an ASGI scope."""
        version: str = self._scope["http_version"]
        return version

    @property
    def early_hints(self) -> list[bytes]:
        """The links of early hints (RFC 8297), from `AsgiTransport` only."""
        hints: list[bytes] = self._scope.get("early_hints", [])
        return hints

    @property
    def trailers(self) -> list[Header]:
        """The fields after the body (RFC 9110, section 6.5), once that was read.

        From `AsgiTransport` only.
        """
        trailers: list[Header] = self._scope.get("trailers", [])
        return trailers

    @property
    def status_code(self) -> int:
        """The status code, by its older name."""
        return self.status

    @property
    def reason(self) -> str:
        """What RFC 9110 calls the status; not what the server says."""
        return _PHRASES.get(self.status, "Unknown Status")

    @property
    def ok(self) -> bool:
        """Whether the status is from 200 to 299."""
        return self.status in _SUCCESSFUL

    @property
    def more_body(self) -> bool:
        """Whether there may be a body to read."""
        return not is_in_memory(self.body)

    def raw(self) -> "RawBody":
        """Give the body as it is: to iterate over, or to await as bytes.

        Awaited it raises BodyTooLargeError for more bytes than the client's limit, and
        ClientError when the answer is not whole; either way the body is closed. What
        was read is kept, for `text` and `json` as well.
        """
        return RawBody(self.body, self._read)

    async def text(self, encoding: str | None = None) -> str:
        """Read the body as text.

        In the charset of the content type unless an encoding is given, else in UTF-8.
        Raises UnicodeDecodeError, DecodingError for a charset that Python lacks, and
        what `raw` raises.
        """
        data = await self.raw()
        return data.decode(encoding or self._charset())

    async def json(self, loads: Callable[[bytes], Any] = json.loads) -> Any:
        """Read the body as JSON. Raises what `loads` and `raw` raise."""
        return loads(await self.raw())

    def events(self) -> AsyncGenerator[ServerEvent, None]:
        """Read the body as an event stream, as `read_events` does."""
        return read_events(self.body, max_bytes=self._limits.event)

    def raise_for_status(self) -> None:
        """Raise StatusError unless the status is from 200 to 299.

        The body is left as it is: to be read, or to be closed.
        """
        if not self.ok:
            raise StatusError(self.status, self.reason, self.url, self.headers)

    async def aclose(self) -> None:
        """Close the body, whether it was read or not."""
        await close(self.body)

    def keys(self) -> KeysView[str]:
        """Give the older keys."""
        return self._mapping().keys()

    def get(self, key: str, default: Any = None) -> Any:
        """Give the value of an older key, or the default."""
        return self._mapping().get(key, default)

    @overload
    def __getitem__(self, key: SupportsIndex, /) -> Any: ...
    @overload
    def __getitem__(self, key: slice, /) -> tuple[Any, ...]: ...
    @overload
    def __getitem__(self, key: str, /) -> Any: ...
    def __getitem__(self, key: Any, /) -> Any:
        if isinstance(key, str):
            return self._mapping()[key]
        parts: tuple[Any, ...] = (self.status, self.headers, self.body, self.pushes)
        return parts[key]

    def __contains__(self, key: object, /) -> bool:
        if isinstance(key, str):
            return key in self._mapping()
        return super().__contains__(key)

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.url}>"

    async def _read(self) -> bytes:
        if self._data is None:
            limit = self._limits.body
            chunks: list[bytes] = []
            size = 0
            try:
                async for chunk in self.body:
                    size += len(chunk)
                    if limit is not None and size > limit:
                        raise BodyTooLargeError(
                            f"the body of {self.url} is over {limit} bytes"
                        )
                    chunks.append(chunk)
            finally:
                await self.aclose()
            self._data = b"".join(chunks)
        return self._data

    def _mapping(self) -> dict[str, Any]:
        return {
            "status_code": self.status,
            "headers": self.headers,
            "body": self.body,
            "more_body": self.more_body,
            "url": self.url,
            "http_version": self.http_version,
        }

    def _charset(self) -> str:
        found = _CHARSET.search(find(self.headers, b"content-type") or b"")
        name = found[1].decode("latin-1") if found else "utf-8"
        try:
            return codecs.lookup(name).name
        except LookupError as error:
            raise DecodingError(f"unknown charset {name!r} of {self.url}") from error


class RawBody:
    """The body of an answer: chunks to iterate over, or bytes to await."""

    __slots__ = ("_body", "_read")

    def __init__(
        self, body: Body, read: Callable[[], Coroutine[Any, Any, bytes]]
    ) -> None:
        self._body = body
        self._read = read

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._body)

    def __await__(self) -> Generator[Any, None, bytes]:
        return self._read().__await__()
