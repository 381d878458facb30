"""A request, as the scope that handlers and middleware know from the server's side."""

import re
from typing import Final

from bareasgi import Content, Headers, Scope
from bareclient.content import NO_CONTENT, Upload, is_in_memory
from bareclient.errors import RequestError
from bareclient.fields import find, without
from bareclient.settings import Timeouts
from bareclient.url import PORTS, Url

_METHOD: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_ASGI: Final = {"version": "3.0", "spec_version": "2.5"}

# Methods that are expected to have content, so that its absence is worth a field
# (RFC 9110, section 8.6).
_WITH_CONTENT: Final = frozenset({"POST", "PUT", "PATCH"})


class Exchange:
    """Leads from a request to its answer, past whoever copies the scope on the way.

    Attributes:
        scope: the one that the request was last sent with, or None.
    """

    __slots__ = ("scope",)

    def __init__(self) -> None:
        self.scope: Scope | None = None


def make_scope(method: str, url: Url, headers: Headers, timeouts: Timeouts) -> Scope:
    """Make the scope of a request.

    Besides what ASGI has in it there are its `timeouts`, its `exchange`, and
    `is_redirected_away`: it goes to another origin than the caller asked for. Raises
    RequestError for a method that is not a token.
    """
    if _METHOD.fullmatch(method) is None:
        raise RequestError(f"{method!r} is not a method")
    return {
        "type": "http",
        "asgi": _ASGI,
        "http_version": "1.1",
        "method": method.upper(),
        "scheme": url.scheme,
        "server": (url.host, url.port),
        "path": url.path,
        "raw_path": url.raw_path,
        "query_string": url.query,
        "root_path": "",
        "headers": _addressed(headers, url),
        "extensions": {},
        "timeouts": timeouts,
        "exchange": Exchange(),
        "is_redirected_away": False,
    }


def last_scope(scope: Scope) -> Scope:
    """Give the scope that the request was last sent with, and forget it."""
    exchange: Exchange = scope["exchange"]
    # Kept, the two would hold each other until the garbage collector comes.
    last, exchange.scope = exchange.scope, None
    return scope if last is None else last


def aim(scope: Scope, url: Url) -> None:
    """Send the request to this URL, whatever host was asked for."""
    scope["scheme"] = url.scheme
    scope["server"] = (url.host, url.port)
    scope["path"] = url.path
    scope["raw_path"] = url.raw_path
    scope["query_string"] = url.query
    scope["headers"] = _addressed(without(scope["headers"], b"host"), url)


def target(scope: Scope) -> bytes:
    """Give what stands in the request line: the path and the query."""
    query: bytes = scope["query_string"]
    path: bytes = scope["raw_path"]
    return path + b"?" + query if query else path


def url_of(scope: Scope) -> str:
    """Give the URL that a request goes to, without user and password."""
    scheme: str = scope["scheme"]
    host, port = scope["server"]
    if ":" in host:
        host = f"[{host}]"
    if port != PORTS[scheme]:
        host = f"{host}:{port}"
    return f"{scheme}://{host}{target(scope).decode()}"


async def framed(
    scope: Scope, content: Content, *, is_sent_first: bool
) -> tuple[Headers, bytes | Upload | None]:
    """Say in the fields how long the content is, and give what is to be sent.

    Where a request is sent before its answer is read, the first chunk of a stream is
    waited for: one that has none is sent as no content. RFC 9112, section 6.
    """
    headers: Headers = scope["headers"]
    if content is NO_CONTENT:
        return _with_length(scope, b""), None
    if is_in_memory(content):
        data = b"".join([chunk async for chunk in content])
        return _with_length(scope, data), data or None
    upload = content if isinstance(content, Upload) else Upload(content)
    if find(headers, b"content-length") is not None:
        return headers, upload
    if is_sent_first and await upload.is_empty():
        await upload.aclose()
        return _with_length(scope, b""), None
    return [*headers, (b"transfer-encoding", b"chunked")], upload


def _with_length(scope: Scope, data: bytes) -> Headers:
    headers: Headers = scope["headers"]
    if find(headers, b"content-length") is not None:
        headers = without(headers, b"content-length")
    if data or scope["method"] in _WITH_CONTENT:
        return [*headers, (b"content-length", b"%d" % len(data))]
    return headers


def _addressed(headers: Headers, url: Url) -> Headers:
    """Add the host, which comes first, and the user, unless they are given."""
    if find(headers, b"host") is None:
        headers = [(b"host", url.authority), *headers]
    if url.authorization is not None and find(headers, b"authorization") is None:
        headers = [*headers, (b"authorization", url.authorization)]
    return headers
