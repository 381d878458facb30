"""What is measured: the requests, the answers they must get, and our targets.

A case is one kind of request. Every contender has an application for it, gets the same
scopes and messages, and must give the same visible answer. The routes, documents and
chunks which the applications share are here too, so that all of them do the same work.
"""

import asyncio
import json
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Mapping,
    MutableMapping,
    Sequence,
)
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
# Each framework has its own types for a scope and for messages.
AsgiApplication: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]

GREETING: Final = "Hello, World!"

# A record as an API answers with, nested once. Larger ones only hide the framework.
DOCUMENT: Final[Mapping[str, Any]] = {
    "id": 4711,
    "name": "Michael Caine",
    "active": True,
    "balance": 1234.56,
    "tags": ["actor", "author", "london"],
    "address": {"street": "Elephant and Castle", "city": "London", "zip": None},
}

# The measured route is the last of them: `/area300/{name}/{number:int}`.
OTHER_ROUTES: Final = 300

# More than the 1,024 results that one of the routers keeps by their whole path. A path
# with an identifier in it rarely comes twice, so looking up is what has to be measured.
DISTINCT_PATHS: Final = 2_000

# Read whole it comes in one message, as a server hands over what one read of the socket
# brought; read by chunks it comes in eight.
UPLOAD_SIZE: Final = 65_536
UPLOAD_PIECE: Final = 8_192

CHUNK: Final = b"x" * 1_024
CHUNKS: Final = 100
MANY_CHUNKS: Final = 1_000

TICK: Final = b"tick\n"
TICKS: Final = 20

MIDDLEWARES: Final = 5

ECHOES: Final = 100

SESSION: Final = "0123456789abcdef"

SIX_HEADERS: Final[Sequence[tuple[str, str]]] = (
    ("content-type", "text/plain"),
    ("cache-control", "no-cache"),
    ("etag", '"33a64df551425fcc"'),
    ("vary", "accept-encoding"),
    ("x-content-type-options", "nosniff"),
    ("x-request-id", "9f2b1c7e"),
)

_ORDINARY_HEADERS: Final[Sequence[tuple[bytes, bytes]]] = (
    (b"host", b"localhost:8000"),
    (b"user-agent", b"benchmark/1.0"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip, deflate, br"),
    (b"accept-language", b"en-GB,en;q=0.5"),
    (b"connection", b"keep-alive"),
)

# A page's worth of cookies, behind everything a browser and two proxies add.
_FIFTY_HEADERS: Final[Sequence[tuple[bytes, bytes]]] = (
    *_ORDINARY_HEADERS,
    *((f"x-header-{index}".encode(), b"value") for index in range(43)),
    (b"cookie", f"theme=dark; session={SESSION}; language=en".encode()),
)


@dataclass(frozen=True)
class Case:
    """One kind of request, the answer it must get, and how fast ours has to be.

    `body` is what the chunks of the answer must be when joined; None leaves it open,
    where the frameworks word an answer differently. `chunks` is how many messages with
    a body must arrive. `target` is the highest ratio to the hand-written application;
    None means that the case is printed and nothing is asked of it.
    """

    name: str
    title: str
    scopes: Sequence[Scope]
    target: float | None
    status: int = 200
    body: bytes | None = None
    chunks: int = 1
    headers: Sequence[tuple[str, str]] = (("content-type", "text/plain"),)
    messages: Sequence[Message] = ({"type": "http.request", "body": b""},)


def scope_for(
    path: str,
    method: str = "GET",
    headers: Sequence[tuple[bytes, bytes]] = _ORDINARY_HEADERS,
) -> Scope:
    """Make the scope of a request as a server would.

    `spec_version` is 2.3, which uvicorn states; hypercorn states 2.1. From 2.4 on
    Starlette trusts `send` to raise, and does not watch for a disconnect.
    """
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": list(headers),
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8_000),
        "extensions": {},
    }


async def chunks(count: int) -> AsyncGenerator[bytes]:
    """Yield the chunks of a stream; the same source for everyone."""
    for _ in range(count):
        yield CHUNK


async def ticks() -> AsyncGenerator[bytes]:
    """Yield ticks and gives way to the loop before each."""
    for _ in range(TICKS):
        await asyncio.sleep(0)
        yield TICK


def _socket_scope() -> Scope:
    scope = scope_for("/echo")
    # The handshake is a GET, but ASGI does not say so.
    del scope["method"]
    return {**scope, "type": "websocket", "scheme": "ws", "subprotocols": []}


def _socket_messages() -> Sequence[Message]:
    return [
        {"type": "websocket.connect"},
        *(
            {"type": "websocket.receive", "text": f"message {number}"}
            for number in range(ECHOES)
        ),
        {"type": "websocket.disconnect", "code": 1000},
    ]


def _upload_scope() -> Scope:
    return scope_for(
        "/upload",
        "POST",
        [
            *_ORDINARY_HEADERS,
            (b"content-type", b"application/octet-stream"),
            (b"content-length", str(UPLOAD_SIZE).encode()),
        ],
    )


def _upload_messages(piece: int) -> Sequence[Message]:
    pieces = UPLOAD_SIZE // piece
    return [
        {
            "type": "http.request",
            "body": b"u" * piece,
            "more_body": index < pieces - 1,
        }
        for index in range(pieces)
    ]


CASES: Final[Sequence[Case]] = (
    Case(
        name="plaintext",
        title="plain text",
        scopes=[scope_for("/plaintext")],
        body=GREETING.encode(),
        target=2.3,
    ),
    Case(
        name="json",
        title="JSON (standard library)",
        scopes=[scope_for("/json")],
        body=json.dumps(DOCUMENT).encode(),
        headers=(("content-type", "application/json"),),
        target=1.45,
    ),
    Case(
        name="parameters",
        title=f"two parameters behind {OTHER_ROUTES} other routes",
        scopes=[
            scope_for(f"/area{OTHER_ROUTES}/name{number}/{number}")
            for number in range(DISTINCT_PATHS)
        ],
        body=b"name0 1",
        target=2.9,
    ),
    Case(
        name="body_whole",
        title="64 KiB body read whole",
        scopes=[_upload_scope()],
        messages=_upload_messages(UPLOAD_SIZE),
        body=str(UPLOAD_SIZE).encode(),
        target=2.4,
    ),
    Case(
        name="body_chunks",
        title="64 KiB body read by chunks",
        scopes=[_upload_scope()],
        messages=_upload_messages(UPLOAD_PIECE),
        body=str(UPLOAD_SIZE).encode(),
        target=2.3,
    ),
    Case(
        name="stream",
        title=f"{CHUNKS} chunks streamed",
        scopes=[scope_for("/stream")],
        body=CHUNK * CHUNKS,
        chunks=CHUNKS,
        target=1.2,
    ),
    Case(
        name="ticks",
        title=f"{TICKS} ticks, a suspension before each",
        scopes=[scope_for("/ticks")],
        body=TICK * TICKS,
        chunks=TICKS,
        target=1.4,
    ),
    Case(
        name="middlewares",
        title=f"{MIDDLEWARES} middlewares",
        scopes=[scope_for("/middlewares")],
        body=str(MIDDLEWARES).encode(),
        target=2.7,
    ),
    Case(
        name="not_found",
        title="a path that is not there",
        scopes=[scope_for("/missing")],
        status=404,
        headers=(),
        target=2.2,
    ),
    Case(
        name="cookie",
        title="50 request headers, a cookie read",
        scopes=[scope_for("/cookie", headers=_FIFTY_HEADERS)],
        body=SESSION.encode(),
        target=2.2,
    ),
    Case(
        name="echoes",
        title=f"{ECHOES} WebSocket echoes",
        scopes=[_socket_scope()],
        messages=_socket_messages(),
        target=1.9,
    ),
    Case(
        name="many_chunks",
        title=f"{MANY_CHUNKS:,} chunks streamed",
        scopes=[scope_for("/stream")],
        body=CHUNK * MANY_CHUNKS,
        chunks=MANY_CHUNKS,
        target=None,
    ),
    Case(
        name="six_headers",
        title="an answer with six headers",
        scopes=[scope_for("/six")],
        body=GREETING.encode(),
        headers=SIX_HEADERS,
        target=None,
    ),
)
