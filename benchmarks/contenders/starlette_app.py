"""The cases on Starlette: `Route`, functions that return a `Response`, ASGI middleware.

JSON is made by the same call as everywhere and handed over as bytes.
"""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

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
    plaintext = Starlette(routes=[Route("/plaintext", _plaintext)])
    return {
        "plaintext": plaintext,
        "json": Starlette(routes=[Route("/json", _json)]),
        "parameters": with_routes(OTHER_ROUTES + 1),
        "body_whole": Starlette(
            routes=[Route("/upload", _body_whole, methods=["POST"])]
        ),
        "body_chunks": Starlette(
            routes=[Route("/upload", _body_chunks, methods=["POST"])]
        ),
        "stream": Starlette(
            routes=[Route("/stream", _streaming(partial(chunks, CHUNKS)))]
        ),
        "ticks": Starlette(routes=[Route("/ticks", _streaming(ticks))]),
        "middlewares": with_middlewares(MIDDLEWARES),
        "not_found": plaintext,
        "cookie": Starlette(routes=[Route("/cookie", _cookie)]),
        "echoes": Starlette(routes=[WebSocketRoute("/echo", _echo)]),
        "many_chunks": Starlette(
            routes=[Route("/stream", _streaming(partial(chunks, MANY_CHUNKS)))]
        ),
        "six_headers": Starlette(routes=[Route("/six", _six_headers)]),
    }


def with_routes(count: int) -> AsgiApplication:
    """Make the application of the case "parameters", with so many routes."""
    return Starlette(
        routes=[
            Route(f"/area{index}/{{name}}/{{number:int}}", _parameters)
            for index in range(count)
        ]
    )


def with_middlewares(count: int) -> AsgiApplication:
    """Make the application of the case "middlewares", with so many of them."""
    return Starlette(
        routes=[Route("/middlewares", _count_of_middlewares)],
        middleware=[Middleware(_Counting) for _ in range(count)],
    )


async def _plaintext(request: Request) -> Response:
    return Response(GREETING, media_type=_TEXT)


async def _json(request: Request) -> Response:
    return Response(json.dumps(DOCUMENT), media_type="application/json")


async def _parameters(request: Request) -> Response:
    name = request.path_params["name"]
    number = request.path_params["number"]
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
) -> Callable[[Request], Awaitable[Response]]:
    async def stream(request: Request) -> Response:
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


async def _six_headers(request: Request) -> Response:
    return Response(GREETING, headers=_SIX_HEADERS)
