"""Answers preflights, and gives every other answer the headers it needs."""

from logging import Logger, getLogger
from typing import Final, Unpack, overload

from bareasgi import (
    Content,
    Headers,
    HttpMiddleware,
    HttpResponse,
    Info,
    NextHandler,
    RouteMatches,
    Scope,
    error_response,
    text_writer,
)
from bareasgi_cors.origins import SEVERAL
from bareasgi_cors.policy import (
    ALLOW_CREDENTIALS,
    ALLOW_ORIGIN,
    VARY,
    CorsPolicy,
    PolicyOptions,
)
from bareasgi_cors.preflight import ORIGIN, Asked, read_preflight
from bareasgi_cors.refusal import PLAIN_TEXT, TEXT, RefusedError

logger: Final[Logger] = getLogger(__name__)

_MERGED: Final = frozenset({ALLOW_ORIGIN, ALLOW_CREDENTIALS, VARY})
"""What a handler may have set as well."""


@overload
def cors_middleware(policy: CorsPolicy) -> HttpMiddleware: ...
@overload
def cors_middleware(**options: Unpack[PolicyOptions]) -> HttpMiddleware: ...
def cors_middleware(
    policy: CorsPolicy | None = None, **options: Unpack[PolicyOptions]
) -> HttpMiddleware:
    """Make the middleware that enforces a policy, or one made of the options.

    Around the application it answers preflights for every path. Around a single route,
    list OPTIONS among the route's methods. Raises TypeError for a policy and options
    together, and what CorsPolicy raises.
    """
    if policy is None:
        policy = CorsPolicy(**options)
    elif options:
        raise TypeError(f"give a policy, or options, not both: {sorted(options)}")
    return _middleware(policy)


def _middleware(policy: CorsPolicy) -> HttpMiddleware:
    by_origin, unless_granted = policy.by_origin, policy.unless_granted

    async def call(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        if scope["method"] == "OPTIONS":
            asked = read_preflight(scope)
            if asked is not None:
                return await _answer(policy, asked, scope)
        # As `origin_of` does, without the call ("a simple request" in the benchmarks).
        origin = None
        for name, value in scope["headers"]:
            if name == ORIGIN:
                origin = value if origin is None else SEVERAL
        added = unless_granted
        try:
            if origin is not None:
                granted = by_origin.get(origin)
                added = granted or await policy.headers_for(origin, scope)
            status, headers, body, pushes = await handler(scope, info, matches, content)
        except Exception as error:  # noqa: BLE001 - whatever it is gets an answer
            # Here and not in the core, so that a page that may can read it.
            status, headers, body, pushes = error_response(error, scope)
        for name, _ in headers:
            if name in _MERGED:
                return status, _merged(headers, added), body, pushes
        return status, [*headers, *added], body, pushes

    return call


async def _answer(policy: CorsPolicy, asked: Asked, scope: Scope) -> HttpResponse:
    try:
        return 204, await policy.headers_for_preflight(asked, scope)
    except RefusedError as refusal:
        logger.debug("%s %r: %s", scope["method"], scope["path"], refusal)
        headers = [PLAIN_TEXT, policy.vary_on_preflight]
        return 400, headers, text_writer(TEXT)


def _merged(headers: Headers, added: Headers) -> Headers:
    """Put together what handler and policy both have a say in.

    The policy alone decides who is allowed. There is one `vary`, with each name once.
    """
    names: dict[bytes, bytes] = {}
    for name, value in (*headers, *added):
        if name == VARY:
            parts = (part.strip(b" \t") for part in value.split(b","))
            names.update((part.lower(), part) for part in parts if part)
    merged = [header for header in headers if header[0] not in _MERGED]
    merged += [header for header in added if header[0] != VARY]
    if names:
        # Beside `*` no name has a meaning (RFC 9110, section 12.5.5).
        merged.append((VARY, b"*" if b"*" in names else b", ".join(names.values())))
    return merged
