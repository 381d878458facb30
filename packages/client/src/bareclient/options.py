"""The options of the older names, and what they mean to a client."""

import ssl
from collections.abc import Iterable, Sequence
from dataclasses import replace
from http.cookiejar import CookieJar
from typing import Final, TypedDict, Unpack

import httpcore2

from bareasgi import Headers, HttpHandler, HttpMiddleware
from bareclient.client import Client
from bareclient.settings import DEFAULT_TIMEOUTS, Limits, Timeouts, timeouts
from bareclient.transport.network import NetworkTransport

H2: Final = "h2"
HTTP1: Final = "http/1.1"


class Options(TypedDict, total=False):
    """What the older names take besides a request.

    `timeout`, `limits`, `follow_redirects`, `retries`, `cookies`, `middlewares` and
    `transport` are those of `Client`. `middleware` is an older name of `middlewares`,
    and `connect_timeout` one of the four timeouts. `ssl_context` is used as it is; or
    one is made that trusts the authorities of `cafile`, `capath` and `cadata`, and has
    the `ciphers` and `options`. `protocols` are those to agree on, of "h2" and
    "http/1.1". `loop` and `h11_bufsiz` are accepted, and mean nothing any more.
    """

    timeout: Timeouts | float | None
    limits: Limits
    follow_redirects: bool | int
    retries: int
    cookies: bool | CookieJar
    middlewares: Sequence[HttpMiddleware]
    transport: HttpHandler | None

    middleware: Sequence[HttpMiddleware] | None
    connect_timeout: float | None
    ssl_context: ssl.SSLContext | None
    cafile: str | None
    capath: str | None
    cadata: str | bytes | None
    ciphers: Iterable[str] | None
    options: Iterable[int] | None
    protocols: Iterable[str] | None
    loop: object
    h11_bufsiz: int


def make_client(
    base_url: str | None = None,
    headers: Headers | None = None,
    **options: Unpack[Options],
) -> Client:
    """Make the client that the options describe."""
    limits = options.get("limits", Limits())
    timeout = timeouts(options.get("timeout", DEFAULT_TIMEOUTS))
    if (connect := options.get("connect_timeout")) is not None:
        timeout = replace(timeout, connect=connect)
    return Client(
        base_url=base_url,
        headers=headers,
        timeout=timeout,
        limits=limits,
        follow_redirects=options.get("follow_redirects", False),
        retries=options.get("retries", 0),
        cookies=options.get("cookies", False),
        middlewares=options.get("middlewares") or options.get("middleware") or (),
        transport=options.get("transport") or _transport(limits, options),
    )


def _transport(limits: Limits, options: Options) -> NetworkTransport:
    protocols = options.get("protocols")
    # Those of a handshake, so that http:// is HTTP/1.1 whatever they are.
    return NetworkTransport(
        limits=limits,
        ssl_context=options.get("ssl_context") or _ssl_context(options),
        http2=protocols is None or H2 in protocols,
    )


def _ssl_context(options: Options) -> ssl.SSLContext | None:
    authorities = (
        options.get("cafile"),
        options.get("capath"),
        options.get("cadata"),
    )
    ciphers, flags = options.get("ciphers"), options.get("options")
    if not any(authorities) and ciphers is None and flags is None:
        return None
    context = httpcore2.default_ssl_context()
    if any(authorities):
        context.load_verify_locations(*authorities)
    if ciphers is not None:
        context.set_ciphers(":".join(ciphers))
    for flag in flags or ():
        context.options |= flag
    return context
