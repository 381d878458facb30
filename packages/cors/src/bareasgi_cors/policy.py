"""What other origins may do: origin, method and headers in, decision out.

All that can be is checked, encoded and decided when a policy is made. It keeps nothing
of a request, so that what one caller is told cannot reach the next.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypedDict

from bareasgi import Header, Headers, Scope
from bareasgi_cors.options import ANY, flag, tokens
from bareasgi_cors.origins import SEVERAL, AllowedOrigins, OriginCheck
from bareasgi_cors.preflight import ORIGIN, Asked, PreflightRules, read_preflight
from bareasgi_cors.refusal import RefusedError, quoted

ALLOW_ORIGIN: Final = b"access-control-allow-origin"
ALLOW_CREDENTIALS: Final = b"access-control-allow-credentials"
EXPOSE_HEADERS: Final = b"access-control-expose-headers"
VARY: Final = b"vary"

_BY_ORIGIN: Final[Header] = (VARY, b"Origin")


class PolicyOptions(TypedDict, total=False):
    """The options of a CorsPolicy, for the functions that make one."""

    allow_origins: Iterable[str] | OriginCheck | None
    allow_origin_regex: str | re.Pattern[str] | None
    allow_methods: Iterable[str] | None
    allow_headers: Iterable[str] | None
    allow_credentials: bool
    expose_headers: Iterable[str] | None
    max_age: int
    allow_private_network: bool


class CorsPolicy:
    """Which origins may do what, by the CORS protocol of the Fetch standard.

    `allow_origins` are origins exactly as browsers send them: `scheme://host[:port]`,
    or `null`. None, or `{"*"}`, is any. A function `(origin, scope)`, sync or async, is
    asked about each origin but `null`. `allow_origin_regex` must match an origin in
    full; without origins it decides alone, and with them either admits.

    `allow_methods` compare exactly. None is DELETE, GET, HEAD, OPTIONS, PATCH, POST and
    PUT, and `{"*"}` any.

    `allow_headers` are the request headers that pages may send besides the safelisted
    ones, in any case. None, or `{"*"}`, is any, `authorization` included.

    `allow_credentials` lets pages read answers to requests with cookies. It cannot go
    with any origin, a pattern that matches every site, or `"*"` in methods and exposed
    headers.

    `expose_headers` are the response headers that pages may read besides the safelisted
    ones; `{"*"}` is any.

    `max_age` is for how many seconds browsers may keep the answer to a preflight, and
    `allow_private_network` whether public sites may reach a private address.

    Raises TypeError or ValueError for options that cannot be meant, and says what to
    write instead.

    Attributes:
        by_origin: the headers to add to an answer, if it is no preflight's, for each
            origin that is listed.
        unless_granted: those for everyone else, if nothing else admits the origin.
        vary_on_preflight: the one that every answer to a preflight has.
    """

    by_origin: Mapping[bytes, Headers]
    unless_granted: Headers
    vary_on_preflight: Header

    def __init__(
        self,
        *,
        allow_origins: Iterable[str] | OriginCheck | None = None,
        allow_origin_regex: str | re.Pattern[str] | None = None,
        allow_methods: Iterable[str] | None = None,
        allow_headers: Iterable[str] | None = None,
        allow_credentials: bool = False,
        expose_headers: Iterable[str] | None = None,
        max_age: int = 600,
        allow_private_network: bool = False,
    ) -> None:
        self._origins = AllowedOrigins(allow_origins, allow_origin_regex)
        self._rules = PreflightRules(
            allow_methods,
            allow_headers,
            max_age,
            allow_private_network=flag("allow_private_network", allow_private_network),
        )
        self.vary_on_preflight = self._rules.vary
        exposed = tokens(
            "expose_headers", () if expose_headers is None else expose_headers
        )
        self._credentials: list[Header] = []
        if flag("allow_credentials", allow_credentials):
            _refuse_any(self._origins, self._rules, exposed)
            self._credentials = [(ALLOW_CREDENTIALS, b"true")]
        self._exposed: list[Header] = []
        if exposed:
            self._exposed = [(EXPOSE_HEADERS, ", ".join(exposed).encode())]
        # Nothing is left to be made for an origin that is listed.
        self.by_origin = {each: self._granted_to(each) for each in self._origins.listed}
        self.unless_granted = [_BY_ORIGIN]
        if self._origins.are_any:
            # Without an origin too: a cache may keep the answer for one who has one.
            self.unless_granted = [(ALLOW_ORIGIN, b"*"), *self._exposed]
        self._on_preflight = [
            *self._rules.headers,
            *self._credentials,
            self._rules.vary,
        ]

    async def allows(self, origin: str | bytes | None, scope: Scope) -> bool:
        """Tell whether an origin is allowed, written as the Origin header has it.

        So is None, which stands for a request without that header: no page sent it.
        Raises what the function raises that is asked about origins.
        """
        if origin is None:
            return True
        if isinstance(origin, str):
            origin = origin.encode("utf-8", "surrogatepass")
        return await self._origins.admit(origin, scope)

    async def explain(self, scope: Scope) -> str:
        """Say whether a request is granted, or which rule refused it.

        The text begins with `granted` or `refused`. It is for logs and tests: what the
        client sent is in it, quoted and shortened.
        """
        origin = origin_of(scope)
        if origin is None:
            return "granted: there is no Origin header, so no page of another origin"
        asked = read_preflight(scope)
        if asked is None and self._origins.are_any and scope["type"] == "http":
            return "granted: any origin is allowed"
        if not await self._origins.admit(origin, scope):
            return f"refused: {self._origins.refusal(origin)}"
        try:
            if asked is not None:
                self._rules.grant(asked)
        except RefusedError as refusal:
            return f"refused: {refusal}"
        return f"granted: the origin {quoted(origin)} is allowed"

    async def headers_for(self, origin: bytes, scope: Scope) -> Headers:
        """Give what the answer to a request with this origin gets, if no preflight."""
        if self._origins.are_any:
            return self.unless_granted
        if await self._origins.admit(origin, scope):
            return self._granted_to(origin)
        return self.unless_granted

    async def headers_for_preflight(self, asked: Asked, scope: Scope) -> Headers:
        """Give the headers that grant a preflight, or raise RefusedError.

        That grants nothing by itself: the request that follows has an origin too.
        """
        origin = asked[ORIGIN]
        if origin not in self.by_origin:
            if not await self._origins.admit(origin, scope):
                raise RefusedError(self._origins.refusal(origin))
            if self._origins.are_any:
                origin = b"*"
        granted = self._rules.grant(asked)
        return [(ALLOW_ORIGIN, origin), *granted, *self._on_preflight]

    def _granted_to(self, origin: bytes) -> Headers:
        return [
            (ALLOW_ORIGIN, origin),
            *self._credentials,
            *self._exposed,
            _BY_ORIGIN,
        ]


def origin_of(scope: Scope) -> bytes | None:
    """Read the origin. Where there are several it is SEVERAL, which nothing admits."""
    origin = None
    for name, value in scope["headers"]:
        if name == ORIGIN:
            origin = value if origin is None else SEVERAL
    return origin


def _refuse_any(
    origins: AllowedOrigins, rules: PreflightRules, exposed: Sequence[str]
) -> None:
    """Raise ValueError for what must not go with credentials.

    A page of any site could act as whoever visits it. To `*` browsers give another
    meaning then (Fetch, "CORS protocol and credentials").
    """
    if origins.include_every_site:
        raise ValueError(
            "allow_credentials with any origin lets every site act as its visitors:"
            " list the origins, for instance allow_origins={'https://example.com'}, or"
            " give a pattern that not every host matches as allow_origin_regex"
        )
    for option, has_wildcard in (
        ("allow_methods", rules.has_wildcard),
        ("expose_headers", ANY in exposed),
    ):
        if has_wildcard:
            raise ValueError(
                f"'*' in {option} means nothing where allow_credentials is True: write"
                " the names"
            )
