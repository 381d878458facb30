"""URLs as they are sent: split, encoded and checked, once for each text."""

import re
from base64 import b64encode
from ipaddress import IPv6Address
from typing import Final, NamedTuple
from urllib.parse import quote, unquote, unquote_to_bytes, urljoin, urlsplit

import idna

from bareclient.errors import RequestError

PORTS: Final = {"http": 80, "https": 443}

_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]")
_HOST: Final = re.compile(r"[a-z0-9._~-]+")
_STRAY_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MAX_PORT: Final = 65_535

# What a path and a query may hold as it is, and what browsers leave alone besides
# (RFC 3986, section 3.3; WHATWG URL, section 1.3).
_PATH_SAFE: Final = "/%:@!$&'()*+,;=~|[]"
_QUERY_SAFE: Final = "/?%:@!$&'()*+,;=~|[]{}\\^`"


class Url(NamedTuple):
    """A URL in its parts, without its fragment, which is never sent.

    Attributes:
        scheme: "http" or "https".
        host: in lower case and ASCII; an IPv6 address without its brackets.
        port: the one that is connected to, whether the URL names it or not.
        path: decoded, as in an ASGI scope.
        raw_path: percent-encoded, never empty.
        query: percent-encoded, without the question mark.
        authority: host and port for the `host` field, without a default port.
        authorization: the user and password as a field's value, or None.
    """

    scheme: str
    host: str
    port: int
    path: str
    raw_path: bytes
    query: bytes
    authority: bytes
    authorization: bytes | None

    def __str__(self) -> str:
        query = f"?{self.query.decode()}" if self.query else ""
        path = self.raw_path.decode()
        return f"{self.scheme}://{self.authority.decode()}{path}{query}"


def parse_url(text: str, base: str | None = None) -> Url:
    """Split a URL, after joining it to a base (RFC 3986, section 5).

    What may not stand in a URL is percent-encoded as UTF-8, what is encoded already
    stays, and a host is written by the rules of IDNA 2008. Raises RequestError for
    control characters, for another scheme than http and https, and for what has no
    host, or one that cannot be.
    """
    if _CONTROLS.search(text):
        raise RequestError(f"a URL must not have control characters: {text!r}")
    try:
        parts = urlsplit(text if base is None else urljoin(base, text))
        port = parts.port
    except ValueError as error:
        raise RequestError(f"{text!r} is not a URL: {error}") from error
    if parts.scheme not in PORTS:
        raise RequestError(
            f"a URL must begin with http:// or https://, or be relative to a base_url:"
            f" {text!r}"
        )
    if port is not None and not 0 < port <= _MAX_PORT:
        raise RequestError(f"a port is from 1 to {_MAX_PORT}: {text!r}")
    if "\\" in parts.netloc:
        # Browsers take it for a slash: who reads on would connect to another host.
        raise RequestError(f"a host must not have a backslash: {text!r}")
    host = _host(parts.hostname or "", text)
    authority = f"[{host.partition('%')[0]}]" if ":" in host else host
    default_port = PORTS[parts.scheme]
    if port not in (None, default_port):
        authority += f":{port}"
    raw_path = _encoded(parts.path or "/", _PATH_SAFE)
    userinfo = parts.netloc.rpartition("@")[0]
    return Url(
        parts.scheme,
        host,
        port or default_port,
        unquote(raw_path),
        raw_path.encode(),
        _encoded(parts.query, _QUERY_SAFE).encode(),
        authority.encode(),
        _authorization(userinfo) if userinfo else None,
    )


def basic(user: bytes, password: bytes) -> bytes:
    """Give the value of the `authorization` field (RFC 7617)."""
    return b"Basic " + b64encode(user + b":" + password)


def _authorization(userinfo: str) -> bytes:
    user, _, password = userinfo.partition(":")
    return basic(unquote_to_bytes(user), unquote_to_bytes(password))


def _encoded(text: str, safe: str) -> str:
    return quote(_STRAY_PERCENT.sub("%25", text), safe=safe)


def _host(host: str, text: str) -> str:
    try:
        if ":" in host:
            IPv6Address(host)
            return host
        host = unquote(host, errors="strict")
        if not host.isascii():
            host = idna.encode(host, uts46=True).decode()
    except ValueError as error:
        raise RequestError(f"the host of {text!r} cannot be: {error}") from error
    if not _HOST.fullmatch(host):
        raise RequestError(f"the host of {text!r} cannot be")
    return host.lower()
