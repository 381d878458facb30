"""The cases on Sanic, as the ASGI application that it is beside its own server.

Its own server is quicker, but no other framework here could run on that. Only there
does Sanic add content-length: here the handlers do. Middlewares are hooks that are
called in a row. JSON is made by the same call as everywhere and handed over as text.
"""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import partial
from itertools import count
from typing import Any, Final

from sanic import HTTPResponse, Request, Sanic, Websocket

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

_TEXT = "text/plain"
_SIX_HEADERS = dict(SIX_HEADERS)
# Sanic rewrites its own methods when an application starts. Unless it is told that more
# are to come, it cannot do so for a second one of the same process.
Sanic.test_mode = True
# Each application of a process needs a name of its own.
_NUMBERS: Final = count(1)


def applications() -> Mapping[str, AsgiApplication]:
    """Return the application for each case, by the name of the case."""
    plaintext = _serving("GET", "/plaintext", _plaintext)
    echoes = _application()
    echoes.add_websocket_route(_echo, "/echo")
    return {
        "plaintext": plaintext,
        "json": _serving("GET", "/json", _json),
        "parameters": with_routes(OTHER_ROUTES + 1),
        "body_whole": _serving("POST", "/upload", _body_whole),
        "body_chunks": _serving("POST", "/upload", _body_chunks, is_stream=True),
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


def with_routes(count: int) -> Any:
    """Make the application of the case "parameters", with so many routes."""
    application = _application()
    for index in range(count):
        path = f"/area{index}/<name:str>/<number:int>"
        application.add_route(_parameters, path, name=f"area{index}")
    return application


def with_middlewares(count: int) -> Any:
    """Make the application of the case "middlewares", with so many of them."""
    application = _serving("GET", "/middlewares", _count_of_middlewares)
    for _ in range(count):
        application.register_middleware(_counting(), "request")
    return application


def _application() -> Any:
    return Sanic(f"benchmark-{next(_NUMBERS)}", configure_logging=False)


def _serving(method: str, path: str, handler: Any, *, is_stream: bool = False) -> Any:
    application = _application()
    application.add_route(handler, path, methods=[method], stream=is_stream)
    return application


def _answer(text: str, content_type: str) -> HTTPResponse:
    length = {"content-length": str(len(text))}
    return HTTPResponse(text, headers=length, content_type=content_type)


def _text(text: str) -> HTTPResponse:
    return _answer(text, _TEXT)


async def _plaintext(request: Request) -> HTTPResponse:
    return _text(GREETING)


async def _json(request: Request) -> HTTPResponse:
    return _answer(json.dumps(DOCUMENT), "application/json")


async def _parameters(request: Request, name: str, number: int) -> HTTPResponse:
    return _text(f"{name} {number + 1}")


async def _body_whole(request: Request) -> HTTPResponse:
    return _text(str(len(request.body)))


async def _body_chunks(request: Request) -> HTTPResponse:
    size = 0
    stream: Any = request.stream
    async for chunk in stream:
        size += len(chunk)
    return _text(str(size))


def _streaming(body: Callable[[], AsyncGenerator[bytes]]) -> Any:
    async def stream(request: Request) -> None:
        response: Any = await request.respond(content_type=_TEXT)
        async for chunk in body():
            await response.send(chunk)
        await response.eof()

    return stream


def _counting() -> Any:
    async def counting(request: Request) -> None:
        request.ctx.passed = getattr(request.ctx, "passed", 0) + 1

    return counting


async def _count_of_middlewares(request: Request) -> HTTPResponse:
    return _text(str(request.ctx.passed))


async def _cookie(request: Request) -> HTTPResponse:
    return _text(str(request.cookies.get("session")))


async def _echo(request: Request, web_socket: Websocket) -> None:
    while (message := await web_socket.recv()) is not None:
        await web_socket.send(message)


async def _six_headers(request: Request) -> HTTPResponse:
    length = {"content-length": str(len(GREETING))}
    return HTTPResponse(GREETING, headers={**_SIX_HEADERS, **length})
