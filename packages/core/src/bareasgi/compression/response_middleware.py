"""Compresses responses for clients that accept it (RFC 9110, sections 8.4 and 12.5.3).

Outside of the handler and of every middleware that looks at bodies.
"""

import re
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Final

from bareasgi import (
    Body,
    Content,
    FullHttpResponse,
    Header,
    Headers,
    Info,
    NextHandler,
    RouteMatches,
    Scope,
    after_body,
    text_writer,
)
from bareasgi.closing import close_body
from bareasgi.compression.codings import (
    COMPRESSORS,
    Compressor,
    CompressorMaker,
    checked_makers,
)
from bareasgi.compression.compressed_body import CompressedBody, compressed
from bareasgi.extensions import WrappedBody, with_trailers
from bareasgi.negotiation import accepted_coding
from bareasgi.streaming import BufferedBody

MINIMUM_SIZE: Final = 512
"""How many bytes are worth the trouble. Below, the result is hardly ever smaller."""

_IDENTITY: Final = b"identity"
_AS_IT_IS: Final = (_IDENTITY,)
_VARY: Final = (b"vary", b"accept-encoding")
_NOT_MODIFIED: Final = 304
# Those of the successful ones that have no content, or a part of it.
_UNTOUCHED: Final = frozenset({204, 205, 206})

# What is true only of the bytes as they were.
_OF_THE_BYTES: Final = frozenset(
    {
        b"accept-ranges",
        b"content-digest",
        b"content-length",
        b"content-md5",
        b"digest",
        b"repr-digest",
    }
)
_COMPRESSIBLE: Final = re.compile(
    rb"[ \t]*(?:text/|[^;]*[/+](?:x-)?"
    rb"(?:ecmascript|javascript|json|ndjson|svg|wasm|xml)[ \t]*(?:;|$))",
    re.IGNORECASE,
)


class CompressionMiddleware:
    """Compresses responses with the coding that the client likes best.

    `compressors` has the makers of what compresses one body, such as
    `make_gzip_compressobj`, by the coding's name in lower case; where a client likes
    several alike, the first wins. What is in memory is compressed whole, and its length
    known. A stream is compressed as it goes, and each chunk sent at once.

    Only successful responses are compressed, if they have a body of at least
    `minimum_size` bytes or unknown length, a type that is text or like it or none, no
    content-encoding yet, and no `cache-control: no-transform`. For a client that
    refuses content as it is, size and type do not count, and 406 is the answer if it
    takes no coding of ours either. A strong etag becomes a weak one, and what is true
    of the plain bytes only is dropped: content-length, accept-ranges and digests. What
    could have been compressed has `accept-encoding` in its vary, a 304 too.

    Raises ValueError for a name that is no coding, for no compressors at all, and for a
    negative size; and what a maker raises, since each is tried.
    """

    def __init__(
        self,
        compressors: Mapping[bytes, CompressorMaker],
        minimum_size: int = MINIMUM_SIZE,
    ) -> None:
        self._makers = checked_makers(compressors)
        self._offered: tuple[bytes, ...] = (*compressors, _IDENTITY)
        if minimum_size < 0:
            raise ValueError(f"minimum_size must not be negative: {minimum_size}")
        self._minimum_size = minimum_size

    async def __call__(
        self,
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> FullHttpResponse:
        """Answer as the handler does, with a compressed body if that is wanted."""
        response = await handler(scope, info, matches, content)
        try:
            return await self._negotiated(scope, response)
        except BaseException:
            # Nobody else will: the one who asked does not get to see it.
            if response[2] is not None:
                await close_body(response[2])
            raise

    async def _negotiated(
        self, scope: Scope, response: FullHttpResponse
    ) -> FullHttpResponse:
        status, headers, body, pushes = response
        if status == _NOT_MODIFIED:
            headers = self._not_modified(scope["headers"], headers)
            return status, headers, body, pushes
        if body is None or not self._may_be_coded(scope, response):
            return response
        coding = accepted_coding(scope["headers"], self._offered)
        if coding is None:
            return _not_acceptable(body)
        if coding == _IDENTITY:
            return status, _varying(headers), body, pushes
        coded_headers = _coded_headers(headers, coding)
        if type(body) is BufferedBody:
            compressor = self._makers[coding]()
            coded = BufferedBody()
            coded.data = await compressed(body.data, compressor, is_last=True)
            coded.callbacks = body.callbacks
            coded_headers.append((b"content-length", b"%d" % len(coded.data)))
            return status, coded_headers, coded, pushes
        coded_stream = _coded_stream(body, self._makers[coding]())
        return status, coded_headers, coded_stream, pushes

    def _may_be_coded(self, scope: Scope, response: FullHttpResponse) -> bool:
        status, headers, body, _ = response
        if not 200 <= status < 300 or status in _UNTOUCHED:  # noqa: PLR2004 - 2xx
            return False
        size = len(body.data) if type(body) is BufferedBody else None
        if size == 0:
            return False
        is_worth_it = self._is_worth_it(headers, size)
        if is_worth_it is None:
            return False
        return is_worth_it or not accepted_coding(scope["headers"], _AS_IT_IS)

    def _is_worth_it(self, headers: Headers, size: int | None) -> bool | None:
        """Tell whether to compress, or None if that is out of the question."""
        is_compressible = True
        for name, value in headers:
            if name == b"content-type":
                is_compressible = not value or _is_compressible(value)
            elif name == b"content-length":
                if size is None and value.isdigit():
                    # Twenty digits are beyond any size.
                    size = int(value[:20])
            elif name == b"content-encoding" or (
                name == b"cache-control" and b"no-transform" in _tokens(value)
            ):
                return None
        return is_compressible and (size is None or size >= self._minimum_size)

    def _not_modified(self, request_headers: Headers, headers: Headers) -> Headers:
        """Give a 304 the fields of the whole response (RFC 9110, section 15.4.5)."""
        if not self._is_worth_it(headers, None):
            return headers
        # The client has a compressed one if it knows the etag as a weak one.
        known = b",".join(v for n, v in request_headers if n == b"if-none-match")
        return _varying(
            [
                _weakened(field)
                if field[0] == b"etag" and b"W/" + field[1] in known
                else field
                for field in headers
            ]
        )


def make_default_compression_middleware(
    *, minimum_size: int = MINIMUM_SIZE
) -> CompressionMiddleware:
    """Make the middleware with all codings there are.

    They are zstd and br where their modules are installed (`bareasgi[compression]`),
    gzip, and deflate, in this order where a client likes them alike.
    """
    return CompressionMiddleware(COMPRESSORS, minimum_size)


@lru_cache(maxsize=256)
def _is_compressible(content_type: bytes) -> bool:
    return _COMPRESSIBLE.match(content_type) is not None


def _coded_stream(body: Body, compressor: Compressor) -> Body:
    coded = CompressedBody(body, compressor)
    # A file that the server could send in its place is not compressed.
    if isinstance(body, WrappedBody) and body.trailers is not None:
        return with_trailers(coded, body.trailers)
    return coded


def _not_acceptable(body: Body) -> FullHttpResponse:
    headers = [(b"content-type", b"text/plain"), _VARY]
    # What was to be sent is closed when the response in its place is over.
    closing = after_body(text_writer("Not Acceptable"), partial(close_body, body))
    return 406, headers, closing, None


def _coded_headers(headers: Headers, coding: bytes) -> list[Header]:
    coded = [
        _weakened(field) if field[0] == b"etag" else field
        for field in headers
        if field[0] not in _OF_THE_BYTES
    ]
    coded.append((b"content-encoding", coding))
    return _varying(coded)


def _weakened(field: Header) -> Header:
    """Tell that what an etag stands for is not the same bytes any more."""
    name, value = field
    return (name, b"W/" + value) if value.startswith(b'"') else field


def _varying(headers: Headers) -> list[Header]:
    """Tell that the response depends on accept-encoding (RFC 9110, section 12.5.5)."""
    lines = [value for name, value in headers if name == b"vary"]
    if not lines:
        return [*headers, _VARY]
    if any(_tokens(line) & {b"*", b"accept-encoding"} for line in lines):
        return [*headers]
    merged = b", ".join(filter(None, [*lines, b"accept-encoding"]))
    others = [field for field in headers if field[0] != b"vary"]
    return [*others, (b"vary", merged)]


def _tokens(value: bytes) -> set[bytes]:
    return {each.strip(b" \t").lower() for each in value.split(b",")}
