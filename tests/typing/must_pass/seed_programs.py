"""The programs of the article, with types: on hypercorn and on uvicorn."""

import asyncio
import json
from collections.abc import AsyncIterator

import uvicorn
from bareutils import header

# The type of hypercorn's own for WSGI applications has a bare `dict` in it.
from hypercorn.asyncio import serve  # pyright: ignore[reportUnknownVariableType]
from hypercorn.config import Config

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    bytes_writer,
    text_reader,
    text_writer,
)

app = Application(info={"name": "Michael Caine"})


@app.on_http_request({"GET"}, "/hello-world")
async def hello(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200, [(b"content-type", b"text/plain")], bytes_writer(b"Hello"), None


async def read_info(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    wanted = header.find(b"accept", scope["headers"])
    if wanted != b"application/json":
        return 500
    return 200, [(b"content-type", b"application/json")], text_writer(json.dumps(info))


async def change_info(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    sent = header.find(b"content-type", scope["headers"])
    if sent != b"application/json":
        return 500
    info.update(json.loads(await text_reader(content)))
    return 204


async def show(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200, None, text_writer(repr(dict(matches)))


async def ticks(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    async def body() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"data: tick\n\n"
                await asyncio.sleep(1)
        except asyncio.CancelledError:
            pass

    return 200, [(b"content-type", b"text/event-stream")], body()


app.http_router.add({"GET"}, "/info", read_info)
app.http_router.add({"POST"}, "/info", change_info)
app.http_router.add({"GET"}, "/foo/{name}/{id:int}/{created:datetime:%Y-%m-%d}", show)
app.http_router.add({"GET"}, "/files/{path}", show)
app.http_router.add({"GET"}, "/ticks", ticks)

config = Config()
config.bind = ["127.0.0.1:9009"]


def on_hypercorn() -> None:
    asyncio.run(serve(app, config))


def on_hypercorn_with_defaults() -> None:
    asyncio.run(serve(app, Config()))


def on_uvicorn() -> None:
    uvicorn.run(app)
