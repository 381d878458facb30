"""GraphiQL, the page to try a schema in, served whole from this package.

The page says where its endpoint is, and nothing else in it depends on the request. It
asks that endpoint and its own files, and no other host.
"""

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final, NamedTuple
from urllib.parse import quote

from bareutils import header

from bareasgi import (
    Header,
    HttpResponse,
    Scope,
    bytes_response,
    bytes_writer,
    text_response,
)

_FOLDER: Final = files("bareasgi_graphql") / "graphiql_files"

_SCRIPT: Final = b"text/javascript; charset=utf-8"
_STYLES: Final = b"text/css; charset=utf-8"

_FILES: Final = {
    "graphiql.min.css": ("vendored/graphiql.min.css", _STYLES),
    "graphiql.min.js": ("vendored/graphiql.min.js", _SCRIPT),
    "react-dom.production.min.js": ("vendored/react-dom.production.min.js", _SCRIPT),
    "react.production.min.js": ("vendored/react.production.min.js", _SCRIPT),
    "start.css": ("start.css", _STYLES),
    "start.js": ("start.js", _SCRIPT),
}
"""By the name that is asked for: where a file is, and its content type."""

# The style sheet has its fonts and small pictures in it, as `data:`. Scripts, styles,
# forms and other people's pictures, as a schema's descriptions may have, do nothing.
_POLICY: Final = b"; ".join(
    [
        b"default-src 'none'",
        b"script-src 'self'",
        b"style-src 'self'",
        b"font-src data:",
        b"img-src data:",
        b"connect-src 'self'",
        b"base-uri 'none'",
        b"form-action 'none'",
        b"frame-ancestors 'none'",
    ]
)

_PAGE_HEADERS: Final[list[Header]] = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"content-security-policy", _POLICY),
    (b"referrer-policy", b"no-referrer"),
    (b"vary", b"accept"),
    (b"x-content-type-options", b"nosniff"),
]


class _File(NamedTuple):
    """A file's bytes, and its headers."""

    content: bytes
    headers: list[Header]
    etag: bytes


def graphiql_response(path: str) -> HttpResponse:
    """Answer with the page for the endpoint at a path.

    The path is the endpoint's as the client sees it, decoded; of `scope["path"]` only
    what follows the last slash counts, wherever the application is mounted. The page
    refers to the endpoint, and to its files below it under `graphiql/`, relative to
    itself: it is served at the endpoint, or at another path that differs after the last
    slash. `?query=`, `?variables=` and `?operationName=` of its address are shown.
    """
    name = path.rpartition("/")[2]
    # A colon would end a scheme, and what is no Unicode cannot be the client's path.
    endpoint = "./" + quote(name, safe="", errors="replace")
    folder = f"{endpoint}/graphiql/" if name else "./graphiql/"
    page = _page().replace("{endpoint}", endpoint).replace("{folder}", folder)
    return bytes_response(200, _PAGE_HEADERS, page.encode("ascii"))


def graphiql_file(name: str, scope: Scope) -> HttpResponse:
    """Answer with one of the page's files: 304 to a client that has it, else 404.

    A client may keep the file and has to ask whether it is still the same, which its
    entity tag tells (RFC 9110, section 13.1.2).
    """
    if name not in _FILES:
        return text_response(404, None, "Not Found", content_type=b"text/plain")
    file = _file(name)
    if not _known_tags(scope).isdisjoint({file.etag, b"*"}):
        return 304, file.headers
    return 200, file.headers, bytes_writer(file.content)


def _known_tags(scope: Scope) -> set[bytes]:
    """Give the tags of what the client has. They are compared weakly."""
    tags = b",".join(header.find_all(b"if-none-match", scope["headers"]))
    return {tag.strip(b" \t").removeprefix(b"W/") for tag in tags.split(b",")}


@cache
def _page() -> str:
    return (_FOLDER / "page.html").read_text("ascii")


# They are read when they are first asked for, and most servers never are.
@cache
def _file(name: str) -> _File:
    path, content_type = _FILES[name]
    content = (_FOLDER / path).read_bytes()
    etag = b'"%b"' % sha256(content).hexdigest()[:32].encode("ascii")
    headers = [
        (b"content-type", content_type),
        (b"cache-control", b"no-cache"),
        (b"etag", etag),
        (b"x-content-type-options", b"nosniff"),
    ]
    return _File(content, headers, etag)
