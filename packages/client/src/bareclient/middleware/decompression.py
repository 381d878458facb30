"""Asks for compressed answers, and decodes them chunk by chunk, within bounds."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator, Sequence
from typing import Final

from bareasgi import (
    Body,
    Content,
    HttpMiddleware,
    HttpResponse,
    Info,
    NextHandler,
    RouteMatches,
    Scope,
)
from bareclient.content import close
from bareclient.errors import BodyTooLargeError
from bareclient.fields import find, members, without
from bareclient.middleware.decoders import Decoder, find_module, make_decoders
from bareclient.settings import MIB

MAX_DECODED: Final = 100 * MIB
"""How many bytes an answer may have when it was decoded, unless told otherwise."""

MAX_CODINGS: Final = 3
"""How many codings may lie on top of one another."""

_NOT_DECODED: Final = frozenset({204, 206, 304})


def decompression(max_bytes: int | None = MAX_DECODED) -> HttpMiddleware:
    """Ask for gzip, deflate and, where their extras are installed, br and zstd.

    The answer's body is decoded as it arrives, in pieces of at most 64 KiB, and its
    `content-encoding` and `content-length` are taken out. Answers in a coding that is
    not known, and parts of an answer (206), are left as they are. A request with an
    `accept-encoding` of its own keeps it.

    The body raises BodyTooLargeError over `max_bytes` decoded bytes, None for any
    number, and DecodingError for what is not in its coding, or ends too early.
    """
    decoders = make_decoders(find_module)
    accepted = (b"accept-encoding", b", ".join(decoders))
    known = {**decoders, b"x-gzip": decoders[b"gzip"]}  # RFC 9110, section 8.4.1.3

    async def decompress(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        if find(scope["headers"], b"accept-encoding") is None:
            scope["headers"] = [*scope["headers"], accepted]
        response = await handler(scope, info, matches, content)
        status, headers, body, pushes = response
        codings = members(headers, b"content-encoding")
        if (
            body is None
            or scope["method"] == "HEAD"
            or status in _NOT_DECODED
            or not 0 < len(codings) <= MAX_CODINGS
            or any(coding not in known for coding in codings)
        ):
            return response
        headers = without(headers, b"content-encoding", b"content-length")
        # What was applied last has to go first.
        chain = [known[coding]() for coding in reversed(codings)]
        return status, headers, _DecodedBody(body, chain, max_bytes), pushes

    return decompress


class _DecodedBody(AsyncIterator[bytes]):
    """A body, decoded. Closing it closes the one that it comes from."""

    def __init__(
        self, body: Body, chain: Sequence[Decoder], max_bytes: int | None
    ) -> None:
        self._body = body
        self._pieces = _decoded(body, chain, max_bytes)

    def __anext__(self) -> Awaitable[bytes]:
        return anext(self._pieces)

    async def aclose(self) -> None:
        """Stop decoding."""
        await self._pieces.aclose()
        await close(self._body)


async def _decoded(
    body: Body, chain: Sequence[Decoder], max_bytes: int | None
) -> AsyncGenerator[bytes, None]:
    size = 0
    try:
        async for chunk in body:
            for piece in _through(chain, chunk):
                size += len(piece)
                if max_bytes is not None and size > max_bytes:
                    raise BodyTooLargeError(
                        f"the body is over {max_bytes} bytes when it is decoded"
                    )
                yield piece
        for decoder in chain:
            decoder.finish()
    finally:
        await close(body)


def _through(chain: Sequence[Decoder], data: bytes) -> Iterator[bytes]:
    if not chain:
        yield data
        return
    for piece in chain[0].decode(data):
        yield from _through(chain[1:], piece)
