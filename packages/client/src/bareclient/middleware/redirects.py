"""Follows redirects (RFC 9110, section 15.4), and takes no credentials elsewhere."""

from typing import Final

from bareasgi import (
    Content,
    HttpMiddleware,
    HttpResponse,
    Info,
    NextHandler,
    RouteMatches,
    Scope,
)
from bareclient.content import NO_CONTENT, can_resend
from bareclient.errors import RedirectError, RequestError
from bareclient.fields import find, without, without_credentials
from bareclient.middleware.discarding import discard
from bareclient.request import aim, url_of
from bareclient.url import parse_url

_FOLLOWED: Final = frozenset({301, 302, 303, 307, 308})
_SEE_OTHER: Final = 303
_REWRITTEN: Final = frozenset({301, 302})
_ABOUT_CONTENT: Final = (
    b"content-encoding",
    b"content-language",
    b"content-length",
    b"content-location",
    b"content-type",
)


def redirects(limit: int = 20) -> HttpMiddleware:
    """Follow up to so many redirects; further ones raise RedirectError.

    A 303 is followed by GET, and so are 301 and 302 after POST, as browsers do. Others
    keep method and content: RedirectError if the content cannot be sent again, and for
    a location that cannot be followed. On the way to another origin, that is scheme,
    host or port, the fields `authorization` and `cookie` are dropped for good. A
    redirect without a location is the answer.

    The scope becomes that of the last request. Put this inside of middlewares that add
    credentials, where they add them once.
    """

    async def follow(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        followed = 0
        while True:
            response = await handler(scope, info, matches, content)
            status, headers, body, _ = response
            location = find(headers, b"location")
            if status not in _FOLLOWED or location is None:
                return response
            await discard(body)
            if followed == limit:
                raise RedirectError(f"more than {limit} redirects, at {url_of(scope)}")
            followed += 1
            content = _redirect(scope, status, location, content)

    return follow


def _redirect(scope: Scope, status: int, location: bytes, content: Content) -> Content:
    """Make the scope that of the next request, and give its content."""
    here = url_of(scope)
    try:
        url = parse_url(location.decode(errors="replace"), here)
    except RequestError as error:
        raise RedirectError(f"{here} redirects to what is no URL: {error}") from error
    headers = scope["headers"]
    if (url.scheme, (url.host, url.port)) != (scope["scheme"], scope["server"]):
        headers = without_credentials(headers)
        scope["is_redirected_away"] = True
    method: str = scope["method"]
    if (status == _SEE_OTHER and method not in ("GET", "HEAD")) or (
        status in _REWRITTEN and method == "POST"
    ):
        scope["method"], content = "GET", NO_CONTENT
        headers = without(headers, *_ABOUT_CONTENT)
    elif not can_resend(content):
        raise RedirectError(f"{here} redirects to {url}, but its content was sent")
    scope["headers"] = headers
    aim(scope, url)
    return content
