"""Each case as a competent programmer writes it on bare ASGI, without a framework.

This is the measure for everyone else, so it does the whole job: it looks at the method
and the path, parses what it needs, encodes its text, counts `content-length` and builds
its messages for each request, as everyone has to whose answer is not known beforehand.
What a framework adds for the general case, it leaves out. The answer is written out
each time: a function for it would cost more than some of the differences measured.
"""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import partial

from benchmarks.cases import (
    CHUNKS,
    DOCUMENT,
    GREETING,
    MANY_CHUNKS,
    MIDDLEWARES,
    OTHER_ROUTES,
    SIX_HEADERS,
    AsgiApplication,
    Receive,
    Scope,
    Send,
    chunks,
    ticks,
)

_SIX_HEADERS = [(name.encode(), value.encode()) for name, value in SIX_HEADERS]


def applications() -> Mapping[str, AsgiApplication]:
    """Return the application for each case, by the name of the case."""
    return {
        "plaintext": _plaintext,
        "json": _json,
        "parameters": with_routes(OTHER_ROUTES + 1),
        "body_whole": _body_whole,
        "body_chunks": _body_chunks,
        "stream": _streaming("/stream", partial(chunks, CHUNKS)),
        "ticks": _streaming("/ticks", ticks),
        "middlewares": with_middlewares(MIDDLEWARES),
        "not_found": _plaintext,
        "cookie": _cookie,
        "echoes": _echoes,
        "many_chunks": _streaming("/stream", partial(chunks, MANY_CHUNKS)),
        "six_headers": _six_headers,
    }


def with_routes(count: int) -> AsgiApplication:
    """Make the application of the case "parameters", with so many routes."""
    areas = {("GET", f"area{index}"): _show for index in range(count)}

    async def parameters(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        try:
            _, area, name, digits = path.split("/")
            handler = areas[scope["method"], area]
            number = int(digits)
        except (ValueError, KeyError):
            await _not_found(send)
            return
        await handler(send, name, number)

    return parameters


def with_middlewares(count: int) -> AsgiApplication:
    """Make the application of the case "middlewares", with so many of them."""
    nested: AsgiApplication = _count_of_middlewares
    for _ in range(count):
        nested = _counting(nested)
    return nested


async def _not_found(send: Send) -> None:
    body = b"Not Found"
    await send(
        {
            "type": "http.response.start",
            "status": 404,
            "headers": [
                (b"content-type", b"text/plain"),
                (b"content-length", str(len(body)).encode()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def _plaintext(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] != "/plaintext" or scope["method"] != "GET":
        await _not_found(send)
        return
    body = GREETING.encode()
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", b"text/plain"),
                (b"content-length", str(len(body)).encode()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def _json(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] != "/json" or scope["method"] != "GET":
        await _not_found(send)
        return
    body = json.dumps(DOCUMENT).encode()
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def _show(send: Send, name: str, number: int) -> None:
    body = f"{name} {number + 1}".encode()
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", b"text/plain"),
                (b"content-length", str(len(body)).encode()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def _body_whole(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] != "/upload" or scope["method"] != "POST":
        await _not_found(send)
        return
    pieces = []
    is_complete = False
    while not is_complete:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        pieces.append(message.get("body", b""))
        is_complete = not message.get("more_body", False)
    body = str(len(b"".join(pieces))).encode()
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", b"text/plain"),
                (b"content-length", str(len(body)).encode()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def _body_chunks(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] != "/upload" or scope["method"] != "POST":
        await _not_found(send)
        return
    size = 0
    is_complete = False
    while not is_complete:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message.get("body", b""))
        is_complete = not message.get("more_body", False)
    body = str(size).encode()
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", b"text/plain"),
                (b"content-length", str(len(body)).encode()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


def _streaming(path: str, body: Callable[[], AsyncGenerator[bytes]]) -> AsgiApplication:
    # It does not watch for a client that leaves: the stream is short, and ends soon.
    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != path or scope["method"] != "GET":
            await _not_found(send)
            return
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"text/plain")],
            }
        )
        async for chunk in body():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return stream


async def _count_of_middlewares(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] != "/middlewares" or scope["method"] != "GET":
        await _not_found(send)
        return
    body = str(scope["passed"]).encode()
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", b"text/plain"),
                (b"content-length", str(len(body)).encode()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


def _counting(application: AsgiApplication) -> AsgiApplication:
    async def count(scope: Scope, receive: Receive, send: Send) -> None:
        scope["passed"] = scope.get("passed", 0) + 1
        await application(scope, receive, send)

    return count


async def _cookie(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] != "/cookie" or scope["method"] != "GET":
        await _not_found(send)
        return
    cookies = {}
    for name, value in scope["headers"]:
        if name == b"cookie":
            for piece in value.split(b";"):
                key, _, text = piece.partition(b"=")
                cookies[key.strip()] = text.strip()
    body = cookies[b"session"]
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", b"text/plain"),
                (b"content-length", str(len(body)).encode()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def _echoes(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] != "/echo" or scope["type"] != "websocket":
        await _not_found(send)
        return
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            break
        await send({"type": "websocket.send", "text": message["text"]})


async def _six_headers(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] != "/six" or scope["method"] != "GET":
        await _not_found(send)
        return
    body = GREETING.encode()
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [*_SIX_HEADERS, (b"content-length", str(len(body)).encode())],
        }
    )
    await send({"type": "http.response.body", "body": body})
