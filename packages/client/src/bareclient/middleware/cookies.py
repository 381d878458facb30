"""Keeps cookies, in the jar of the standard library, by the rules of RFC 6265."""

from email.message import Message as EmailMessage
from http.client import HTTPResponse
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from typing import Final, cast
from urllib.request import Request

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
from bareclient.fields import find
from bareclient.request import url_of

_MAX_BYTES: Final = 4096
_MAX_COOKIES: Final = 3000


class _Policy(DefaultCookiePolicy):
    """The rules of browsers, where they are stricter than those of old."""

    def set_ok(self, cookie: Cookie, request: Request) -> bool:
        """Whether the server may set this cookie."""
        is_secure = request.type == "https"
        name = cookie.name
        if len(name) + len(cookie.value or "") > _MAX_BYTES:
            return False
        if cookie.secure and not is_secure:
            return False
        if name.startswith(("__Secure-", "__Host-")) and not cookie.secure:
            return False
        if name.startswith("__Host-") and (
            cookie.domain_specified or cookie.path != "/"
        ):
            return False
        return super().set_ok(cookie, request)


def make_jar() -> CookieJar:
    """Make an empty jar that keeps to RFC 6265.

    A cookie without a domain goes to its own host only, none is set for a country's
    second level such as `co.uk`, secure ones are neither taken nor sent without TLS,
    and the prefixes `__Secure-` and `__Host-` are held to their promise. A cookie of
    more than 4096 bytes is not taken.
    """
    policy = _Policy(
        rfc2965=False,
        strict_domain=True,
        strict_ns_domain=DefaultCookiePolicy.DomainStrictNonDomain,
    )
    return CookieJar(policy)


def cookies(jar: CookieJar | None = None) -> HttpMiddleware:
    """Keep the cookies that servers set, and send them where they belong.

    In a jar of `make_jar` unless one is given. A request with a `cookie` field of its
    own sends the jar's after it. The jar holds up to 3000 cookies: when there are more,
    those of the domain that set them last are forgotten.
    """
    kept = make_jar() if jar is None else jar

    async def keep(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        # The URL is that of the request, whose scheme was checked.
        request = Request(url_of(scope))  # noqa: S310
        kept.add_cookie_header(request)
        sent = request.get_header("Cookie")
        headers: Headers = scope["headers"]
        if sent:
            scope["headers"] = _with_cookie(headers, sent.encode("latin-1"))
        try:
            response = await handler(scope, info, matches, content)
        finally:
            # A redirect must not take them along.
            scope["headers"] = headers
        _extract(kept, request, response[1])
        return response

    return keep


def _with_cookie(headers: Headers, value: bytes) -> Headers:
    own = find(headers, b"cookie")
    if own is not None:
        value = own + b"; " + value
    return [*(field for field in headers if field[0] != b"cookie"), (b"cookie", value)]


def _extract(jar: CookieJar, request: Request, headers: Headers) -> None:
    message = EmailMessage()
    for name, value in headers:
        if name == b"set-cookie":
            message.add_header("Set-Cookie", value.decode("latin-1"))
    if message:
        jar.extract_cookies(cast(HTTPResponse, _Answer(message)), request)
        if len(jar) > _MAX_COOKIES:
            for domain in {each.domain for each in jar if _is_of(each, request)}:
                jar.clear(domain)


def _is_of(cookie: Cookie, request: Request) -> bool:
    host = request.host.partition(":")[0]
    return host == cookie.domain or host.endswith(cookie.domain)


class _Answer:
    """As much of an answer as a jar asks for."""

    def __init__(self, message: EmailMessage) -> None:
        self._message = message

    def info(self) -> EmailMessage:
        """Give the fields."""
        return self._message
