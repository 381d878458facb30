"""What an origin looks like, and which ones a policy admits.

An origin is `scheme://host[:port]`, or `null` for a page that has none to tell, such as
a file or a sandboxed frame (Fetch, "Origin header").
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from inspect import isawaitable
from ipaddress import IPv4Address, IPv6Address
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from bareasgi import Scope
from bareasgi_cors.options import ANY, texts
from bareasgi_cors.refusal import quoted, shown

OriginCheck: TypeAlias = Callable[[str, Scope], bool | Awaitable[bool]]
"""Tells whether an origin is allowed: `(origin, scope)`, sync or async."""

NULL: Final = b"null"
SEVERAL: Final = b"several"
"""Stands for more than one Origin header, of which a browser sends one at most."""

_MAX_LENGTH: Final = 512
"""More than any host name has, and little enough for any pattern to look at."""

# What browsers send; in telephones a page may come from `file://`.
_SENT: Final = re.compile(rb"[a-z][a-z0-9+.-]*://[a-z0-9._:\[\]-]*")

_HOST: Final = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_DEFAULT_PORTS: Final = {"ftp": 21, "http": 80, "https": 443, "ws": 80, "wss": 443}

# A pattern that matches all of these matches any site that somebody makes.
_UNRELATED: Final = ("a.example", "b-2.example.com", "c3.test", "xn--d.example.net")


class AllowedOrigins:
    """Which origins a policy admits: any, those listed, or those that a rule admits.

    Attributes:
        are_any: whether it is any origin.
        include_every_site: whether it is also the site that nobody has heard of, as far
            as can be seen: any origin, or a pattern that matches all there are.
        listed: the origins that are listed, as they are sent.
    """

    are_any: bool
    include_every_site: bool
    listed: frozenset[bytes]

    def __init__(
        self,
        origins: Iterable[str] | OriginCheck | None,
        pattern: str | re.Pattern[str] | None,
    ) -> None:
        self._pattern = None if pattern is None else _compiled(pattern)
        self._check = origins if callable(origins) else None
        names: list[str] = []
        if origins is not None and self._check is None:
            names = texts("allow_origins", origins)
        if ANY in names and ({*names} != {ANY} or pattern is not None):
            raise ValueError(
                "'*' in allow_origins is any origin, and stands alone: leave it out, or"
                " leave out the other origins and allow_origin_regex"
            )
        self.are_any = ANY in names or (origins is None and pattern is None)
        self.listed = frozenset(_listed(name) for name in names if name != ANY)
        self.include_every_site = self.are_any or _matches_all(self._pattern)
        self._rules = " or ".join(self._each_rule(names))

    async def admit(self, origin: bytes, scope: Scope) -> bool:
        """Whether the origin, as it was sent, is one of them.

        Pattern and function are asked only about what can be an origin, and never
        about `null`, which anybody's page can be.
        """
        if origin in self.listed:
            return True
        if self.are_any:
            return origin == NULL or _is_origin(origin)
        if (self._pattern is None and self._check is None) or not _is_origin(origin):
            return False
        text = origin.decode("ascii")
        if self._pattern is not None and self._pattern.fullmatch(text):
            return True
        if self._check is None:
            return False
        answer = self._check(text, scope)
        return bool(await answer if isawaitable(answer) else answer)

    def refusal(self, origin: bytes) -> str:
        """Say why an origin is not one of them."""
        if origin == SEVERAL:
            return "there are several Origin headers, and a browser sends one at most"
        if origin == NULL:
            return "the origin 'null' is granted only where allow_origins lists it"
        if not _is_origin(origin):
            return f"the origin {quoted(origin)} is not written as browsers write one"
        return f"the origin {quoted(origin)} is not admitted by {self._rules}"

    def _each_rule(self, names: list[str]) -> Iterable[str]:
        if self._check is not None:
            yield f"the function in allow_origins ({self._check!r})"
        elif names or self._pattern is None:
            yield f"allow_origins ({shown(names)})"
        if self._pattern is not None:
            yield f"allow_origin_regex ({self._pattern.pattern!r}, in full)"


def _is_origin(sent: bytes) -> bool:
    return len(sent) <= _MAX_LENGTH and _SENT.fullmatch(sent) is not None


def _listed(origin: str) -> bytes:
    """Encode an origin as it will be sent, or raise ValueError."""
    written = _as_browsers_write(origin)
    if written == origin:
        return origin.encode("ascii")
    advice = f"{written!r}" if written else "for instance 'https://example.com'"
    raise ValueError(
        f"{origin!r} in allow_origins would never match: write {advice}. Browsers send"
        " scheme://host[:port] in lower case, without a path, a slash at the end, or"
        " the scheme's own port. Many hosts are one allow_origin_regex."
    )


def _as_browsers_write(address: str) -> str | None:
    """Give the origin of an address, or None if it has none (URL, "Origin")."""
    if address == NULL.decode("ascii"):
        return address
    try:
        parts = urlsplit(address)
        origin = f"{parts.scheme}://{_host(parts.hostname or '')}"
        if parts.port not in (None, _DEFAULT_PORTS.get(parts.scheme)):
            origin = f"{origin}:{parts.port}"
        return origin if _is_origin(origin.encode("ascii")) else None
    except ValueError:
        return None


def _host(name: str) -> str:
    """Write a host as browsers do, or raise ValueError (URL, "Host serializing")."""
    if ":" in name:
        address = IPv6Address(name)
        inner = address.ipv4_mapped
        # Python may write the IPv4 address in it with dots, browsers never do.
        text = str(address) if inner is None else f"::ffff:{_in_hexadecimal(inner)}"
        return f"[{text}]"
    if not name.isascii():
        name = name.encode("idna").decode("ascii")
    name = name.removesuffix(".")
    if name.rpartition(".")[2].isdigit():
        # A host that ends in a number is an address, or nothing.
        return str(IPv4Address(name))
    if _HOST.fullmatch(name) is None:
        raise ValueError(name)
    return name


def _in_hexadecimal(address: IPv4Address) -> str:
    return f"{int(address) >> 16:x}:{int(address) & 0xFFFF:x}"


def _compiled(pattern: str | re.Pattern[str]) -> re.Pattern[str]:
    source: object = getattr(pattern, "pattern", pattern)
    if not isinstance(source, str):
        raise TypeError(
            f"allow_origin_regex must be one pattern of text, not {pattern!r}: several"
            " are joined by |"
        )
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"allow_origin_regex {pattern!r} is no regular expression: {error}"
        ) from error


def _matches_all(pattern: re.Pattern[str] | None) -> bool:
    return pattern is not None and any(
        all(pattern.fullmatch(f"{scheme}://{host}") for host in _UNRELATED)
        for scheme in ("http", "https")
    )
