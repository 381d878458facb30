"""The cases on BlackSheep: handlers that take the request and return a `Response`.

Such handlers are called as they are, without bindings, which is the fastest way. JSON
is made by the same call as everywhere and handed over as bytes.
"""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeAlias

from blacksheep import (
    Application,
    Content,
    Request,
    Response,
    StreamedContent,
    WebSocket,
    WebSocketDisconnectError,
)
from blacksheep.server.routing import Router

from benchmarks.cases import (
    CHUNKS,
    DOCUMENT,
    GREETING,
    MANY_CHUNKS,
    MIDDLEWARES,
    OTHER_ROUTES,
    SIX_HEADERS,
    AsgiApplication,
    chunks,
    ticks,
)

_Handler: TypeAlias = Callable[[Request], Awaitable[Response]]

_TEXT = b"text/plain"
# The type goes with the content here.
_FIVE_HEADERS = [
    (name.encode(), value.encode())
    for name, value in SIX_HEADERS
    if name != "content-type"
]


def applications() -> Mapping[str, AsgiApplication]:
    """Return the application for each case, by the name of the case."""
    plaintext = _serving("GET", "/plaintext", _plaintext)
    # Each its own router: the default one is shared by all applications of a process.
    echoes = Application(router=Router())
    echoes.router.add_ws("/echo", _echo)
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
    application = Application(router=Router())
    for index in range(count):
        application.router.add("GET", f"/area{index}/{{name}}/{{int:number}}", _show)
    return application


def with_middlewares(count: int) -> AsgiApplication:
    """Make the application of the case "middlewares", with so many of them."""
    application = _serving("GET", "/middlewares", _count_of_middlewares)
    for _ in range(count):
        application.middlewares.append(_counting)
    return application


def _serving(method: str, path: str, handler: _Handler) -> Application:
    application = Application(router=Router())
    application.router.add(method, path, handler)
    return application


def _text(text: str) -> Response:
    return Response(200, None, Content(_TEXT, text.encode()))


async def _plaintext(request: Request) -> Response:
    return _text(GREETING)


async def _json(request: Request) -> Response:
    return Response(
        200, None, Content(b"application/json", json.dumps(DOCUMENT).encode())
    )


async def _show(request: Request) -> Response:
    values: Any = request.route_values
    return _text(f"{values['name']} {int(values['number']) + 1}")


async def _body_whole(request: Request) -> Response:
    body = await request.read()
    return _text(str(len(body or b"")))


async def _body_chunks(request: Request) -> Response:
    size = 0
    # Its type says that it were a coroutine.
    stream: Any = request.stream()
    async for chunk in stream:
        size += len(chunk)
    return _text(str(size))


def _streaming(body: Callable[[], AsyncGenerator[bytes]]) -> _Handler:
    async def stream(request: Request) -> Response:
        return Response(200, None, StreamedContent(_TEXT, body))

    return stream


async def _counting(request: Request, handler: _Handler) -> Response:
    scope: Any = request.scope
    scope["passed"] = scope.get("passed", 0) + 1
    return await handler(request)


async def _count_of_middlewares(request: Request) -> Response:
    scope: Any = request.scope
    return _text(str(scope["passed"]))


async def _cookie(request: Request) -> Response:
    return _text(request.cookies["session"])


async def _echo(web_socket: WebSocket) -> None:
    await web_socket.accept()
    with suppress(WebSocketDisconnectError):
        while True:
            await web_socket.send_text(await web_socket.receive_text())


async def _six_headers(request: Request) -> Response:
    return Response(200, list(_FIVE_HEADERS), Content(_TEXT, GREETING.encode()))
