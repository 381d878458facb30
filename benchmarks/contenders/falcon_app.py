"""The cases on Falcon's ASGI application: resources, `text`, `stream`, process_request.

JSON is made by the same call as everywhere and handed over as text.
"""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from functools import partial

from falcon import MEDIA_JSON, MEDIA_TEXT, WebSocketDisconnected
from falcon.asgi import App, Request, Response, WebSocket

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

_SIX_HEADERS = dict(SIX_HEADERS)


def applications() -> Mapping[str, AsgiApplication]:
    """Return the application for each case, by the name of the case."""
    plaintext = _serving("/plaintext", _Plaintext())
    return {
        "plaintext": plaintext,
        "json": _serving("/json", _Json()),
        "parameters": with_routes(OTHER_ROUTES + 1),
        "body_whole": _serving("/upload", _BodyWhole()),
        "body_chunks": _serving("/upload", _BodyChunks()),
        "stream": _serving("/stream", _Streaming(partial(chunks, CHUNKS))),
        "ticks": _serving("/ticks", _Streaming(ticks)),
        "middlewares": with_middlewares(MIDDLEWARES),
        "not_found": plaintext,
        "cookie": _serving("/cookie", _Cookie()),
        "echoes": _serving("/echo", _Echo()),
        "many_chunks": _serving("/stream", _Streaming(partial(chunks, MANY_CHUNKS))),
        "six_headers": _serving("/six", _SixHeaders()),
    }


def with_routes(count: int) -> AsgiApplication:
    """Make the application of the case "parameters", with so many routes."""
    application = App(media_type=MEDIA_TEXT)
    for index in range(count):
        application.add_route(f"/area{index}/{{name}}/{{number:int}}", _Parameters())
    return application


def with_middlewares(count: int) -> AsgiApplication:
    """Make the application of the case "middlewares", with so many of them."""
    application = _serving("/middlewares", _CountOfMiddlewares())
    for _ in range(count):
        application.add_middleware(_Counting())
    return application


def _serving(path: str, resource: object) -> App[Request, Response]:
    # The default media type spares the handlers from naming it in each answer.
    application = App(media_type=MEDIA_TEXT)
    # It would receive ahead, by a task, and forget what came before the client left.
    application.ws_options.max_receive_queue = 0
    application.add_route(path, resource)
    return application


class _Plaintext:
    async def on_get(self, request: Request, response: Response) -> None:
        response.text = GREETING


class _Json:
    async def on_get(self, request: Request, response: Response) -> None:
        response.content_type = MEDIA_JSON
        response.text = json.dumps(DOCUMENT)


class _Parameters:
    async def on_get(
        self, request: Request, response: Response, name: str, number: int
    ) -> None:
        response.text = f"{name} {number + 1}"


class _BodyWhole:
    async def on_post(self, request: Request, response: Response) -> None:
        response.text = str(len(await request.stream.read()))


class _BodyChunks:
    async def on_post(self, request: Request, response: Response) -> None:
        size = 0
        async for chunk in request.stream:
            size += len(chunk)
        response.text = str(size)


class _Streaming:
    def __init__(self, body: Callable[[], AsyncGenerator[bytes]]) -> None:
        self._body = body

    async def on_get(self, request: Request, response: Response) -> None:
        response.stream = self._body()


class _Counting:
    async def process_request(self, request: Request, response: Response) -> None:
        request.scope["passed"] = request.scope.get("passed", 0) + 1


class _CountOfMiddlewares:
    async def on_get(self, request: Request, response: Response) -> None:
        response.text = str(request.scope["passed"])


class _Cookie:
    async def on_get(self, request: Request, response: Response) -> None:
        response.text = request.cookies["session"]


class _Echo:
    async def on_websocket(self, request: Request, web_socket: WebSocket) -> None:
        await web_socket.accept()
        with suppress(WebSocketDisconnected):
            while True:
                await web_socket.send_text(await web_socket.receive_text())


class _SixHeaders:
    async def on_get(self, request: Request, response: Response) -> None:
        response.set_headers(_SIX_HEADERS)
        response.text = GREETING
