"""The cases on Muffin: handlers that take the request and return a response object.

Its JSON response would use orjson where that is installed; here JSON is made by the
same call as everywhere and handed over as text.
"""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeAlias

from asgi_tools import ResponseWebSocket
from asgi_tools.errors import ASGIConnectionClosedError
from muffin import Application, Request, Response, ResponseStream, ResponseText

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
    Send,
    chunks,
    ticks,
)

_Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
_Inner: TypeAlias = Callable[[Request, Receive, Send], Awaitable[Response]]
_Middleware: TypeAlias = Callable[[_Inner, Request, Receive, Send], Awaitable[Response]]

_TEXT = "text/plain"
_SIX_HEADERS = dict(SIX_HEADERS)


def applications() -> Mapping[str, AsgiApplication]:
    """Return the application for each case, by the name of the case."""
    plaintext = _serving("/plaintext", _plaintext)
    return {
        "plaintext": plaintext,
        "json": _serving("/json", _json),
        "parameters": with_routes(OTHER_ROUTES + 1),
        "body_whole": _serving("/upload", _body_whole, "POST"),
        "body_chunks": _serving("/upload", _body_chunks, "POST"),
        "stream": _serving("/stream", _streaming(partial(chunks, CHUNKS))),
        "ticks": _serving("/ticks", _streaming(ticks)),
        "middlewares": with_middlewares(MIDDLEWARES),
        "not_found": plaintext,
        "cookie": _serving("/cookie", _cookie),
        "echoes": _serving("/echo", _echo),
        "many_chunks": _serving("/stream", _streaming(partial(chunks, MANY_CHUNKS))),
        "six_headers": _serving("/six", _six_headers),
    }


def with_routes(count: int) -> AsgiApplication:
    """Make the application of the case "parameters", with so many routes."""
    application = Application()
    for index in range(count):
        application.route(f"/area{index}/{{name}}/{{number:int}}")(_parameters)
    return application


def with_middlewares(count: int) -> AsgiApplication:
    """Make the application of the case "middlewares", with so many of them."""
    application = _serving("/middlewares", _count_of_middlewares)
    for _ in range(count):
        application.middleware(_counting())
    return application


def _serving(path: str, handler: _Handler, method: str = "GET") -> Application:
    application = Application()
    application.route(path, methods=[method])(handler)
    return application


async def _plaintext(request: Request) -> Response:
    return ResponseText(GREETING)


async def _json(request: Request) -> Response:
    return Response(json.dumps(DOCUMENT), content_type="application/json")


async def _parameters(request: Request) -> Response:
    name = request.path_params["name"]
    number = request.path_params["number"]
    return ResponseText(f"{name} {number + 1}")


async def _body_whole(request: Request) -> Response:
    return ResponseText(str(len(await request.body())))


async def _body_chunks(request: Request) -> Response:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
    return ResponseText(str(size))


def _streaming(body: Callable[[], AsyncGenerator[bytes]]) -> _Handler:
    async def stream(request: Request) -> Response:
        return ResponseStream(body(), content_type=_TEXT)

    return stream


def _counting() -> _Middleware:
    # A function of its own each time: the same one is only taken once.
    async def count(
        handler: _Inner, request: Request, receive: Receive, send: Send
    ) -> Response:
        request.scope["passed"] = request.scope.get("passed", 0) + 1
        return await handler(request, receive, send)

    return count


async def _count_of_middlewares(request: Request) -> Response:
    return ResponseText(str(request.scope["passed"]))


async def _cookie(request: Request) -> Response:
    return ResponseText(request.cookies["session"])


async def _echo(request: Request) -> Response:
    web_socket = ResponseWebSocket(request)
    await web_socket.accept()
    with suppress(ASGIConnectionClosedError):
        while True:
            # Its type says that it were always to be encoded.
            message: Any = await web_socket.receive()
            await web_socket.send(message)
    return web_socket


async def _six_headers(request: Request) -> Response:
    return Response(GREETING, headers=_SIX_HEADERS)
