"""The cases on Litestar: typed handlers, ASGI middleware.

Text is returned as such, whose type the handler states. JSON is made by the same call
as everywhere and handed over as text.
"""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from litestar import Litestar, MediaType, Request, Response, WebSocket, get, post
from litestar import websocket as on_web_socket
from litestar.exceptions import WebSocketDisconnect
from litestar.response import Stream

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

_SIX_HEADERS = dict(SIX_HEADERS)


def applications() -> Mapping[str, AsgiApplication]:
    """Return the application for each case, by the name of the case."""
    plaintext = _serving(_plaintext)
    return {
        "plaintext": plaintext,
        "json": _serving(_json),
        "parameters": with_routes(OTHER_ROUTES + 1),
        "body_whole": _serving(_body_whole),
        "body_chunks": _serving(_body_chunks),
        "stream": _serving(_streaming("/stream", partial(chunks, CHUNKS))),
        "ticks": _serving(_streaming("/ticks", ticks)),
        "middlewares": with_middlewares(MIDDLEWARES),
        "not_found": plaintext,
        "cookie": _serving(_cookie),
        "echoes": _serving(_echo),
        "many_chunks": _serving(_streaming("/stream", partial(chunks, MANY_CHUNKS))),
        "six_headers": _serving(_six_headers),
    }


def with_routes(count: int) -> AsgiApplication:
    """Make the application of the case "parameters", with so many routes."""
    paths = [f"/area{index}/{{name:str}}/{{number:int}}" for index in range(count)]
    return _serving(get(paths, media_type=MediaType.TEXT)(_parameters))


def with_middlewares(count: int) -> AsgiApplication:
    """Make the application of the case "middlewares", with so many of them."""
    return _serving(_count_of_middlewares, [_counting] * count)


def _serving(handler: Any, middlewares: Any = ()) -> Litestar:
    # Without the documentation and the logging, which nobody else has.
    return Litestar(
        [handler],
        middleware=[*middlewares],
        openapi_config=None,
        logging_config=None,
    )


@get("/plaintext", media_type=MediaType.TEXT)
async def _plaintext() -> str:
    return GREETING


@get("/json", media_type=MediaType.JSON)
async def _json() -> bytes:
    return json.dumps(DOCUMENT).encode()


async def _parameters(name: str, number: int) -> str:
    return f"{name} {number + 1}"


@post("/upload", media_type=MediaType.TEXT, status_code=200)
async def _body_whole(request: Request[Any, Any, Any]) -> str:
    return str(len(await request.body()))


@post("/upload", media_type=MediaType.TEXT, status_code=200)
async def _body_chunks(request: Request[Any, Any, Any]) -> str:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
    return str(size)


def _streaming(path: str, body: Callable[[], AsyncGenerator[bytes]]) -> Any:
    @get(path)
    async def stream() -> Stream:
        return Stream(body(), media_type=MediaType.TEXT)

    return stream


def _counting(app: AsgiApplication) -> AsgiApplication:
    async def count(scope: Scope, receive: Receive, send: Send) -> None:
        scope["passed"] = scope.get("passed", 0) + 1
        await app(scope, receive, send)

    return count


@get("/middlewares", media_type=MediaType.TEXT)
async def _count_of_middlewares(request: Request[Any, Any, Any]) -> str:
    scope: Any = request.scope
    return str(scope["passed"])


@get("/cookie", media_type=MediaType.TEXT)
async def _cookie(request: Request[Any, Any, Any]) -> str:
    return request.cookies["session"]


@on_web_socket("/echo")
async def _echo(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    with suppress(WebSocketDisconnect):
        while True:
            await socket.send_text(await socket.receive_text())


@get("/six")
async def _six_headers() -> Response[str]:
    return Response(GREETING, headers=_SIX_HEADERS, media_type=MediaType.TEXT)
