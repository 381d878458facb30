"""Large requests and responses take time in proportion to their size, not more.

Each takes a small part of its two seconds on any machine of today. What grows with the
square of the size takes minutes.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from time import process_time
from typing import Any

import pytest

from bareasgi import (
    Application,
    Content,
    HttpHandler,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    bytes_reader,
    bytes_writer,
    text_reader,
    text_writer,
)
from bareasgi.types import Message

LIMIT = 2.0  # seconds
FIELDS = 100_000
PARAMETERS = 200_000
CHUNKS = 20_000
ROUTES = 10_000


@contextmanager
def in_time() -> Iterator[None]:
    """Hold the block to the limit, in time of ours and not of other processes."""
    began = process_time()
    yield
    assert process_time() - began < LIMIT


async def call(
    app: Application,
    method: str,
    path: str,
    *,
    headers: list[tuple[bytes, bytes]] | None = None,
    query: bytes = b"",
    chunks: int = 0,
    arrived: asyncio.Event | None = None,
) -> list[Message]:
    """Make one request, with as little else as possible.

    `arrived` is set once the last of its chunks was received.
    """
    sent: list[Message] = []
    received = 0

    async def receive() -> Message:
        nonlocal received
        received += 1
        if arrived is not None and received >= chunks:
            arrived.set()
        if received > max(chunks, 1):
            await asyncio.Event().wait()
        return {
            "type": "http.request",
            "body": b"x" if chunks else b"",
            "more_body": received < chunks,
        }

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": headers or [],
    }
    await app(scope, receive, send)
    return sent


def body_of(messages: list[Message]) -> bytes:
    return b"".join(message.get("body", b"") for message in messages)


def app_of(handler: HttpHandler) -> Application:
    app = Application()
    app.http_router.add({"GET", "POST"}, "/", handler)
    return app


def fields(count: int) -> list[tuple[bytes, bytes]]:
    return [(b"x-%d" % number, b"value") for number in range(count)]


async def test_a_request_with_100_000_header_fields() -> None:
    async def answer(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, None, bytes_writer(await bytes_reader(content))

    headers = fields(FIELDS)
    with in_time():
        sent = await call(app_of(answer), "POST", "/", headers=headers, chunks=3)
    assert body_of(sent) == b"xxx"


@pytest.mark.parametrize("length", [b"1", b"9" * 1_000_000], ids=["short", "long"])
async def test_a_request_with_100_000_content_lengths(length: bytes) -> None:
    async def answer(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, None, bytes_writer(await bytes_reader(content, max_bytes=10**30))

    headers = [(b"content-length", length)] * FIELDS
    with in_time():
        sent = await call(app_of(answer), "POST", "/", headers=headers, chunks=3)
    assert body_of(sent) == b"xxx"


async def test_a_response_with_100_000_header_fields() -> None:
    headers = fields(FIELDS)

    async def answer(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, headers, bytes_writer(b"x")

    with in_time():
        sent = await call(app_of(answer), "GET", "/")
    assert len(sent[0]["headers"]) == FIELDS + 1


async def test_a_request_with_200_000_query_parameters() -> None:
    async def answer(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, None, bytes_writer(b"%d" % len(scope["query_string"]))

    query = b"&".join(b"name=value" for _ in range(PARAMETERS))
    with in_time():
        sent = await call(app_of(answer), "GET", "/", query=query)
    assert body_of(sent) == b"%d" % len(query)


@pytest.mark.parametrize("reader", [bytes_reader, text_reader])
async def test_20_000_chunks_that_are_read_by_the_handler(reader: Any) -> None:
    async def answer(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, None, bytes_writer(b"%d" % len(await reader(content)))

    with in_time():
        sent = await call(app_of(answer), "POST", "/", chunks=CHUNKS)
    assert body_of(sent) == b"%d" % CHUNKS


async def test_20_000_chunks_that_are_echoed() -> None:
    async def echo(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, None, content

    with in_time():
        sent = await call(app_of(echo), "POST", "/", chunks=CHUNKS)
    assert len(sent) == CHUNKS + 2
    assert body_of(sent) == b"x" * CHUNKS


async def test_20_000_chunks_that_wait_for_a_slow_reader() -> None:
    arrived = asyncio.Event()

    async def slowly(content: Content) -> AsyncIterator[bytes]:
        await arrived.wait()
        async for chunk in content:
            yield chunk

    async def answer(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, None, slowly(content)

    with in_time():
        app = app_of(answer)
        sent = await call(app, "POST", "/", chunks=CHUNKS, arrived=arrived)
    assert body_of(sent) == b"x" * CHUNKS


async def test_20_000_chunks_that_are_sent() -> None:
    async def stream() -> AsyncIterator[bytes]:
        for _ in range(CHUNKS):
            yield b"x"

    async def answer(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, None, stream()

    with in_time():
        sent = await call(app_of(answer), "GET", "/")
    assert body_of(sent) == b"x" * CHUNKS


@pytest.mark.parametrize(
    "template",
    [
        pytest.param("/a/%d", id="literal"),
        pytest.param("/a/%d/{id:int}", id="templated"),
        pytest.param("/{name}/%d", id="below a parameter"),
    ],
)
async def test_10_000_routes_that_are_added_and_each_asked_for(template: str) -> None:
    async def answer(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, None, text_writer(scope["route"].path)

    app = Application()
    with in_time():
        for number in range(ROUTES):
            app.http_router.add({"GET"}, template % number, answer)
        for number in range(ROUTES):
            path = template % number
            asked = path.replace("{id:int}", "7").replace("{name}", "x")
            [_, last] = await call(app, "GET", asked)
            assert last["body"] == path.encode()
        for number in range(ROUTES):
            [first, _] = await call(app, "GET", f"/b/{number}/c/d")
            assert first["status"] == 404
