"""The check that all the speed was not bought by letting bad headers through.

It runs after the measurements, in the same process, with whatever was remembered there:
a header whose name or value has CR, LF or NUL must end in a 500 without it.
"""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from bareasgi import (
    Application,
    Content,
    Header,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    bytes_writer,
)
from benchmarks.cases import Message, chunks, scope_for

_NAMES: Final = (b"x-note", b"content-type", b"etag")
_BAD: Final = (b"\r\n", b"\n", b"\r", b"\0")
_SMUGGLED: Final = b"set-cookie: evil=1"


def bad_headers() -> Sequence[Header]:
    """Return headers that must not be sent, each with the break in another place."""
    return [
        header
        for bad in _BAD
        for name in _NAMES
        for header in (
            (name, b"text/plain" + bad + _SMUGGLED),
            (name, bad + _SMUGGLED),
            (name, b"text/plain" + bad),
            (name + bad + _SMUGGLED, b"text/plain"),
            (name + bad, b"text/plain"),
        )
    ]


async def leaks() -> Sequence[str]:
    """Return a line for each bad header that did not end in a clean 500."""
    # Each is an error in the log, as it should be, but not on this page.
    logging.disable(logging.CRITICAL)
    try:
        return [
            f"{header!r} {kind} got status {status} with {headers!r}"
            for header in bad_headers()
            for is_stream, kind in ((False, "known"), (True, "streamed"))
            for status, headers in await _answers(header, is_stream=is_stream)
            if status != HTTPStatus.INTERNAL_SERVER_ERROR or not _is_clean(headers)
        ]
    finally:
        logging.disable(logging.NOTSET)


def _is_clean(headers: Sequence[Header]) -> bool:
    return not any(
        bad in name or bad in value for name, value in headers for bad in _BAD
    )


async def _answers(
    header: Header, *, is_stream: bool
) -> Sequence[tuple[int, Sequence[Header]]]:
    """Ask for an answer with a good header, with the bad one twice, and a good one."""

    async def answer(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        sent = header if scope["path"] == "/bad" else (header[0][:1] + b"-good", b"a")
        return 200, [sent], chunks(2) if is_stream else bytes_writer(b"body")

    application = Application()
    application.http_router.add({"GET"}, "/good", answer)
    application.http_router.add({"GET"}, "/bad", answer)
    answers = []
    for path in ("/good", "/bad", "/bad"):
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b""}

        async def send(message: Message, sent: list[Message] = sent) -> None:
            sent.append(message)

        await application(scope_for(path), receive, send)
        if path == "/bad":
            starts = [m for m in sent if m["type"] == "http.response.start"]
            # No answer at all is no 500 either.
            answers += [(m["status"], m["headers"]) for m in starts] or [(0, [])]
    return answers
