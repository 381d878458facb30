"""Whether a request comes from a page of this site, or of one that is trusted."""

import re
from collections.abc import Iterable
from typing import Final

from bareasgi.types import Scope

# RFC 3986, section 3.2, without a user. Names are ASCII here, as browsers write them.
_AUTHORITY: Final = re.compile(
    r"(\[[0-9a-f:.]+\]|[a-z0-9._~-]+)(?::([0-9]{1,5}))?", re.IGNORECASE | re.ASCII
)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def same_origin(scope: Scope, allowed: Iterable[str] = ()) -> bool:
    """Tell whether a request, or a WebSocket's handshake, is from a page of this site.

    A browser says in `origin` which page a request comes from (RFC 6454, section 7; for
    WebSockets RFC 6455, section 10.2). True when it is absent, since then no browser
    sent the request from a page; when its host and port are those of the `host` header;
    and when it is one of `allowed`, exactly as browsers write it:
    `https://app.example`. A host without a port has the default port of the origin's
    scheme. An origin `null`, or more than one, is nobody's. Raises TypeError for a
    plain str as `allowed`.
    """
    if isinstance(allowed, str):
        raise TypeError(f"allowed origins must be a set: write {{{allowed!r}}}")
    origins = [value for name, value in scope["headers"] if name == b"origin"]
    if not origins:
        return True
    if len(origins) > 1:
        return False
    origin = origins[0].decode("latin-1")
    if origin in {*allowed}:
        return True
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    scheme, _, authority = origin.partition("://")
    port = _DEFAULT_PORTS.get(scheme)
    if port is None or len(hosts) != 1:
        return False
    here = _host_and_port(hosts[0].decode("latin-1"), port)
    return here is not None and here == _host_and_port(authority, port)


def _host_and_port(authority: str, default: int) -> tuple[str, int] | None:
    """Cut an authority, or give None when it has other parts than host and port."""
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        return None
    host, port = match.groups()
    return host.lower(), default if port is None else int(port)
