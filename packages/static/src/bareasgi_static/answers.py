"""Answers a request with a file: all of it, parts of it, or that it is unchanged."""

from collections.abc import Sequence
from io import FileIO
from secrets import token_hex
from typing import Final, TypeAlias

from bareasgi import Headers, HttpResponse, Scope, bytes_writer, with_path
from bareasgi_static.bodies import FileBody
from bareasgi_static.files import resolved_path
from bareasgi_static.ranges import (
    Piece,
    Unsatisfiable,
    content_range,
    multipart,
    parse_ranges,
    unsatisfied_range,
)
from bareasgi_static.representation import NOSNIFF, Representation
from bareasgi_static.validators import (
    NAMES,
    NOT_MODIFIED,
    OK,
    evaluate,
    range_applies,
)

NOT_ACCEPTABLE: Final[HttpResponse] = (406, [(b"vary", b"accept-encoding"), NOSNIFF])
"""The answer when the client refuses every form there is."""

_Answer: TypeAlias = tuple[int, Headers, Sequence[Piece]]
"""A status, headers, and what of the file is sent, which may be nothing."""

_PATHSEND: Final = "http.response.pathsend"
_PARTIAL_CONTENT: Final = 206
_RANGE_NOT_SATISFIABLE: Final = 416


def respond_from_memory(
    scope: Scope,
    representation: Representation,
    data: bytes,
    *,
    status: int = OK,
    has_preconditions: bool = True,
) -> HttpResponse:
    """Answer a GET or HEAD with a file whose bytes are known."""
    status, headers, pieces = _answer(
        scope, representation, status, has_preconditions=has_preconditions
    )
    if not pieces:
        return status, headers
    chosen = [
        piece if isinstance(piece, bytes) else data[piece.start : piece.stop]
        for piece in pieces
    ]
    return status, headers, bytes_writer(b"".join(chosen))


def respond_from_file(
    scope: Scope,
    representation: Representation,
    file: FileIO,
    *,
    status: int = OK,
    has_preconditions: bool = True,
) -> HttpResponse:
    """Answer a GET or HEAD with an open file. It goes into the body, or is closed."""
    status, headers, pieces = _answer(
        scope, representation, status, has_preconditions=has_preconditions
    )
    if not pieces:
        file.close()
        return status, headers
    body = FileBody(file, pieces)
    offered = scope.get("extensions") or ()
    is_path_wanted = status == OK and _PATHSEND in offered
    path = resolved_path(representation.look) if is_path_wanted else None
    return status, headers, body if path is None else with_path(body, path)


def _answer(
    scope: Scope,
    representation: Representation,
    status: int,
    *,
    has_preconditions: bool,
) -> _Answer:
    """Choose what to send, in the order of RFC 9110, section 13.2.2."""
    fields: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        if name in NAMES:
            fields.setdefault(name, []).append(value)
    is_head = scope["method"] == "HEAD"
    whole = () if is_head else (range(representation.size),)
    # Another status is about something else than the file (section 13.2.1).
    if not fields or status != OK:
        return status, representation.headers, whole
    etag = representation.etag
    if has_preconditions:
        status = evaluate(fields, etag, representation.modified)
        if status == NOT_MODIFIED:
            return status, representation.not_modified, ()
        if status != OK:
            return status, [*_varying(representation), NOSNIFF], ()
    # Ranges are for GET alone (section 14.2).
    if (
        b"range" not in fields
        or is_head
        or not range_applies(fields, etag, representation.last_modified)
    ):
        return OK, representation.headers, whole
    return _part(fields[b"range"], representation, whole)


def _part(
    values: Sequence[bytes], representation: Representation, whole: Sequence[Piece]
) -> _Answer:
    size = representation.size
    try:
        parts = parse_ranges(values, size)
    except Unsatisfiable:
        about = [unsatisfied_range(size), *_varying(representation), NOSNIFF]
        return _RANGE_NOT_SATISFIABLE, about, ()
    if parts is None:
        return OK, representation.headers, whole
    if len(parts) == 1:
        (part,) = parts
        length = b"content-length", b"%d" % len(part)
        headers = representation.with_fields(length, content_range(part, size))
        return _PARTIAL_CONTENT, headers, parts
    boundary = token_hex(16).encode()
    pieces = multipart(parts, size, representation.content_type, boundary)
    return (
        _PARTIAL_CONTENT,
        representation.with_fields(
            (b"content-type", b"multipart/byteranges; boundary=" + boundary),
            (b"content-length", b"%d" % sum(map(len, pieces))),
        ),
        pieces,
    )


def _varying(representation: Representation) -> Headers:
    return [field for field in representation.headers if field[0] == b"vary"]
