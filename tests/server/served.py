"""The application that every server of these tests runs, and what it tells of itself.

Clients name their streams in the path, `/ticks/{name}`. `/counters/{name}` then tells
how often that stream's body began and was closed, beside the tasks, descriptors and
memory of the process; `POST /gate/{name}` lets a waiting body or handler go on. The
WebSockets of `served_sockets.py` do the same.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from itertools import count
from typing import Any

from bareutils import header

from bareasgi import (
    Application,
    Content,
    ContentTooLarge,
    HttpResponse,
    Info,
    Pushes,
    RouteMatches,
    Scope,
    bytes_writer,
    read_ahead,
    text_reader,
    text_writer,
)
from bareasgi.testing import checked

from .counting import CALL, RECORDS, Call, Process, count_descriptors, resident_bytes
from .served_sockets import SOCKETS

logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
logger = logging.getLogger("served")
logger.setLevel(logging.INFO)

CHUNK = bytes(65536)
PLAIN = [(b"content-type", b"text/plain")]
# A test cannot wait for half a minute.
read_ahead.PATIENCE = 0.3  # type: ignore[misc]

MADE_BY_MIDDLEWARE = (b"x-middleware", b"ran")


app = Application(info={"name": "Michael Caine"})


@app.on_startup
async def start(scope: Scope, info: Info, request: Mapping[str, Any]) -> None:
    logger.info("the start-up handler ran")


@app.on_shutdown
async def stop(scope: Scope, info: Info, request: Mapping[str, Any]) -> None:
    logger.info("the shutdown handler ran")


# Programs that a newcomer types.


@app.on_http_request({"GET"}, "/hello-world")
async def hello(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200, PLAIN, bytes_writer(b"Hello, World!"), None


async def read_info(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    if header.find(b"accept", scope["headers"]) != b"application/json":
        return 500
    return (
        200,
        [(b"content-type", b"application/json")],
        text_writer(json.dumps(info)),
    )


async def change_info(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    if header.find(b"content-type", scope["headers"]) != b"application/json":
        return 500
    info.update(json.loads(await text_reader(content)))
    return 204


async def show(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 200, None, text_writer(repr(dict(matches)))


app.http_router.add({"GET"}, "/info", read_info)
app.http_router.add({"POST"}, "/info", change_info)
app.http_router.add({"GET"}, "/foo/{name}/{id:int}/{created:datetime:%Y-%m-%d}", show)
app.http_router.add({"GET"}, "/float/{number:float}", show)
app.http_router.add({"GET"}, "/files/{path}", show)


@app.on_http_request({"GET"}, "/number/{number:int}")
async def number(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Answer with what was asked, after other requests had their turns."""
    for _ in range(5):
        await asyncio.sleep(0)
    sent = header.find(b"x-number", scope["headers"]) or b""
    return 200, [*PLAIN, (b"x-number", sent)], text_writer(str(matches["number"]))


# Bodies that stream.


@app.on_http_request({"GET", "POST"}, "/ticks/{name}")
async def ticks(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Tick, and sleep until the gate is opened. An upload is not read."""
    record = RECORDS[matches["name"]]

    async def body() -> AsyncIterator[bytes]:
        with record.running():
            for record.chunks in count(1):
                yield b"tick %d\n" % record.chunks
                await record.passed()

    return 200, PLAIN, body()


@app.on_http_request({"GET"}, "/endless/{name}/{limit:int}")
async def endless(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Send as many chunks without awaiting anything, and then wait for the gate."""
    record = RECORDS[matches["name"]]

    async def body() -> AsyncIterator[bytes]:
        with record.running():
            for record.chunks in range(1, matches["limit"] + 1):
                record.is_sending = True
                yield CHUNK
                record.is_sending = False
            await record.passed()

    return 200, PLAIN, body()


@app.on_http_request({"GET"}, "/starving/{name}")
async def starving(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Yield for ever, and never wait."""
    record = RECORDS[matches["name"]]

    async def body() -> AsyncIterator[bytes]:
        with record.running():
            while True:
                record.chunks += 1
                yield b"more"

    return 200, PLAIN, body()


@app.on_http_request({"POST"}, "/echo")
async def echo(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Send the upload back while it arrives."""
    return 200, PLAIN, content


@app.on_http_request({"POST"}, "/echo/{name}")
async def counted_echo(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Send the upload back by a body that is counted."""
    record = RECORDS[matches["name"]]

    async def body() -> AsyncIterator[bytes]:
        with record.running():
            async for chunk in content:
                record.chunks += 1
                record.is_sending = True
                yield chunk
                record.is_sending = False

    return 200, PLAIN, body()


@app.on_http_request({"POST"}, "/flood/{name}")
async def flood(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Answer the first chunk of an upload with far more, and then read the rest."""
    record = RECORDS[matches["name"]]

    async def body() -> AsyncIterator[bytes]:
        with record.running():
            uploaded = aiter(content)
            await anext(uploaded)
            for record.chunks in range(1, 401):
                record.is_sending = True
                yield CHUNK
                record.is_sending = False
            async for _ in uploaded:
                pass

    return 200, PLAIN, body()


@app.on_http_request({"POST"}, "/sum/{name}")
async def read_and_tick(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Read the upload inside the body, tell its size, and sleep."""
    record = RECORDS[matches["name"]]

    async def body() -> AsyncIterator[bytes]:
        with record.running():
            size = 0
            yield b"reading\n"
            async for chunk in content:
                size += len(chunk)
            yield b"%d bytes\n" % size
            await record.passed()

    return 200, PLAIN, body()


ERRORS: Mapping[str, Callable[[], Exception]] = {
    "OSError": partial(OSError, "the disk is gone"),
    "ContentTooLarge": partial(ContentTooLarge, 10),
    "ValueError": partial(ValueError, "no such value"),
}


@app.on_http_request({"GET"}, "/failing/{name}/{error}")
async def failing(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Fail once the response has started and the gate was opened."""
    record = RECORDS[matches["name"]]

    async def body() -> AsyncIterator[bytes]:
        with record.running():
            yield b"so far so good\n"
            await record.passed()
            error = ERRORS[matches["error"]]()
            raise error

    return 200, PLAIN, body()


# Uploads that nobody reads.


@app.on_http_request({"POST"}, "/ignored")
async def ignored(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Answer at once."""
    return 200, PLAIN, text_writer("answered")


@app.on_http_request({"POST"}, "/late/{name}")
async def late(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    """Answer when the gate was opened."""
    record = RECORDS[matches["name"]]
    with record.running():
        await record.passed()
    return 200, PLAIN, text_writer("answered")


# What must not get out, and what goes out before it is asked for.


@app.on_http_request({"GET"}, "/unsafe/{place}")
async def unsafe(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    split = b"value\r\nset-cookie: stolen=1"
    match matches["place"]:
        case "value":
            return 200, [(b"x-header", split)], text_writer("text")
        case "name":
            return 200, [(b"x-header: v\r\nx-name", b"value")], text_writer("text")
        case "push":
            return 200, [], text_writer("text"), [("/pushed", [(b"x-header", split)])]
        case _:
            return 200, [(b"x-header", split)], content


@app.on_http_request({"GET"}, "/pushing")
async def pushing(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    pushes: Pushes = [
        ("/hello-world", [(b"accept", b"text/plain")]),
        ("/number/7", []),
    ]
    return 200, PLAIN, text_writer("look what comes beside me"), pushes


for template, socket_handler in SOCKETS.items():
    app.ws_router.add(template, socket_handler)


# What the tests ask about.


@app.on_http_request({"POST"}, "/gate/{name}")
async def open_gate(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    RECORDS[matches["name"]].gate.set()
    return 204


@app.on_http_request({"POST"}, "/drain")
async def drain(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    return 204 if await app.drain() else 500


@app.on_http_request({"GET"}, "/counters/{name}")
async def counters(
    scope: Scope, info: Info, matches: RouteMatches, content: Content
) -> HttpResponse:
    record = RECORDS[matches["name"]]
    told = {
        "begun": record.begun,
        "closed": record.closed,
        "chunks": record.chunks,
        "is_sending": record.is_sending,
        "code": record.code,
        "reason": record.reason,
        "calls": Process.calls - 1,  # less this one
        "unclosed": Process.unclosed,
        "tasks": len(asyncio.all_tasks()),
        "descriptors": count_descriptors(),
        "memory": resident_bytes(),
    }
    return 200, [(b"content-type", b"application/json")], text_writer(json.dumps(told))


checked_app = checked(app)


async def application(
    scope: Mapping[str, Any],
    receive: Callable[[], Awaitable[Mapping[str, Any]]],
    send: Callable[[Any], Awaitable[None]],
) -> None:
    """Hold the application to the protocol, and count the calls of it that run."""
    if scope["type"] == "lifespan":
        await checked_app(scope, receive, send)
        return
    call = Call()
    CALL.set(call)
    Process.calls += 1
    # The server's own `receive` is to be met, and not the checker's around it.
    is_impatient = scope["path"].startswith("/impatient")
    try:
        await (app if is_impatient else checked_app)(scope, receive, send)
    finally:
        Process.calls -= 1
        Process.unclosed += call.bodies
