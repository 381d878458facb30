"""The request by which a browser asks for permission, and what it is told.

Methods compare exactly, names of header fields without case (Fetch, "CORS-preflight
fetch").
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from bareasgi import Header, Scope
from bareasgi_cors.options import ANY, seconds, tokens
from bareasgi_cors.refusal import RefusedError, quoted, shown

METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
"""What is allowed when no methods are listed."""

SAFELISTED: Final = (
    "accept",
    "accept-language",
    "content-language",
    "content-type",
    "range",
)
"""Fields that pages may send without asking, as long as the value is harmless.

They are asked for when it is not, and always allowed (Fetch, "CORS-safelisted
request-header").
"""

MAX_NAMES: Final = 64
MAX_BYTES: Final = 8192
"""How many fields may be asked for, and in how many bytes."""

ORIGIN: Final = b"origin"
METHOD: Final = b"access-control-request-method"
HEADERS: Final = b"access-control-request-headers"
PRIVATE_NETWORK: Final = b"access-control-request-private-network"

Asked: TypeAlias = Mapping[bytes, bytes]
"""The fields of a preflight that ask for something, each in one value."""

# Browsers send these in upper case, however a page writes them (Fetch, "Methods").
_NORMALISED: Final = frozenset(METHODS) - {"PATCH"}

_ASKING: Final = frozenset({ORIGIN, METHOD, HEADERS, PRIVATE_NETWORK})
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def read_preflight(scope: Scope) -> Asked | None:
    """Read what is asked for, or give None if the request is no preflight.

    It is one if it is an OPTIONS with an origin and a method that is asked for (Fetch,
    "HTTP requests"). What comes twice is put together as a list, as HTTP has it (RFC
    9110, section 5.3), and so is no origin, and no method, any more.
    """
    if scope.get("method") != "OPTIONS":
        return None
    asked: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in _ASKING:
            before = asked.get(name)
            if before is None:
                asked[name] = value
            elif len(before) <= MAX_BYTES:
                # A longer one is refused, and need not grow.
                asked[name] = before + b", " + value
    return asked if ORIGIN in asked and METHOD in asked else None


class PreflightRules:
    """Which methods and fields a policy allows, and the headers that say so.

    Attributes:
        has_wildcard: whether any method is allowed.
        headers: what a preflight that is granted is told, whatever it asked for.
        vary: what the answer to a preflight depends on, also when it is refused.
    """

    has_wildcard: bool
    headers: list[Header]
    vary: Header

    def __init__(
        self,
        methods: Iterable[str] | None,
        names: Iterable[str] | None,
        max_age: int,
        *,
        allow_private_network: bool,
    ) -> None:
        listed = _methods(METHODS if methods is None else methods)
        self.has_wildcard = ANY in listed
        self._methods = frozenset(name.encode() for name in listed)
        # None is any. What is asked for is then allowed by its name, for `*` does not
        # cover `authorization`, and means nothing when there are credentials.
        self._names: frozenset[bytes] | None = None
        self._allow_names = b""
        known = [ANY] if names is None else tokens("allow_headers", names)
        if ANY not in known:
            known = sorted({*map(str.lower, known), *SAFELISTED})
            self._names = frozenset(name.encode() for name in known)
            self._allow_names = ", ".join(known).encode()
        self._allow_private_network = allow_private_network
        self.headers = [
            (b"access-control-allow-methods", ", ".join(listed).encode()),
            (b"access-control-max-age", b"%d" % seconds("max_age", max_age)),
        ]
        dependent = [ORIGIN, METHOD, HEADERS]
        if allow_private_network:
            dependent.append(PRIVATE_NETWORK)
        self.vary = b"vary", b", ".join(name.title() for name in dependent)

    def grant(self, asked: Asked) -> list[Header]:
        """Make the headers that depend on what is asked for.

        Raises RefusedError when the method or a field is not allowed.
        """
        method = asked[METHOD]
        if method not in self._methods and not (
            self.has_wildcard and _NAME.fullmatch(method)
        ):
            raise RefusedError(
                f"the method {quoted(method)} is not in allow_methods"
                f" ({_texts(self._methods)})"
            )
        granted: list[Header] = []
        sent = asked.get(HEADERS)
        if sent:
            self._check_names(sent)
            granted.append((b"access-control-allow-headers", self._allow_names or sent))
        if self._allow_private_network and asked.get(PRIVATE_NETWORK) == b"true":
            granted.append((b"access-control-allow-private-network", b"true"))
        return granted

    def _check_names(self, sent: bytes) -> None:
        """Raise RefusedError unless all the fields in a list are allowed."""
        if len(sent) > MAX_BYTES:
            raise RefusedError(f"the headers asked for are over {MAX_BYTES} bytes long")
        names = [name.strip(b" \t") for name in sent.lower().split(b",")]
        if len(names) > MAX_NAMES:
            raise RefusedError(f"over {MAX_NAMES} headers are asked for")
        for name in names:
            if self._names is None:
                # A list may have empty elements (RFC 9110, section 5.6.1.2).
                if name and not _NAME.fullmatch(name):
                    raise RefusedError(f"{quoted(name)} is no name of a header")
            elif name and name not in self._names:
                raise RefusedError(
                    f"the header {quoted(name)} is not in allow_headers"
                    f" ({_texts(self._names)})"
                )


def _texts(names: Iterable[bytes]) -> str:
    return shown([name.decode() for name in names])


def _methods(given: Iterable[str]) -> list[str]:
    """Take names of methods, but for one that browsers never send so."""
    listed = tokens("allow_methods", given)
    for name in listed:
        if name != name.upper() and name.upper() in _NORMALISED:
            raise ValueError(
                f"{name!r} in allow_methods would never match, for browsers send it in"
                f" upper case: write {name.upper()!r}"
            )
    return listed
