"""Decompresses what clients send compressed (RFC 9110, sections 8.4 and 15.5.16).

Outside of the handler and of every middleware that reads content.
"""

from collections.abc import Mapping

from bareasgi import (
    Content,
    FullHttpResponse,
    Headers,
    HttpError,
    Info,
    NextHandler,
    RouteMatches,
    Scope,
)
from bareasgi.compression.codings import (
    DECOMPRESSORS,
    DecompressorMaker,
    checked_makers,
)
from bareasgi.compression.decompressed_content import DecompressedContent
from bareasgi.negotiation import ALIASES
from bareasgi.streaming import MAX_BYTES


class DecompressionMiddleware:
    """Decompresses the content of requests while the handler reads it.

    `decompressors` has the makers of what decompresses one body, such as
    `make_gzip_decompressobj`, by the coding's name in lower case. The handler sees a
    copy of the scope without content-encoding and content-length. A coding that is not
    there, or more than one, is answered by 415 with the codings in `accept-encoding`.

    To read raises ContentTooLarge, which answers 413, when there are more than
    `max_bytes` bytes before or after, 2 MiB unless told otherwise and None for no
    limit; and HttpError 400 for what is malformed or cut short. About 64 KiB are made
    at a time, however much they stand for.

    Raises ValueError for a name that is no coding, for no decompressors at all, and for
    a negative limit; and what a maker raises, since each is tried.
    """

    def __init__(
        self,
        decompressors: Mapping[bytes, DecompressorMaker],
        *,
        max_bytes: int | None = MAX_BYTES,
    ) -> None:
        self._makers = checked_makers(decompressors)
        if max_bytes is not None and max_bytes < 0:
            raise ValueError(f"max_bytes must not be negative: {max_bytes}")
        self._max_bytes = max_bytes
        self._accepted: Headers = [(b"accept-encoding", b", ".join(decompressors))]

    async def __call__(
        self,
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> FullHttpResponse:
        """Call the handler with content that is not compressed any more."""
        codings = _codings(scope["headers"])
        if not codings:
            return await handler(scope, info, matches, content)
        # In the order in which they were applied. One is all that anybody uses.
        [coding, *others] = codings
        make = self._makers.get(coding)
        if make is None or others:
            raise HttpError(415, "Unsupported Media Type", self._accepted)
        plain = DecompressedContent(content, make(), self._max_bytes)
        return await handler(_without_coding(scope), info, matches, plain)


def make_default_decompression_middleware(
    *, max_bytes: int | None = MAX_BYTES
) -> DecompressionMiddleware:
    """Make the middleware with all codings there are.

    They are gzip and deflate, and zstd and br where their modules are installed
    (`bareasgi[compression]`).
    """
    return DecompressionMiddleware(DECOMPRESSORS, max_bytes=max_bytes)


def _codings(headers: Headers) -> list[bytes]:
    """Give the codings of the content, in lower case and by their newer names."""
    return [
        ALIASES.get(coding, coding)
        for name, value in headers
        if name == b"content-encoding"
        for each in value.split(b",")
        if (coding := each.strip(b" \t").lower()) not in {b"", b"identity"}
    ]


def _without_coding(scope: Scope) -> Scope:
    """Copy a scope, but for what is true of the compressed content only."""
    headers = [
        header
        for header in scope["headers"]
        if header[0] not in {b"content-encoding", b"content-length"}
    ]
    return {**scope, "headers": headers}
