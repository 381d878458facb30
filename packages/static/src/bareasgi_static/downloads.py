"""Single files, as the responses of handlers that know which file it is."""

from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import PurePath

from bareasgi import Body, Header, Headers, HttpError, HttpResponse, Scope
from bareasgi_static.answers import respond_from_file, respond_from_memory
from bareasgi_static.bodies import FileBody
from bareasgi_static.content_types import content_type as guess_content_type
from bareasgi_static.files import FileMissingError, OpenFile, open_file
from bareasgi_static.lookup import read_small
from bareasgi_static.representation import NOSNIFF, Representation, content_disposition
from bareasgi_static.threads import in_thread


async def file_response(
    scope: Scope,
    status: int,
    path: str | PathLike[str],
    headers: Headers | None = None,
    content_type: str | None = None,
    filename: str | None = None,
    check_modified: bool = False,  # noqa: FBT001, FBT002 - as it always was
) -> HttpResponse:
    """Make the response of a file, wherever it is: symbolic links are followed.

    The path is yours, and must not be made of what a client sent. The headers are
    copied, but for those that the file itself has: `content-length`, `etag`,
    `last-modified`, `accept-ranges`. Its content type is the one given, or that of the
    headers, or told by its name. With a `filename` the client is asked to save it under
    that name (RFC 6266).

    With status 200 a range of the file is answered by 206 or 416, and with
    `check_modified` a condition by 304 or 412 (RFC 9110, sections 13 and 14).
    For another status it is always the whole file, to a HEAD request without its bytes.

    Raises HttpError 404 when there is no such file, or it is not a regular one, or may
    not be read.
    """
    try:
        opened, data = await in_thread(_close, _open, fspath(path))
    except FileMissingError as error:
        raise HttpError(404, "Not Found") from error
    kind, extra = _headers(path, headers, content_type, filename)
    representation = Representation(opened, data, kind, extra)
    if data is None:
        return respond_from_file(
            scope,
            representation,
            opened.file,
            status=status,
            has_preconditions=check_modified,
        )
    return respond_from_memory(
        scope, representation, data, status=status, has_preconditions=check_modified
    )


def file_writer(path: str | PathLike[str], chunk_size: int = 65536) -> Body:
    """Make a body of a file, as it is now: what is written to it later is not sent.

    It is read `chunk_size` bytes at a time, can be iterated once, and is to be returned
    from a handler or closed by `aclose`. Raises FileNotFoundError when there is no such
    regular file that may be read, and ValueError for a chunk size that is not positive.
    """
    if chunk_size < 1:
        raise ValueError(f"chunk_size is {chunk_size}: it must be positive")
    try:
        opened = open_file(fspath(path))
    except FileMissingError as error:
        raise FileNotFoundError(f"there is no file {fspath(path)!r}") from error
    return FileBody(opened.file, [range(opened.size)], chunk_size)


def _open(path: str) -> tuple[OpenFile, bytes | None]:
    opened = open_file(path)
    return opened, read_small(opened)


def _close(result: tuple[OpenFile, bytes | None]) -> None:
    result[0].file.close()


def _headers(
    path: str | PathLike[str],
    headers: Headers | None,
    content_type: str | None,
    filename: str | None,
) -> tuple[bytes, Sequence[Header]]:
    """Give the content type, and the other headers."""
    kind = guess_content_type(PurePath(path).name)
    extra: list[Header] = []
    for name, value in headers or ():
        if name == b"content-type":
            kind = value
        else:
            extra.append((name, value))
    names = {name for name, _ in extra}
    if NOSNIFF[0] not in names:
        extra.append(NOSNIFF)
    if filename is not None and b"content-disposition" not in names:
        extra.append(content_disposition(filename))
    return kind if content_type is None else content_type.encode("ascii"), extra
