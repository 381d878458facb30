"""Makes requests again that failed, where that can do no harm."""

import asyncio
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import random
from typing import Final

from bareasgi import (
    Content,
    Headers,
    HttpMiddleware,
    HttpResponse,
    Info,
    NextHandler,
    RouteMatches,
    Scope,
)
from bareclient.content import can_resend
from bareclient.errors import (
    ClientError,
    ConnectError,
    ConnectTimeoutError,
    CutError,
    ReadError,
    ReadTimeoutError,
    RefusedError,
    StreamResetError,
    WriteError,
    WriteTimeoutError,
)
from bareclient.fields import find
from bareclient.middleware.discarding import discard

# RFC 9110, section 9.2.2.
_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})

# The server has not begun with the request: whatever it is, nothing has happened.
_NOT_BEGUN: Final = (ConnectError, ConnectTimeoutError, RefusedError)

# It may have: only what may happen twice is made again.
_BROKEN: Final = (
    CutError,
    ReadError,
    ReadTimeoutError,
    StreamResetError,
    WriteError,
    WriteTimeoutError,
)
_STATUSES: Final = frozenset({429, 502, 503, 504})


def retries(
    attempts: int = 2, *, backoff: float = 0.1, longest: float = 30.0
) -> HttpMiddleware:
    """Make a request up to so many times again.

    Whatever its method when no connection was made, or when the server refused it
    unprocessed (RFC 9113, section 8.7). When the connection broke or the answer is a
    429, 502, 503 or 504, only if the method is idempotent, or the request has an
    `idempotency-key`. Never when its content is a stream that has begun.

    The pause is what `retry-after` says (RFC 9110, section 10.2.3), else `backoff`
    seconds, doubled each time, less up to a half by chance. An answer that asks for
    more than `longest` seconds is given as it is, and so is the last one. A body that
    breaks after its start is not retried.

    Raises ValueError for numbers that are negative.
    """
    if min(attempts, backoff, longest) < 0:
        raise ValueError("attempts, backoff and longest must not be negative")

    async def retry(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        for attempt in range(attempts):
            pause = backoff * 2**attempt * (1 - random() / 2)  # noqa: S311 - no secret
            headers = scope["headers"]
            try:
                response = await handler(scope, info, matches, content)
            except ClientError as error:
                if not _may_repeat(error, scope, content):
                    raise
            else:
                if response[0] not in _STATUSES or not _is_repeatable(scope, content):
                    return response
                asked = _retry_after(response[1])
                pause = pause if asked is None else asked
                if pause > longest:
                    return response
                await discard(response[2])
            scope["headers"] = headers
            await asyncio.sleep(pause)
        return await handler(scope, info, matches, content)

    return retry


def _may_repeat(error: ClientError, scope: Scope, content: Content) -> bool:
    if isinstance(error, _NOT_BEGUN):
        return can_resend(content)
    return isinstance(error, _BROKEN) and _is_repeatable(scope, content)


def _is_repeatable(scope: Scope, content: Content) -> bool:
    is_idempotent = (
        scope["method"] in _IDEMPOTENT
        or find(scope["headers"], b"idempotency-key") is not None
    )
    return is_idempotent and can_resend(content)


def _retry_after(headers: Headers) -> float | None:
    """Give the seconds to wait, or None when the server does not say, or mumbles."""
    value = find(headers, b"retry-after")
    if value is None:
        return None
    if value.isdigit():
        return float(value[:18])
    try:
        date = parsedate_to_datetime(value.decode("latin-1"))
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())
