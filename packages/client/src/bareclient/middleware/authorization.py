"""Tells the server who asks, and nobody else."""

from collections.abc import Awaitable, Callable

from bareasgi import (
    Content,
    HttpMiddleware,
    HttpResponse,
    Info,
    NextHandler,
    RouteMatches,
    Scope,
)
from bareclient.fields import find, request_fields
from bareclient.url import basic


def basic_authorization(user: str, password: str) -> HttpMiddleware:
    """Send user and password, in UTF-8, with each request (RFC 7617).

    Raises ValueError for a colon in the user. Not for requests with an `authorization`
    of their own, nor after a redirect to another origin.
    """
    if ":" in user:
        raise ValueError(f"a user must not have a colon: {user!r}")
    value = basic(user.encode(), password.encode())

    async def give() -> bytes:
        return value

    return _authorization(give)


def bearer_authorization(token: str | Callable[[], Awaitable[str]]) -> HttpMiddleware:
    """Send a token with each request (RFC 6750), or what is awaited for each.

    Not for requests with an `authorization` of their own, nor after a redirect to
    another origin. Raises RequestError for a token with control characters.
    """

    async def give() -> bytes:
        text = token if isinstance(token, str) else await token()
        return b"Bearer " + text.encode()

    return _authorization(give)


def _authorization(give: Callable[[], Awaitable[bytes]]) -> HttpMiddleware:
    async def authorize(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        headers = scope["headers"]
        if find(headers, b"authorization") is None and not scope["is_redirected_away"]:
            field = request_fields([(b"authorization", await give())])
            scope["headers"] = [*headers, *field]
        return await handler(scope, info, matches, content)

    return authorize
