"""The cases on FastAPI: typed path functions that return a `Response`.

A `Response` is sent as it is, which is the fastest way. Parameters of the path are
converted by their types, as FastAPI is meant to be used. JSON is made by the same call
as everywhere and handed over as text.
"""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial

from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse

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

_TEXT = "text/plain"
_SIX_HEADERS = dict(SIX_HEADERS)


def applications() -> Mapping[str, AsgiApplication]:
    """Return the application for each case, by the name of the case."""
    plaintext = _serving("GET", "/plaintext", _plaintext)
    echoes = _application()
    echoes.add_api_websocket_route("/echo", _echo)
    return {
        "plaintext": plaintext,
        "json": _serving("GET", "/json", _json),
        "parameters": with_routes(OTHER_ROUTES + 1),
        "body_whole": _serving("POST", "/upload", _body_whole),
        "body_chunks": _serving("POST", "/upload", _body_chunks),
        "stream": _serving("GET", "/stream", _streaming(partial(chunks, CHUNKS))),
        "ticks": _serving("GET", "/ticks", _streaming(ticks)),
        "middlewares": with_middlewares(MIDDLEWARES),
        "not_found": plaintext,
        "cookie": _serving("GET", "/cookie", _cookie),
        "echoes": echoes,
        "many_chunks": _serving(
            "GET", "/stream", _streaming(partial(chunks, MANY_CHUNKS))
        ),
        "six_headers": _serving("GET", "/six", _six_headers),
    }


def with_routes(count: int) -> AsgiApplication:
    """Make the application of the case "parameters", with so many routes."""
    application = _application()
    for index in range(count):
        path = f"/area{index}/{{name}}/{{number}}"
        application.add_api_route(path, _parameters, methods=["GET"])
    return application


def with_middlewares(count: int) -> AsgiApplication:
    """Make the application of the case "middlewares", with so many of them."""
    application = _serving("GET", "/middlewares", _count_of_middlewares)
    for _ in range(count):
        application.add_middleware(_Counting)
    return application


def _application() -> FastAPI:
    # Without the routes of the documentation, which nobody else has.
    return FastAPI(openapi_url=None)


def _serving(
    method: str, path: str, handler: Callable[..., Awaitable[Response]]
) -> FastAPI:
    application = _application()
    application.add_api_route(path, handler, methods=[method])
    return application


async def _plaintext() -> Response:
    return Response(GREETING, media_type=_TEXT)


async def _json() -> Response:
    return Response(json.dumps(DOCUMENT), media_type="application/json")


async def _parameters(name: str, number: int) -> Response:
    return Response(f"{name} {number + 1}", media_type=_TEXT)


async def _body_whole(request: Request) -> Response:
    return Response(str(len(await request.body())), media_type=_TEXT)


async def _body_chunks(request: Request) -> Response:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
    return Response(str(size), media_type=_TEXT)


def _streaming(
    body: Callable[[], AsyncGenerator[bytes]],
) -> Callable[[], Awaitable[Response]]:
    async def stream() -> Response:
        return StreamingResponse(body(), media_type=_TEXT)

    return stream


class _Counting:
    def __init__(self, app: AsgiApplication) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["passed"] = scope.get("passed", 0) + 1
        await self._app(scope, receive, send)


async def _count_of_middlewares(request: Request) -> Response:
    return Response(str(request.scope["passed"]), media_type=_TEXT)


async def _cookie(request: Request) -> Response:
    return Response(request.cookies["session"], media_type=_TEXT)


async def _echo(web_socket: WebSocket) -> None:
    await web_socket.accept()
    with suppress(WebSocketDisconnect):
        while True:
            await web_socket.send_text(await web_socket.receive_text())


async def _six_headers() -> Response:
    return Response(GREETING, headers=_SIX_HEADERS)
