"""One request while it is measured, from its beginning to the end of its response."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from sys import exception
from time import perf_counter
from typing import Final, Self

from bareasgi import Body, HttpDisconnectError, Scope
from bareasgi_prometheus.metrics import Metrics, Requests, Series
from bareasgi_prometheus.naming import CANCELLED, FAILED
from bareasgi_prometheus.trace import exemplar_of

CONTENT_LENGTH: Final = b"content-length"

LEFT: Final = (asyncio.CancelledError, GeneratorExit, HttpDisconnectError)
"""What a body is ended with when nobody is there to get the rest of it."""

_NOT_SENT: Final = (*LEFT, OSError)
"""The same of bytes in memory, which cannot fail by themselves: only sending can."""

_DIGITS: Final = 18
"""How long a length may be. More is beyond any size."""


class Exchange:
    """A request whose response has been returned, until it is over.

    Attributes:
        first_byte: when there was the first byte of the body, or, without one, when the
            response was returned.
        size: how many bytes of the body there were so far.
        outcome: how it will have ended, unless something happens.
    """

    __slots__ = (
        "_requests",
        "_scope",
        "_started",
        "_status",
        "first_byte",
        "outcome",
        "size",
    )

    _requests: Requests | None

    def __init__(
        self,
        requests: Requests,
        scope: Scope,
        status: int,
        started: float,
        outcome: str,
        size: int = 0,
    ) -> None:
        self.first_byte: float = perf_counter()
        self._requests = requests
        self._scope = scope
        self._status = status
        self._started = started
        self.outcome: str = outcome
        self.size: int = size

    def over(self, left: tuple[type[BaseException], ...] = _NOT_SENT) -> None:
        """Count it: the response is over, and `sys.exception()` tells why.

        `left` are the exceptions that tell that nobody is there. Only the first call
        counts.
        """
        ended = perf_counter()
        requests = self._requests
        if requests is None:
            return
        self._requests = None
        error = exception()
        if error is not None:
            self.outcome = CANCELLED if isinstance(error, left) else FAILED
        requests.in_progress.dec()
        started = self._started
        # As `ended` does, without the call ("a greeting" in the benchmarks).
        series = requests.series.get((self._status, self.outcome))
        if series is None:
            series = requests.ended(self._status, self.outcome)
        series.count.inc()
        series.first_byte.observe(self.first_byte - started)
        series.response_size.observe(self.size)
        if requests.reads_headers:
            exemplar = _read_headers(requests.metrics, series, self._scope)
            series.duration.observe(ended - started, exemplar)
        else:
            series.duration.observe(ended - started)

    def __del__(self) -> None:
        # Whoever stands around may drop a response, and never close its body.
        if self._requests is not None:
            self.outcome = FAILED
            self.over()


class ObservedBody:
    """A streamed body whose chunks are counted as they pass, each when it comes.

    It is its own iterator, since a body is sent once. Closing it closes the iterator of
    the body, and then the body if that is another object.

    Attributes:
        is_complete: whether the last chunk has passed.
    """

    __slots__ = ("_body", "_exchange", "_iterator", "is_complete")

    def __init__(self, body: Body, exchange: Exchange) -> None:
        self._body = body
        self._exchange = exchange
        self._iterator: AsyncIterator[bytes]
        self.is_complete: bool = False

    def __aiter__(self) -> Self:
        """Begin with the body."""
        self._iterator = aiter(self._body)
        return self

    async def __anext__(self) -> bytes:
        """Give the next chunk."""
        try:
            chunk = await anext(self._iterator)
        except StopAsyncIteration:
            self.is_complete = True
            raise
        size = _size(chunk)
        if size:
            exchange = self._exchange
            if not exchange.size:
                exchange.first_byte = perf_counter()
            exchange.size += size
        return chunk

    async def aclose(self) -> None:
        """Close the body."""
        iterator = getattr(self, "_iterator", self._body)
        try:
            if iterator is not self._body:
                await _close(iterator)
        finally:
            await _close(self._body)


def content_length(value: bytes) -> int | None:
    """Read a length (RFC 9110, section 8.6), or None if it cannot be one."""
    return int(value) if value.isdigit() and len(value) <= _DIGITS else None


def _read_headers(
    metrics: Metrics, series: Series, scope: Scope
) -> dict[str, str] | None:
    """Count the size of a request, and give the exemplar for it, if it has them."""
    exemplar = None
    for name, value in scope["headers"]:
        if name == CONTENT_LENGTH:
            length = content_length(value)
            if length is not None:
                sizes = series.request_size or metrics.request_size(series)
                sizes.observe(length)
        elif name == b"traceparent" and metrics.has_exemplars:
            exemplar = exemplar_of(value)
    return exemplar


def _size(chunk: object) -> int:
    if isinstance(chunk, (bytes, bytearray)):
        return len(chunk)
    # Anything else is the sender's to refuse.
    return chunk.nbytes if isinstance(chunk, memoryview) else 0


async def _close(closing: AsyncIterable[bytes]) -> None:
    aclose: Callable[[], Awaitable[object]] | None = getattr(closing, "aclose", None)
    if aclose is not None:
        await aclose()
