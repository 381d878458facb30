"""Plays the server: calls an application with a request, a socket, or its lifespan."""

import string
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Iterable,
    Mapping,
)
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import quote, unquote

from bareasgi.testing.call import Call
from bareasgi.testing.checker import ASGIApplication, ProtocolError
from bareasgi.testing.client_socket import ClientSocket
from bareasgi.testing.stream import DEADLINE, Response, Stream
from bareasgi.types import Header, Message


class LifespanError(Exception):
    """The application answered startup.failed or shutdown.failed, with this message."""


async def http_request(
    app: ASGIApplication,
    method: str,
    path: str,
    *,
    headers: Iterable[Header] = (),
    content: bytes | Iterable[bytes] | AsyncIterable[bytes] = b"",
    scope: Mapping[str, Any] | None = None,
    timeout: float | None = DEADLINE,  # noqa: ASYNC109  a deadline with a message
) -> Response:
    """Make one request and give the complete response.

    The application runs in a task of its own. `send` never blocks. Once the response is
    complete `receive` gives http.disconnect. What the application raises is raised
    here; ProtocolError if it breaks the protocol, does not complete the response, or
    has not returned after `timeout` seconds, None for no limit. The other arguments
    are those of `http_stream`.
    """
    async with http_stream(
        app,
        method,
        path,
        headers=headers,
        content=content,
        scope=scope,
        buffer=None,
        timeout=timeout,
    ) as stream:
        await stream.finished()
    return Response(stream.messages)


def http_stream(
    app: ASGIApplication,
    method: str,
    path: str,
    *,
    headers: Iterable[Header] = (),
    content: bytes | Iterable[bytes] | AsyncIterable[bytes] | None = b"",
    scope: Mapping[str, Any] | None = None,
    buffer: int | None = 0,
    timeout: float | None = DEADLINE,
) -> Stream:
    """Make one request and watch its response while the application runs.

    For `async with`: the application is called at the start of the block.

    `path` is the target as sent, percent-encoded, with its query; what is not printable
    ASCII is encoded first. `scope["path"]` is decoded as UTF-8. Header names are put
    in lower case, and `host: localhost` is added when there is no host; nothing else
    is added. `scope` is merged over the scope last, for everything else.

    `content` is the request's body: bytes arrive as one message; an iterable as one
    message for each item and an empty last one, read one item ahead and closed at the
    end; None leaves it open for `Stream.upload`.

    `buffer` is how many chunks may be untaken before the side that gives them waits:
    with 0 `send` returns when its chunk was taken, with None it never blocks.

    At the end of the block the client leaves. The application then has `timeout`
    seconds to return, None for no limit; after that it is cancelled, and ProtocolError
    raised. An exception of the application that was not raised before is raised there;
    an exception of the block goes before. No task is left behind.
    """
    http_scope = {**_http_scope(method, path, headers), **(scope or {})}
    return Stream(app, http_scope, content, buffer, timeout)


def web_socket(
    app: ASGIApplication,
    path: str,
    *,
    headers: Iterable[Header] = (),
    subprotocols: Iterable[str] = (),
    scope: Mapping[str, Any] | None = None,
    buffer: int | None = None,
    timeout: float | None = DEADLINE,
) -> ClientSocket:
    """Open a WebSocket, and be its client while the application runs.

    For `async with`: the block begins when the application has accepted the handshake,
    or refused it: `is_accepted` tells which, and `response` what a refused client gets.

    `path` and `headers` are those of `http_stream`. `subprotocols` are offered in this
    order. The scope offers the extension for responses to the handshake; `scope` is
    merged over it last. `buffer` is how many messages of the application may be untaken
    before its `send` waits, None for any number.

    At the end of the block the client closes with 1000. The application then has
    `timeout` seconds to return, None for no limit; after that it is cancelled, and
    ProtocolError raised. An exception of the application that was not raised before is
    raised there; an exception of the block goes before. No task is left behind.
    """
    web_socket_scope: dict[str, Any] = {
        **_connection_scope(path, headers),
        "type": "websocket",
        "scheme": "ws",
        "subprotocols": [*subprotocols],
        "extensions": {"websocket.http.response": {}},
        **(scope or {}),
    }
    return ClientSocket(app, web_socket_scope, buffer, timeout)


@asynccontextmanager
async def lifespan(
    app: ASGIApplication,
    *,
    timeout: float | None = DEADLINE,  # noqa: ASYNC109  a deadline with a message
) -> AsyncGenerator[dict[str, Any], None]:
    """Start the application up, and shut it down at the end of the block.

    Gives the scope's `state`, to be passed on in the scope of requests. Raises
    LifespanError if the application says that it failed, and what it raises itself:
    servers take that for "no support for lifespan". Each answer, and the end of the
    call, must come within `timeout` seconds, None for no limit, else ProtocolError.
    """
    state: dict[str, Any] = {}
    server = _LifespanServer(state, timeout)
    server.call.start(app)
    try:
        await server.run("lifespan.startup")
        try:
            yield state
        except BaseException:
            with suppress(Exception):
                await server.run("lifespan.shutdown")
            raise
        await server.run("lifespan.shutdown")
    finally:
        await server.call.stop()


class _LifespanServer:
    """The server's side of the lifespan protocol."""

    def __init__(self, state: dict[str, Any], timeout: float | None) -> None:
        self._events: deque[Message] = deque()
        self._answers: deque[Message] = deque()
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": state,
        }
        self.call = Call(scope, self._receive, self._send, timeout)

    async def run(self, event: str) -> None:
        """Tell the application of an event, and wait for its answer."""
        self._events.append({"type": event})
        self.call.tell()
        await self.call.within(lambda: bool(self._answers), f"an answer to {event}")
        if not self._answers:
            self.call.task.result()  # raises: the checker wants an answer to each event
        answer = self._answers.popleft()
        if answer["type"] == "lifespan.startup.complete":
            return
        end = self.call.task.done
        await self.call.within(end, f"the application to end after {event}")
        error = self.call.task.exception()
        if answer["type"].endswith(".failed") and not isinstance(error, ProtocolError):
            raise LifespanError(answer.get("message", "")) from error
        self.call.task.result()

    async def _receive(self) -> Message:
        await self.call.until(lambda: bool(self._events))
        return self._events.popleft()

    async def _send(self, message: Message) -> None:
        self._answers.append(message)
        self.call.tell()


def _http_scope(method: str, path: str, headers: Iterable[Header]) -> dict[str, Any]:
    return {
        **_connection_scope(path, headers),
        "type": "http",
        "method": method.upper(),
        "scheme": "http",
    }


def _field(field: object) -> Header:
    """Check a header as the sender's side would, and put its name in lower case."""
    match field:
        case (bytes() as name, bytes() as value):
            return name.lower(), value
        case _:
            raise TypeError(f"a header must be a pair of bytes, not {field!r}")


def _connection_scope(path: str, headers: Iterable[Header]) -> dict[str, Any]:
    target, _, query = path.partition("?")
    raw_path = quote(target, safe=string.punctuation)
    fields = [_field(field) for field in headers]
    if all(name != b"host" for name, _ in fields):
        fields.insert(0, (b"host", b"localhost"))
    return {
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "path": unquote(raw_path),
        "raw_path": raw_path.encode("ascii"),
        "query_string": quote(query, safe=string.punctuation).encode("ascii"),
        "root_path": "",
        "headers": fields,
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
    }
