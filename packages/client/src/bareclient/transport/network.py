"""Carries requests over the network, in the pool of httpcore2.

The body of an answer owns its connection until it was read to its end, failed, or was
closed; then the connection goes back to the pool, or is closed where something is left
on it.
"""

import ssl
from collections.abc import AsyncIterable
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from typing import Any, Final, cast
from urllib.parse import unquote_to_bytes, urlsplit

import httpcore2

from bareasgi import Content, FullHttpResponse, Info, RouteMatches, Scope
from bareclient.content import Upload, close
from bareclient.errors import ProtocolError
from bareclient.fields import answer_fields, find
from bareclient.request import framed, target, url_of
from bareclient.response import NO_BODY
from bareclient.settings import Limits, Timeouts
from bareclient.transport.body import OwnedBody
from bareclient.transport.failures import FAILURES, translated
from bareclient.transport.leftovers import drop_surplus, extension, reset_stream
from bareclient.transport.sockets import SocketBackend

_VERSIONS: Final = {b"HTTP/1.0": "1.0", b"HTTP/1.1": "1.1", b"HTTP/2": "2"}
_WITHOUT_BODY: Final = frozenset({204, 304})
_FINAL: Final = range(200, 600)
_PROXIES: Final = frozenset({"http", "https", "socks5", "socks5h"})


class NetworkTransport:
    """Sends requests over TCP, or over a Unix socket.

    Certificates are verified against those that the system trusts, or as `ssl_context`
    says. HTTP/2 is spoken with servers that agree to it during the TLS handshake; with
    `http1=False` it is spoken without asking, also without TLS. `proxy` is the URL of a
    proxy: `http://`, `https://`, or `socks5://`, which needs the extra `socks`; a user
    and password in it are sent to the proxy. `proxy_ssl_context` is for one behind TLS.
    `local_address` is where connections come from, `uds` the path of a Unix socket to
    connect to whatever the host.

    Raises ValueError for a proxy or versions that make no sense, and RuntimeError where
    an extra is missing.

    Attributes:
        ssl_context: what certificates are verified with.
        http1: whether HTTP/1.1 may be spoken.
        http2: whether HTTP/2 may be spoken.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        ssl_context: ssl.SSLContext | None = None,
        http1: bool = True,
        http2: bool = True,
        proxy: str | None = None,
        proxy_ssl_context: ssl.SSLContext | None = None,
        local_address: str | None = None,
        uds: str | None = None,
    ) -> None:
        if not http1 and not http2:
            raise ValueError("allow http1 or http2, or both")
        self.ssl_context: ssl.SSLContext = ssl_context or _default_context(
            has_http2=http2
        )
        self.http1: bool = http1
        self.http2: bool = http2
        self._is_told_by_text = proxy is not None and proxy.startswith("http")
        self._limits = limits or Limits()
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=self.ssl_context,
            proxy=None if proxy is None else _proxy(proxy, proxy_ssl_context),
            max_connections=self._limits.connections,
            max_keepalive_connections=self._limits.keep_alive,
            keepalive_expiry=self._limits.keep_alive_expiry,
            http1=http1,
            http2=http2,
            local_address=local_address,
            uds=uds,
            network_backend=SocketBackend(),
        )

    async def __call__(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> FullHttpResponse:
        """Send the whole of a request, and give the answer once its header is there.

        Sets the scope's `http_version`. Raises ClientError and what the content raises.
        """
        scope["exchange"].scope = scope
        fields, body = await framed(scope, content, is_sent_first=True)
        timeouts: Timeouts = scope["timeouts"]
        host, port = scope["server"]
        extensions: dict[str, Any] = {"timeout": timeouts.by_name}
        if self._is_told_by_text and ":" in host:
            # httpcore2 writes the host into a URL as it is, and takes it for the name
            # in the certificate.
            extensions["sni_hostname"] = host
            host = f"[{host}]"
        request = httpcore2.Request(
            scope["method"],
            httpcore2.URL(
                scheme=scope["scheme"], host=host, port=port, target=target(scope)
            ),
            headers=fields,
            content=body,
            extensions=extensions,
        )
        try:
            answer = await self._pool.handle_async_request(request)
        except FAILURES as error:
            if isinstance(body, Upload) and body.failure is error:
                raise
            raise translated(error, url_of(scope)) from error
        return await self._answer(scope, request, answer)

    async def aclose(self) -> None:
        """Close all connections, also those of answers that are not read yet."""
        await self._pool.aclose()

    async def _answer(
        self, scope: Scope, request: httpcore2.Request, answer: httpcore2.Response
    ) -> FullHttpResponse:
        status = answer.status
        body = _Body(scope, request, answer)
        try:
            _check_status(status, scope)
            headers = answer_fields(answer.headers, self._limits)
            scope["http_version"] = _VERSIONS[extension(answer, "http_version")]
            if (
                scope["method"] != "HEAD"
                and status not in _WITHOUT_BODY
                and find(headers, b"content-length") != b"0"
            ):
                return status, headers, body, None
            # Nobody needs to close what is empty.
            await anext(body, None)
            await body.aclose()
        except BaseException:
            await body.aclose()
            raise
        return status, headers, NO_BODY, None


class _Body(OwnedBody):
    """The body of an answer from the network."""

    def __init__(
        self, scope: Scope, request: httpcore2.Request, answer: httpcore2.Response
    ) -> None:
        super().__init__(scope)
        self._request = request
        self._answer = answer
        self._chunks = aiter(cast(AsyncIterable[bytes], answer.stream))

    async def _next(self) -> bytes:
        try:
            return await anext(self._chunks)
        except FAILURES as error:
            raise translated(error, url_of(self._scope)) from error

    async def _end(self) -> None:
        await drop_surplus(self._answer)
        await self._answer.aclose()

    async def _abandon(self) -> None:
        await reset_stream(self._answer, self._request)
        # It is running where a task closes what another one reads.
        with suppress(*FAILURES, RuntimeError):
            await close(self._chunks)
        with suppress(*FAILURES):
            await self._answer.aclose()


def _check_status(status: int, scope: Scope) -> None:
    if status not in _FINAL:
        raise ProtocolError(f"{url_of(scope)}: the status is {status}")


def _proxy(url: str, ssl_context: ssl.SSLContext | None) -> httpcore2.Proxy:
    parts = urlsplit(url)
    if parts.scheme not in _PROXIES or not parts.hostname:
        raise ValueError(
            f"a proxy is http://host:port, https:// or socks5://, not {url!r}"
        )
    if parts.scheme.startswith("socks") and find_spec("socksio") is None:
        raise RuntimeError("install bareclient[socks] to use a SOCKS proxy")
    auth = None
    if parts.username is not None:
        auth = (
            unquote_to_bytes(parts.username),
            unquote_to_bytes(parts.password or ""),
        )
    return httpcore2.Proxy(
        httpcore2.URL(
            scheme=parts.scheme, host=parts.hostname, port=parts.port, target="/"
        ),
        auth=auth,
        ssl_context=ssl_context,
    )


@cache
def _default_context(*, has_http2: bool) -> ssl.SSLContext:
    """Make the context once: to load the certificates takes 20 ms.

    One for each answer, since httpcore2 writes what is negotiated into it.
    """
    return httpcore2.default_ssl_context()
