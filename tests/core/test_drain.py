"""Ending what would go on for ever: streams and sockets."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bareasgi import (
    Application,
    Content,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    WebSocket,
    bytes_writer,
    text_writer,
)
from bareasgi.testing import http_request, http_stream, web_socket

ended: list[str] = []


@pytest.fixture(autouse=True)
def forget() -> None:
    ended.clear()


def application() -> Application:
    app = Application()

    @app.on_http_request({"GET"}, "/ticks")
    async def ticks(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        async def body() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"tick"
                    await asyncio.sleep(3600)
            finally:
                ended.append("ticks")

        return 200, None, body()

    @app.on_http_request({"GET"}, "/flood")
    async def flood(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        async def body() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"more"
            finally:
                ended.append("flood")

        return 200, None, body()

    @app.on_http_request({"GET", "POST"}, "/plain")
    async def plain(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, None, text_writer("plain")

    @app.on_ws_request("/echo")
    async def echo(
        scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
    ) -> None:
        await web_socket.accept()
        try:
            async for message in web_socket:
                await web_socket.send(message)
        finally:
            ended.append("echo")

    return app


async def test_streams_are_cancelled_and_cut() -> None:
    app = application()
    async with http_stream(app, "GET", "/ticks") as stream:
        assert await stream.chunk() == b"tick"
        assert not app.is_draining
        assert await app.drain(10)
        assert app.is_draining
        await stream.finished()
        assert stream.messages[-1].get("more_body") is True
    assert ended == ["ticks"]


async def test_a_stream_that_is_blocked_in_send_is_cancelled() -> None:
    app = application()
    async with http_stream(app, "GET", "/flood") as stream:
        await stream.blocked()
        assert await app.drain(10)
        await stream.finished()
    assert ended == ["flood"]


async def test_sockets_are_closed_with_1001() -> None:
    app = application()
    async with web_socket(app, "/echo") as client:
        await client.send("a")
        assert await client.receive() == "a"
        assert await app.drain(10)
        assert await client.receive() is None
        assert client.code == 1001
    assert ended == ["echo"]


@pytest.mark.parametrize(("code", "sent"), [(1000, 1001), (4000, 4000)])
async def test_a_handler_may_say_more_than_that_it_goes(code: int, sent: int) -> None:
    app = application()

    @app.on_ws_request("/polite")
    async def polite(
        scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
    ) -> None:
        await web_socket.accept()
        try:
            await web_socket.receive()
        except asyncio.CancelledError:
            await web_socket.send("good-bye")
            await web_socket.close(code)

    async with web_socket(app, "/polite") as client:
        assert await app.drain(10)
        assert await client.receive() == "good-bye"
        assert await client.receive() is None
        assert client.code == sent


async def test_a_socket_that_is_blocked_in_send_is_cancelled() -> None:
    app = application()

    @app.on_ws_request("/flood")
    async def flood(
        scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
    ) -> None:
        await web_socket.accept()
        while True:
            await web_socket.send("more")

    async with web_socket(app, "/flood", buffer=2) as client:
        await client.blocked()
        draining = asyncio.create_task(app.drain(10))
        async for _ in client:
            pass
        assert client.code == 1001
        assert await draining


async def test_a_socket_that_is_not_accepted_yet_is_refused() -> None:
    app = application()
    entered = asyncio.Event()

    @app.on_ws_request("/slow")
    async def slow(
        scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
    ) -> None:
        entered.set()
        await asyncio.sleep(3600)

    async def connect() -> int | None:
        async with web_socket(app, "/slow") as client:
            return client.code

    connecting = asyncio.create_task(connect())
    await entered.wait()
    assert await app.drain(10)
    assert await connecting == 1001


async def test_new_streams_and_sockets_are_refused_and_the_rest_is_answered() -> None:
    app = application()
    assert await app.drain(0)
    response = await http_request(app, "GET", "/ticks")
    assert (response.status, response.body) == (503, b"Service Unavailable")
    assert (b"content-length", b"19") in response.headers
    assert ended == []
    for method in ("GET", "POST"):
        response = await http_request(app, method, "/plain", content=b"upload")
        assert (response.status, response.text) == (200, "plain")
    async with web_socket(app, "/echo") as client:
        assert client.response.status == 503
    async with web_socket(app, "/echo", scope={"extensions": {}}) as client:
        assert not client.is_accepted
        assert client.code is not None


async def test_a_body_that_is_refused_is_closed() -> None:
    app = application()
    closed: list[str] = []

    class Body:
        def __aiter__(self) -> AsyncIterator[bytes]:
            raise AssertionError("the body was begun")

        async def aclose(self) -> None:
            closed.append("closed")

    @app.on_http_request({"GET"}, "/body")
    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, None, Body()

    await app.drain(0)
    assert (await http_request(app, "GET", "/body")).status == 503
    assert closed == ["closed"]


async def test_an_upload_that_blocks_a_plain_answer_is_let_go() -> None:
    app = application()
    release = asyncio.Event()

    async def receive() -> dict[str, object]:
        await release.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.body":
            await release.wait()

    scope = {"type": "http", "method": "POST", "path": "/plain", "headers": []}
    call = asyncio.create_task(app(scope, receive, send))
    await asyncio.sleep(0.01)
    assert not call.done()
    assert await app.drain(10)
    await call


async def test_a_good_bye_to_a_client_that_does_not_read_is_given_up() -> None:
    app = application()

    @app.on_ws_request("/polite")
    async def polite(
        scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
    ) -> None:
        await web_socket.accept()
        try:
            while True:
                await web_socket.send("more")
        finally:
            await web_socket.send("good-bye")

    async with web_socket(app, "/polite", buffer=2) as client:
        await client.blocked()
        assert await app.drain(3)
        await client.finished()


async def test_drain_waits_no_longer_than_it_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = application()
    gate = asyncio.Event()

    @app.on_ws_request("/stubborn")
    async def stubborn(
        scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
    ) -> None:
        await web_socket.accept()
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                continue

    async with web_socket(app, "/stubborn") as client:
        assert not await app.drain(0.05)
        assert "1 streams or sockets do not end" in caplog.text
        gate.set()
        assert await app.drain(10)
        assert await client.receive() is None


async def test_two_may_drain_at_once_and_one_may_give_up() -> None:
    app = application()
    async with http_stream(app, "GET", "/ticks") as stream:
        await stream.started()
        one, two = (asyncio.create_task(app.drain(10)) for _ in range(2))
        await asyncio.sleep(0)
        two.cancel()
        assert await one
        assert await app.drain(10)
    assert two.cancelled()


async def test_applications_drain_by_themselves() -> None:
    one, two = application(), application()
    async with http_stream(two, "GET", "/ticks") as stream:
        await stream.started()
        assert await one.drain(10)
        assert not two.is_draining
        assert await stream.chunk() == b"tick"


async def test_a_known_body_is_sent_while_draining() -> None:
    app = Application()

    @app.on_http_request({"GET"}, "/")
    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 503 if app.is_draining else 200, None, bytes_writer(b"ready?")

    assert (await http_request(app, "GET", "/")).status == 200
    await app.drain(0)
    assert (await http_request(app, "GET", "/")).status == 503
