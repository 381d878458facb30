"""The cases on Quart: view functions that return a `Response`, ASGI middleware.

JSON is made by the same call as everywhere and handed over as text.
"""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from quart import Quart, Response, request, websocket

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
    echoes.add_websocket("/echo", view_func=_echo)
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
        path = f"/area{index}/<name>/<int:number>"
        application.add_url_rule(path, endpoint=path, view_func=_parameters)
    return application


def with_middlewares(count: int) -> AsgiApplication:
    """Make the application of the case "middlewares", with so many of them."""
    application = _serving("GET", "/middlewares", _count_of_middlewares)
    nested: Any = application.asgi_app
    for _ in range(count):
        nested = _counting(nested)
    changeable: Any = application
    changeable.asgi_app = nested
    return application


def _application() -> Quart:
    # Without the route for a folder of static files, which nobody else has.
    return Quart(__name__, static_folder=None)


def _serving(method: str, path: str, view: Callable[[], Awaitable[Response]]) -> Quart:
    application = _application()
    application.add_url_rule(path, view_func=view, methods=[method])
    return application


async def _plaintext() -> Response:
    return Response(GREETING, content_type=_TEXT)


async def _json() -> Response:
    return Response(json.dumps(DOCUMENT), content_type="application/json")


async def _parameters(name: str, number: int) -> Response:
    return Response(f"{name} {number + 1}", content_type=_TEXT)


async def _body_whole() -> Response:
    return Response(str(len(await request.get_data())), content_type=_TEXT)


async def _body_chunks() -> Response:
    size = 0
    async for chunk in request.body:
        size += len(chunk)
    return Response(str(size), content_type=_TEXT)


def _streaming(
    body: Callable[[], AsyncGenerator[bytes]],
) -> Callable[[], Awaitable[Response]]:
    async def stream() -> Response:
        return Response(body(), content_type=_TEXT)

    return stream


def _counting(app: AsgiApplication) -> AsgiApplication:
    async def count(scope: Scope, receive: Receive, send: Send) -> None:
        scope["passed"] = scope.get("passed", 0) + 1
        await app(scope, receive, send)

    return count


async def _count_of_middlewares() -> Response:
    scope: Any = request.scope
    return Response(str(scope["passed"]), content_type=_TEXT)


async def _cookie() -> Response:
    return Response(request.cookies["session"], content_type=_TEXT)


async def _echo() -> None:
    await websocket.accept()
    # It ends by being cancelled when the client leaves.
    while True:
        await websocket.send(await websocket.receive())


async def _six_headers() -> Response:
    return Response(GREETING, headers=_SIX_HEADERS)
