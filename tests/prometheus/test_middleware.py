"""Each request is counted once, when its response is over, by how it ended."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from time import perf_counter
from typing import Any, Self

import pytest
from prometheus_client import CollectorRegistry

from bareasgi import (
    Application,
    Content,
    Header,
    HttpResponse,
    Info,
    NextHandler,
    RouteMatches,
    Scope,
    mw,
    text_writer,
    with_path,
    with_trailers,
)
from bareasgi.testing import http_request, http_stream, web_socket
from bareasgi_prometheus import Metrics, metrics_middleware
from bareasgi_prometheus.exchange import Exchange

from .applications import counted, make_app, samples, total

DEADLINE = 10  # seconds


async def leave_or_cancel(app: Application, path: str, gate: Any, end: str) -> None:
    """Ask for a path, and end the request when it waits at the gate."""
    async with http_stream(app, "GET", path) as stream:
        if path == "/stream":
            assert await stream.chunk() == b"first"
        await asyncio.wait_for(gate.reached.wait(), DEADLINE)
        if end == "cancel":
            stream.cancel()
            with pytest.raises(asyncio.CancelledError):
                await stream.finished()
        else:
            stream.leave()
            if path == "/waits":
                gate.opened.set()
            await stream.finished()


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/users/1", ("GET", "/users/{id}", "200", "complete")),
        ("HEAD", "/users/1", ("HEAD", "/users/{id}", "200", "complete")),
        ("POST", "/users/1", ("POST", "/users/{id}", "200", "complete")),
        ("PUT", "/users/1", ("PUT", "<unmatched>", "405", "complete")),
        ("GET", "/users/x", ("GET", "<unmatched>", "404", "complete")),
        ("BREW", "/users/1", ("_OTHER", "<unmatched>", "405", "complete")),
        ("GET", "/teapot", ("GET", "/teapot", "418", "complete")),
        ("GET", "/fails", ("GET", "/fails", "500", "error")),
        ("HEAD", "/stream", ("HEAD", "/stream", "200", "complete")),
    ],
    ids=" ".join,
)
async def test_a_request_is_counted_once_by_what_it_asked_for_and_what_it_got(
    method: str, path: str, expected: tuple[str, str, str, str]
) -> None:
    app, registry, _ = make_app()
    await http_request(app, method, path)
    assert counted(registry) == {expected: 1}
    for name in ("duration", "first_byte"):
        assert total(registry, f"http_request_{name}_seconds_count") == 1
    assert total(registry, "http_response_size_bytes_count") == 1
    assert samples(registry, "http_requests_in_progress") == {
        frozenset(expected[:2]): 0
    }


async def test_a_stream_is_counted_when_its_last_byte_was_sent() -> None:
    app, registry, gate = make_app()
    async with http_stream(app, "GET", "/stream") as stream:
        assert await stream.chunk() == b"first"
        # The handler has returned, and the first byte was sent.
        then = perf_counter()
        await asyncio.wait_for(gate.reached.wait(), DEADLINE)
        assert counted(registry) == {}
        assert total(registry, "http_requests_in_progress") == 1
        waited = perf_counter() - then
        gate.opened.set()
        assert await stream.chunk() == b"second"
        assert await stream.chunk() == b""
        await stream.finished()
    assert counted(registry) == {("GET", "/stream", "200", "complete"): 1}
    assert total(registry, "http_response_size_bytes_sum") == len(b"firstsecond")
    duration = total(registry, "http_request_duration_seconds_sum")
    first_byte = total(registry, "http_request_first_byte_seconds_sum")
    assert duration - first_byte > waited
    assert gate.times_closed == 1


@pytest.mark.parametrize("end", ["leave", "cancel"])
@pytest.mark.parametrize(("path", "status"), [("/stream", "200"), ("/waits", "")])
async def test_what_is_cut_short_is_cancelled(path: str, status: str, end: str) -> None:
    app, registry, gate = make_app()
    if (path, end) == ("/waits", "leave"):
        # A handler is not cancelled when its client leaves.
        status = "204"
    await leave_or_cancel(app, path, gate, end)
    outcome = "complete" if status == "204" else "cancelled"
    assert counted(registry) == {("GET", path, status, outcome): 1}
    assert total(registry, "http_request_duration_seconds_count") == 1
    assert total(registry, "http_request_first_byte_seconds_count") == bool(status)
    assert total(registry, "http_requests_in_progress") == 0


async def test_a_client_that_leaves_before_its_upload_was_read_is_cancelled() -> None:
    app, registry, _ = make_app()
    async with http_stream(app, "POST", "/users/1", content=None) as stream:
        await stream.upload(b"some")
        stream.leave()
        await stream.finished()
    assert counted(registry) == {("POST", "/users/{id}", "", "cancelled"): 1}
    assert total(registry, "http_requests_in_progress") == 0


async def test_a_client_that_leaves_while_a_chunk_is_sent_is_cancelled() -> None:
    app, registry, gate = make_app()
    gate.opened.set()
    async with http_stream(app, "GET", "/stream") as stream:
        await stream.blocked()
        stream.leave(send_raises=True)
        await stream.finished()
    assert counted(registry) == {("GET", "/stream", "200", "cancelled"): 1}
    assert gate.times_closed == 1


async def test_a_body_that_fails_is_an_error_with_the_status_that_was_sent() -> None:
    app, registry, _ = make_app()
    with pytest.raises(ZeroDivisionError):
        await http_request(app, "GET", "/breaks")
    assert counted(registry) == {("GET", "/breaks", "200", "error"): 1}
    assert total(registry, "http_response_size_bytes_sum") == len(b"first")
    assert total(registry, "http_requests_in_progress") == 0


async def test_a_stream_that_was_refused_while_draining_is_cancelled() -> None:
    app, registry, _ = make_app()
    await app.drain()
    assert (await http_request(app, "GET", "/stream")).status == 503
    assert counted(registry) == {("GET", "/stream", "200", "cancelled"): 1}


async def test_an_answer_that_a_middleware_drops_is_an_error() -> None:
    app, registry, _ = make_app()

    async def drop(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        content: Content,
        handler: NextHandler,
    ) -> HttpResponse:
        await handler(scope, info, matches, content)
        return 204

    app.middlewares.insert(0, drop)
    await http_request(app, "GET", "/users/1")
    assert counted(registry) == {("GET", "/users/{id}", "200", "error"): 1}
    assert total(registry, "http_requests_in_progress") == 0


# --- sizes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "sizes"),
    [
        (b"4", (1, 4)),
        (b"0", (1, 0)),
        (b"x", (0, 0)),
        (b"9" * 30, (0, 0)),
        (None, (0, 0)),
    ],
    ids=str,
)
async def test_the_size_of_a_request_is_its_content_length(
    value: bytes | None, sizes: tuple[int, int]
) -> None:
    app, registry, _ = make_app()
    headers = [(b"accept", b"*/*")]
    if value is not None:
        headers.append((b"content-length", value))
    scope = {"headers": headers}
    for _ in range(2):
        with contextlib.suppress(Exception):
            await http_request(app, "POST", "/teapot", scope=scope)
    found = [
        total(registry, f"http_request_size_bytes_{name}") for name in ("count", "sum")
    ]
    assert found == [2 * each for each in sizes]


async def test_the_size_of_a_response_is_what_was_sent_of_its_body() -> None:
    app, registry, _ = make_app()
    size = "http_response_size_bytes_sum"
    await http_request(app, "GET", "/users/1")
    assert total(registry, size) == len("user 1")
    await http_request(app, "HEAD", "/users/1")
    await http_request(app, "HEAD", "/stream")
    assert total(registry, size) == len("user 1")
    assert total(registry, "http_response_size_bytes_count") == 3


@pytest.mark.parametrize(
    "chunk", [b"12345678", bytearray(8), memoryview(b"12345678").cast("I")], ids=type
)
async def test_chunks_of_any_kind_are_counted_in_bytes(chunk: Any) -> None:
    app, registry, _ = make_app()

    @app.on_http_request({"GET"}, "/chunk")
    async def show(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        async def body() -> AsyncIterator[bytes]:
            yield b""
            yield chunk

        return 200, None, body()

    assert len((await http_request(app, "GET", "/chunk")).body) == 8
    assert total(registry, "http_response_size_bytes_sum") == 8


async def test_what_is_no_chunk_is_left_to_the_core_to_refuse() -> None:
    app, registry, _ = make_app()

    @app.on_http_request({"GET"}, "/chunk")
    async def show(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        async def body() -> AsyncIterator[Any]:
            yield "text"

        return 200, None, body()

    with pytest.raises(TypeError, match="a body must produce bytes, not str"):
        await http_request(app, "GET", "/chunk")
    assert sum(counted(registry).values()) == 1


# --- what a stream is wrapped in ------------------------------------------------------


class Chunks:
    """A body with an iterator of its own, that counts what is done to them."""

    def __init__(self) -> None:
        self.closed: list[str] = []

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.iterate()

    async def iterate(self) -> AsyncGenerator[bytes, None]:
        try:
            yield b"one"
            yield b"two"
        finally:
            self.closed.append("iterator")

    async def aclose(self) -> None:
        self.closed.append("body")


class Plain:
    """A body without `aclose`."""

    def __init__(self) -> None:
        self.chunks = [b"one", b"two"]

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if not self.chunks:
            raise StopAsyncIteration
        return self.chunks.pop(0)


def serving(make_body: Callable[[], HttpResponse]) -> tuple[Application, Any]:
    app, registry, _ = make_app()

    async def show(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return make_body()

    app.http_router.add({"GET"}, "/body", show)
    return app, registry


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_body_of_a_stream_is_closed_once_after_its_iterator(
    method: str,
) -> None:
    body = Chunks()
    app, _ = serving(lambda: (200, None, body))
    response = await http_request(app, method, "/body")
    if method == "GET":
        assert response.chunks == [b"one", b"two"]
        assert body.closed == ["iterator", "body"]
    else:
        assert body.closed == ["body"]


async def test_a_body_that_cannot_be_closed_is_sent() -> None:
    app, registry = serving(lambda: (200, None, Plain()))
    assert (await http_request(app, "GET", "/body")).chunks == [b"one", b"two"]
    assert counted(registry) == {("GET", "/body", "200", "complete"): 1}


async def test_trailers_are_kept() -> None:
    app, _ = serving(
        lambda: (200, None, with_trailers(Plain(), lambda: [(b"x-sum", b"6")]))
    )
    response = await http_request(
        app,
        "GET",
        "/body",
        headers=[(b"te", b"trailers")],
        scope={"extensions": {"http.response.trailers": {}}},
    )
    assert response.messages[-1]["headers"] == [(b"x-sum", b"6")]


@pytest.mark.parametrize(
    ("headers", "size"),
    [([(b"content-length", b"6")], 6), ([], 0)],
    ids=["with a length", "without"],
)
async def test_a_file_that_the_server_sends_is_counted_by_its_length(
    headers: list[Header], size: int
) -> None:
    app, registry = serving(lambda: (200, headers, with_path(Plain(), "/a")))
    for extensions in ({"http.response.pathsend": {}}, None):
        await http_request(app, "GET", "/body", scope={"extensions": extensions})
    assert counted(registry) == {("GET", "/body", "200", "complete"): 2}
    assert total(registry, "http_response_size_bytes_sum") == size + len("onetwo")


# --- WebSockets -----------------------------------------------------------------------


async def test_websockets_are_counted_while_they_are_open() -> None:
    app, registry, _ = make_app()
    name = "websockets_open"
    async with web_socket(app, "/echo/a") as first, web_socket(app, "/echo/b") as other:
        await first.send("hello")
        assert await first.receive() == "hello"
        assert samples(registry, name) == {frozenset({"/echo/{name}"}): 2}
        await other.send("fail")
        assert await other.receive() is None
        async with web_socket(app, "/missing") as refused:
            assert not refused.is_accepted
    assert samples(registry, name) == {
        frozenset({"/echo/{name}"}): 0,
        frozenset({"<unmatched>"}): 0,
    }


async def test_excluded_websockets_are_not_counted() -> None:
    app, registry, _ = make_app(exclude={"/echo/{name:str}", "<unmatched>"})
    for path in ("/echo/a", "/missing"):
        async with web_socket(app, path):
            assert samples(registry, "websockets_open") == {}


# --- parts ----------------------------------------------------------------------------


async def test_the_middleware_can_be_put_around_single_routes() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    app = Application()

    async def show(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, None, text_writer("")

    for path in ("/a", "/b"):
        app.http_router.add(
            {"GET"}, path, mw(metrics_middleware(metrics), handler=show)
        )
    app.http_router.add({"GET"}, "/c", show)
    for path in ("/a", "/b", "/c"):
        await http_request(app, "GET", path)
    assert {route for _, route, _, _ in counted(registry)} == {"/a", "/b"}


async def test_the_middleware_takes_options_or_metrics() -> None:
    registry = CollectorRegistry()
    middleware = metrics_middleware(registry, naming="otel")
    app = Application(middlewares=[middleware])
    await http_request(app, "GET", "/")
    assert total(registry, "http_server_request_duration_seconds_count") == 1
    with pytest.raises(TypeError, match="give Metrics, or options, not both"):
        metrics_middleware(Metrics(CollectorRegistry()), naming="otel")


def test_an_exchange_is_counted_once() -> None:
    registry = CollectorRegistry()
    scope = {"type": "http", "method": "GET", "headers": []}
    requests = Metrics(registry).requests(scope)
    assert requests is not None
    requests.in_progress.inc()
    exchange = Exchange(requests, scope, 200, 0.0, "complete")
    for _ in range(3):
        exchange.over()
    assert counted(registry) == {("GET", "<unmatched>", "200", "complete"): 1}
    assert total(registry, "http_requests_in_progress") == 0


async def test_bytes_that_cannot_be_sent_are_cancelled() -> None:
    registry = CollectorRegistry()
    scope = {"type": "http", "method": "GET", "headers": []}
    requests = Metrics(registry).requests(scope)
    assert requests is not None
    exchange = Exchange(requests, scope, 200, 0.0, "complete")
    with contextlib.suppress(BrokenPipeError), contextlib.ExitStack() as stack:
        # Called while the exception is on its way, as the core does at the end.
        stack.callback(exchange.over)
        raise BrokenPipeError("the client has left")
    assert counted(registry) == {("GET", "<unmatched>", "200", "cancelled"): 1}


async def test_a_body_that_fails_to_read_is_an_error() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"first"
        raise FileNotFoundError("gone")

    app, registry = serving(lambda: (200, None, body()))
    with pytest.raises(FileNotFoundError):
        await http_request(app, "GET", "/body")
    assert counted(registry) == {("GET", "/body", "200", "error"): 1}


async def test_concurrent_requests_do_not_disturb_each_other() -> None:
    app, registry, gate = make_app()
    waiting: list[Awaitable[Any]] = [
        asyncio.create_task(http_request(app, "GET", "/waits")) for _ in range(50)
    ]
    await asyncio.wait_for(gate.reached.wait(), DEADLINE)
    await asyncio.gather(*(http_request(app, "GET", f"/users/{n}") for n in range(50)))
    assert total(registry, "http_requests_in_progress") == 50
    gate.opened.set()
    await asyncio.gather(*waiting)
    assert sum(counted(registry).values()) == 100
    assert total(registry, "http_requests_in_progress") == 0
