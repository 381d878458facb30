"""One WebSocket: the handshake, messages both ways, and every way to its end."""

import asyncio
import gc
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import pytest

from bareasgi import (
    Application,
    HttpDisconnectError,
    HttpError,
    Info,
    Message,
    Route,
    RouteMatches,
    Scope,
    WebSocket,
    WebSocketHandler,
    WebSocketInternalError,
    WebSocketRouter,
)
from bareasgi.testing import ProtocolError, checked, http_request, web_socket

Work = Callable[[WebSocket], Awaitable[object]]

NO_EXTENSION: dict[str, Any] = {"extensions": {}}
DEADLINE = 10.0


def application(work: Work, path: str = "/socket") -> Application:
    """Make an application that serves its sockets with a function of the socket."""
    app = Application()

    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
    ) -> None:
        await work(web_socket)

    app.ws_router.add(path, handler)
    return app


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    async for message in socket:
        await socket.send(message)


# The handshake.


async def test_the_program_of_the_article_echoes_until_the_client_leaves() -> None:
    app = Application()

    @app.on_ws_request("/echo")
    async def echo(
        scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
    ) -> None:
        await web_socket.accept()
        while (message := await web_socket.receive()) is not None:
            await web_socket.send(message)
        await web_socket.close()

    async with web_socket(app, "/echo") as client:
        for message in ("text", b"bytes", "", b"", "☃"):
            await client.send(message)
            assert await client.receive() == message
        client.close(4000, "enough")
        await client.finished()
    assert [each["type"] for each in client.messages] == [
        "websocket.accept",
        *["websocket.send"] * 5,
    ]


async def test_iterating_gives_message_after_message_until_the_client_leaves() -> None:
    ended: list[int | None] = []

    async def work(socket: WebSocket) -> None:
        await echo(socket)
        ended.append(socket.code)

    async with web_socket(application(work), "/socket") as client:
        for message in ("a", b"b", "", b""):
            await client.send(message)
            assert await client.receive() == message
        client.close(4000)
        await client.finished()
    assert ended == [4000]


async def test_a_handler_gets_scope_info_matches_and_the_route() -> None:
    app = Application(info={"name": "Ada"})
    seen: list[Any] = []

    @app.on_ws_request("/users/{id:int}")
    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
    ) -> None:
        seen.extend([scope["path"], info, matches, scope["route"].path_format])
        await web_socket.accept()

    async with web_socket(app, "/users/12"):
        pass
    assert seen == ["/users/12", {"name": "Ada"}, {"id": 12}, "/users/{id}"]
    assert seen[1] is app.info


async def test_subprotocol_and_headers_go_into_the_handshake() -> None:
    async def work(socket: WebSocket) -> None:
        await socket.accept("b", [(b"x-one", b"1")])

    async with web_socket(
        application(work), "/socket", subprotocols=["a", "b"]
    ) as client:
        assert client.is_accepted
        assert client.subprotocol == "b"
        assert client.headers == [(b"x-one", b"1")]
        await client.finished()
    assert client.messages[0] == {
        "type": "websocket.accept",
        "subprotocol": "b",
        "headers": [(b"x-one", b"1")],
    }


@pytest.mark.parametrize("offered", [["a"], []])
async def test_a_subprotocol_that_was_not_offered_is_an_error(
    offered: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async def work(socket: WebSocket) -> None:
        await socket.accept("graphql-ws")

    async with web_socket(application(work), "/socket", subprotocols=offered) as client:
        assert client.response.status == 500
    assert "'graphql-ws' is not one that the client offers" in caplog.text


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x-one", b"1\r\nset-cookie: a=b")],
        [(b"X-One", b"1")],
        [("x-one", "1")],
        [(b"sec-websocket-protocol", b"a")],
    ],
    ids=["line break", "upper case", "str", "subprotocol"],
)
async def test_headers_that_must_not_be_sent_are_not(
    headers: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(socket: WebSocket) -> None:
        await socket.accept(None, headers)

    async with web_socket(application(work), "/socket") as client:
        assert not client.is_accepted
        assert client.response.status == 500
        assert client.response.body == b"Internal Server Error"
    assert "'/socket' failed" in caplog.text


async def test_without_the_extension_a_failure_before_accept_is_a_plain_close() -> None:
    async def work(socket: WebSocket) -> None:
        raise ValueError("secret")

    async with web_socket(application(work), "/socket", scope=NO_EXTENSION) as client:
        await client.finished()
    assert client.messages == [{"type": "websocket.close", "code": 1000}]


async def test_a_path_without_a_route_is_a_404_or_a_close() -> None:
    app = Application()
    async with web_socket(app, "/nowhere") as client:
        assert client.response.status == 404
        assert client.response.body == b"Not Found"
    assert [each["type"] for each in client.messages] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    async with web_socket(app, "/nowhere", scope=NO_EXTENSION) as client:
        await client.finished()
    assert client.messages == [{"type": "websocket.close", "code": 1000}]


async def test_a_handler_that_does_not_accept_refuses() -> None:
    async def work(socket: WebSocket) -> None:
        pass

    for extensions in ({}, {"websocket.http.response": {}}, None):
        async with web_socket(
            application(work), "/socket", scope={"extensions": extensions}
        ) as client:
            assert client.code == 1000
        assert client.messages == [{"type": "websocket.close", "code": 1000}]


async def test_a_handler_may_close_before_it_accepts() -> None:
    async def work(socket: WebSocket) -> None:
        await socket.close(4001, "not you")
        assert socket.code == 4001

    async with web_socket(application(work), "/socket") as client:
        await client.finished()
    assert client.messages == [
        {"type": "websocket.close", "code": 4001, "reason": "not you"}
    ]


async def test_an_http_error_before_accept_is_the_response(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work(socket: WebSocket) -> None:
        raise HttpError(401, "who are you?", [(b"www-authenticate", b"basic")])

    async with web_socket(application(work), "/socket") as client:
        assert client.response.status == 401
        assert client.response.text == "who are you?"
        assert (b"www-authenticate", b"basic") in client.response.headers
    assert caplog.records == []


async def test_the_response_to_a_handshake_may_be_a_stream() -> None:
    closed: list[bool] = []

    async def body() -> AsyncIterator[bytes]:
        try:
            yield b"one"
            await asyncio.sleep(0)
            yield b"two"
        finally:
            closed.append(True)

    async def work(socket: WebSocket) -> None:
        raise HttpError(403, body())

    async with web_socket(application(work), "/socket") as client:
        assert client.response.chunks == [b"one", b"two"]
    assert closed == [True]


async def test_a_client_that_leaves_cancels_a_response_to_the_handshake() -> None:
    began, closed = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        try:
            yield b"one"
            began.set()
            await asyncio.Event().wait()
        finally:
            closed.set()

    async def work(socket: WebSocket) -> None:
        raise HttpError(403, body())

    wire = Wire()
    task = asyncio.create_task(wire.call(application(work)))
    await began.wait()
    wire.put({"type": "websocket.receive", "text": "too early"})
    wire.put({"type": "websocket.disconnect", "code": 1006})
    await asyncio.wait_for(task, DEADLINE)
    assert closed.is_set()


async def test_any_other_error_before_accept_is_a_constant_500(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work(socket: WebSocket) -> None:
        raise ValueError("secret")

    async with web_socket(application(work), "/socket") as client:
        assert client.response.status == 500
        assert client.response.body == b"Internal Server Error"
    (record,) = caplog.records
    assert record.exc_info is not None
    assert "secret" in str(record.exc_info[1])


async def test_a_disconnect_error_of_something_else_is_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work(socket: WebSocket) -> None:
        raise HttpDisconnectError("of an upstream, not of this client")

    async with web_socket(application(work), "/socket") as client:
        assert client.response.status == 500
    assert "of an upstream" in caplog.text


async def test_a_client_that_left_before_the_handshake_never_meets_the_handler() -> (
    None
):
    async def work(socket: WebSocket) -> None:
        raise AssertionError("the handler was called")

    wire = Wire([{"type": "websocket.disconnect", "code": 1006}])
    await wire.call(application(work))
    assert wire.sent == []


async def test_a_client_that_leaves_during_the_handshake_ends_it_quietly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wire = Wire(raises=BrokenPipeError("gone"))
    await wire.call(application(echo))
    assert caplog.records == []


# Messages.


@pytest.mark.parametrize("content", ["text", "", b"bytes", b""])
async def test_str_is_text_and_bytes_are_binary(content: str | bytes) -> None:
    async def work(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send(content)

    async with web_socket(application(work), "/socket") as client:
        assert await client.receive() == content
        assert await client.receive() is None
    key = "text" if isinstance(content, str) else "bytes"
    assert client.messages[1] == {"type": "websocket.send", key: content}


@pytest.mark.parametrize("content", [bytearray(b"abc"), memoryview(b"abc")])
async def test_other_buffers_are_sent_as_bytes(content: Any) -> None:
    async def work(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send(content)

    async with web_socket(application(work), "/socket") as client:
        assert await client.receive() == b"abc"
    assert type(client.messages[1]["bytes"]) is bytes


@pytest.mark.parametrize("content", [None, 1, ["a"], {"a": 1}])
async def test_anything_else_cannot_be_sent(content: Any) -> None:
    errors: list[ValueError] = []

    async def work(socket: WebSocket) -> None:
        await socket.accept()
        with pytest.raises(ValueError, match="str or bytes") as raised:
            await socket.send(content)
        errors.append(raised.value)
        await socket.send("still open")

    async with web_socket(application(work), "/socket") as client:
        assert await client.receive() == "still open"
    assert type(content).__name__ in str(errors[0])


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"text": "a"}, "a"),
        ({"text": "a", "bytes": None}, "a"),
        ({"text": None, "bytes": b"a"}, b"a"),
        ({"bytes": b"a"}, b"a"),
        ({"text": "", "bytes": None}, ""),
        ({"text": None, "bytes": b""}, b""),
    ],
)
async def test_servers_may_leave_out_a_key_or_set_it_to_none(
    message: dict[str, Any], expected: str | bytes
) -> None:
    received: list[str | bytes | None] = []

    async def work(socket: WebSocket) -> None:
        await socket.accept()
        received.append(await socket.receive())

    wire = Wire([CONNECT, {"type": "websocket.receive", **message}])
    await wire.call(application(work))
    assert received == [expected]


async def test_concurrent_senders_take_turns_in_the_order_of_their_calls() -> None:
    async def work(socket: WebSocket) -> None:
        await socket.accept()
        async with asyncio.TaskGroup() as group:
            for number in range(100):
                group.create_task(socket.send(str(number)))

    async with web_socket(application(work), "/socket", buffer=0) as client:
        assert [m async for m in client] == [str(number) for number in range(100)]


async def test_a_sender_that_gives_up_lets_the_next_one_send() -> None:
    async def work(socket: WebSocket) -> None:
        await socket.accept()
        tasks = [asyncio.create_task(socket.send(str(n))) for n in range(4)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.wait(tasks)
        assert [task.cancelled() for task in tasks] == [False, True, False, False]

    async with web_socket(application(work), "/socket", buffer=0) as client:
        assert [m async for m in client] == ["0", "2", "3"]


async def test_a_handler_that_never_waits_lets_others_run() -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    async def work(socket: WebSocket) -> None:
        await socket.accept()
        for _ in range(200_000):
            await socket.send("more")

    wire = Wire()
    other = asyncio.create_task(tick())
    await wire.call(application(work))
    other.cancel()
    assert ticks > 5


async def test_a_timeout_of_receive_loses_no_message() -> None:
    received: list[str | bytes | None] = []

    async def work(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send("ready")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await socket.receive()
        # Long enough that a message is received ahead, and that a wait for it ends.
        for _ in range(20):
            await asyncio.sleep(0.01)
            await socket.send("tick")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await socket.receive()
        await socket.send("now")
        received.extend([await socket.receive(), await socket.receive()])

    async with web_socket(application(work), "/socket") as client:
        while await client.receive() != "now":
            pass
        await client.send("one")
        await client.send("two")
        await client.finished()
    assert received == ["one", "two"]


async def test_one_message_is_received_ahead_and_no_more() -> None:
    wire = Wire([CONNECT, *(text(str(number)) for number in range(5))])
    seen: list[int] = []
    received: list[str | bytes | None] = []

    async def work(socket: WebSocket) -> None:
        await socket.accept()
        for _ in range(20):
            await socket.send("tick")
            await asyncio.sleep(0.01)
        seen.append(wire.received)
        received.extend([await socket.receive() for _ in range(5)])

    await wire.call(application(work))
    assert seen == [2]
    assert received == ["0", "1", "2", "3", "4"]


async def test_two_that_receive_at_once_are_told_so() -> None:
    async def work(socket: WebSocket) -> None:
        await socket.accept()
        first = asyncio.create_task(socket.receive())
        await asyncio.sleep(0)
        with pytest.raises(WebSocketInternalError, match="received from already"):
            await socket.receive()
        await socket.send("go on")
        assert await first == "hello"

    async with web_socket(application(work), "/socket") as client:
        assert await client.receive() == "go on"
        await client.send("hello")
        await client.finished()


# The end.


async def test_a_handler_that_returns_closes_with_1000() -> None:
    async def work(socket: WebSocket) -> None:
        await socket.accept()

    async with web_socket(application(work), "/socket") as client:
        assert await client.receive() is None
        assert client.code == 1000
    assert client.messages[-1] == {"type": "websocket.close", "code": 1000}


@pytest.mark.parametrize("error", [ValueError("secret"), HttpError(404, "secret")])
async def test_a_handler_that_fails_closes_with_1011(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(socket: WebSocket) -> None:
        await socket.accept()
        raise error

    async with web_socket(application(work), "/socket") as client:
        assert await client.receive() is None
    assert client.messages[-1] == {"type": "websocket.close", "code": 1011}
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert record.exc_info[1] is error


async def test_a_handler_that_is_cancelled_from_within_has_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work(socket: WebSocket) -> None:
        await socket.accept()
        raise asyncio.CancelledError

    async with web_socket(application(work), "/socket") as client:
        assert await client.receive() is None
    assert client.code == 1011
    assert "cancelled from within" in caplog.text


async def test_a_handler_that_fails_after_it_closed_is_logged_and_no_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close(4000)
        await socket.send("too late")

    async with web_socket(application(work), "/socket") as client:
        await client.finished()
    assert client.code == 4000
    assert "it was closed, with the code 4000" in caplog.text


async def test_code_and_reason_of_the_client_are_known_at_the_end() -> None:
    seen: list[object] = []

    async def work(socket: WebSocket) -> None:
        await socket.accept()
        seen.extend([socket.code, socket.reason])
        seen.append(await socket.receive())
        seen.extend([socket.code, socket.reason])
        seen.append(await socket.receive())

    async with web_socket(application(work), "/socket") as client:
        client.close(4321, "bye")
    assert seen == [None, None, None, 4321, "bye", None]


@pytest.mark.parametrize("message", [{}, {"code": None}])
async def test_a_disconnect_without_a_code_is_1005(message: dict[str, Any]) -> None:
    seen: list[object] = []

    async def work(socket: WebSocket) -> None:
        await socket.accept()
        assert await socket.receive() is None
        seen.extend([socket.code, socket.reason])

    wire = Wire([CONNECT, {"type": "websocket.disconnect", **message}])
    await wire.call(application(work))
    assert seen == [1005, None]


async def test_after_the_client_left_closing_does_nothing_and_sending_ends_quietly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[str] = []

    async def work(socket: WebSocket) -> None:
        await socket.accept()
        assert await socket.receive() is None
        await socket.close(4000)
        assert socket.code == 1001
        done.append("closed")
        await socket.send("nobody is there")

    async with web_socket(application(work), "/socket") as client:
        client.close(1001)
    assert done == ["closed"]
    assert [each["type"] for each in client.messages] == ["websocket.accept"]
    assert caplog.records == []


async def test_another_error_after_the_client_left_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work(socket: WebSocket) -> None:
        await socket.accept()
        assert await socket.receive() is None
        raise ValueError("in the clean-up")

    async with web_socket(application(work), "/socket"):
        pass
    assert "in the clean-up" in caplog.text


async def test_a_server_that_cannot_send_has_lost_the_client(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[object] = []

    async def work(socket: WebSocket) -> None:
        await socket.accept()
        with pytest.raises(WebSocketInternalError, match="the client has left"):
            await socket.send("a")
        seen.extend([socket.code, await socket.receive()])
        await socket.send("b")

    wire = Wire(raises=BrokenPipeError("gone"), raises_after=1)
    await wire.call(application(work))
    assert seen == [1006, None]
    assert len(wire.sent) == 2
    assert caplog.records == []


async def test_a_server_that_cannot_close_is_not_the_handlers_trouble() -> None:
    async def work(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()
        assert socket.code == 1000

    wire = Wire(raises=BrokenPipeError("gone"), raises_after=1)
    await wire.call(application(work))


async def test_what_a_server_raises_otherwise_leaves_the_call() -> None:
    async def work(socket: WebSocket) -> None:
        await socket.accept()

    wire = Wire(raises=RuntimeError("a bug of the server"), raises_after=1)
    with pytest.raises(RuntimeError, match="a bug of the server"):
        await wire.call(application(work))


@pytest.mark.parametrize("send_raises", [False, True])
async def test_a_handler_blocked_in_send_ends_when_the_client_leaves(
    send_raises: bool,  # noqa: FBT001 - a parameter of the test
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended = asyncio.Event()

    async def work(socket: WebSocket) -> None:
        await socket.accept()
        try:
            while True:
                await socket.send("more")
        finally:
            ended.set()

    async with web_socket(application(work), "/socket", buffer=3) as client:
        await client.blocked()
        client.leave(send_raises=send_raises)
        await client.finished()
    assert ended.is_set()
    assert caplog.records == []


async def test_a_handler_whose_send_never_returns_ends_when_the_client_leaves() -> None:
    ended: list[str] = []

    async def work(socket: WebSocket) -> None:
        await socket.accept()
        try:
            await socket.send("more")
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    wire = Wire(blocks_after=1)
    task = asyncio.create_task(wire.call(application(work)))
    await wire.is_blocked.wait()
    wire.put({"type": "websocket.disconnect", "code": 1006})
    await asyncio.wait_for(task, DEADLINE)
    assert ended == ["cancelled"]
    assert len(wire.sent) == 2


async def test_a_close_that_never_returns_ends_when_the_client_leaves() -> None:
    async def work(socket: WebSocket) -> None:
        await socket.accept()

    wire = Wire(blocks_after=1)
    task = asyncio.create_task(wire.call(application(work)))
    await wire.is_blocked.wait()
    wire.put({"type": "websocket.disconnect", "code": 1006})
    await asyncio.wait_for(task, DEADLINE)


async def test_those_who_wait_to_send_learn_that_the_client_has_left() -> None:
    errors: list[BaseException | None] = []

    async def work(socket: WebSocket) -> None:
        await socket.accept()
        tasks = [asyncio.create_task(socket.send(str(n))) for n in range(3)]
        assert await socket.receive() is None
        await asyncio.wait(tasks)
        errors.extend(task.exception() for task in tasks)

    async with web_socket(application(work), "/socket", buffer=0) as client:
        await client.blocked()
        client.leave()
    assert [type(error) for error in errors] == [
        type(None),
        WebSocketInternalError,
        WebSocketInternalError,
    ]


async def test_a_handler_that_only_sends_ends_after_its_client_left() -> None:
    """Though its server tells nothing, and drops what is sent."""
    ended = asyncio.Event()

    async def work(socket: WebSocket) -> None:
        await socket.accept()
        try:
            while True:
                await socket.send("tick")
                await asyncio.sleep(0.01)
        finally:
            ended.set()

    async with web_socket(application(work), "/socket") as client:
        assert await client.receive() == "tick"
        client.leave()
        await client.finished()
    assert ended.is_set()


async def test_a_client_that_left_while_messages_wait_is_told_after_them() -> None:
    received: list[str | bytes | None] = []

    async def work(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send("a")
        await asyncio.sleep(0.1)
        received.extend([await socket.receive() for _ in range(4)])

    wire = Wire([CONNECT, text("1"), text("2"), DISCONNECT])
    await wire.call(application(work))
    assert received == ["1", "2", None, None]


async def test_a_message_that_came_ahead_is_not_given_after_close() -> None:
    received: list[str | bytes | None] = []

    async def work(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send("a")
        await asyncio.sleep(0.1)
        await socket.close()
        received.append(await socket.receive())

    wire = Wire([CONNECT, text("1")])
    await wire.call(application(work))
    assert received == [None]


async def test_a_watch_that_fails_raises_where_the_handler_receives() -> None:
    async def work(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send("a")
        await asyncio.sleep(0.1)
        with pytest.raises(ZeroDivisionError):
            await socket.receive()

    wire = Wire([CONNECT, ZeroDivisionError()])
    await wire.call(application(work))


# Out of order.


async def test_an_accept_that_was_cancelled_before_it_was_sent_accepts_nothing() -> (
    None
):
    async def work(socket: WebSocket) -> None:
        # So long that whoever sends gives way first, and may be cancelled there.
        began = time.monotonic()
        while time.monotonic() - began < 0.02:
            pass
        accepting = asyncio.create_task(socket.accept())
        await asyncio.sleep(0)
        accepting.cancel()
        await asyncio.wait([accepting])
        assert accepting.cancelled()
        with pytest.raises(WebSocketInternalError):
            await socket.send("a")

    async with web_socket(application(work), "/socket") as client:
        await client.finished()
    assert client.messages == [{"type": "websocket.close", "code": 1000}]


async def test_nothing_goes_before_accept() -> None:
    async def work(socket: WebSocket) -> None:
        for using in (socket.send("a"), socket.receive()):
            with pytest.raises(WebSocketInternalError, match="accept"):
                await using
        await socket.accept()

    async with web_socket(application(work), "/socket") as client:
        assert client.is_accepted


async def test_a_socket_is_accepted_once() -> None:
    async def work(socket: WebSocket) -> None:
        await socket.accept()
        with pytest.raises(WebSocketInternalError, match="accepted before"):
            await socket.accept()
        await socket.close()
        with pytest.raises(WebSocketInternalError, match="closed"):
            await socket.accept()

    async with web_socket(application(work), "/socket") as client:
        await client.finished()
    assert [each["type"] for each in client.messages] == [
        "websocket.accept",
        "websocket.close",
    ]


async def test_a_socket_that_was_closed_is_closed() -> None:
    async def work(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close(4000, "done")
        await socket.close(4001, "again")
        assert (socket.code, socket.reason) == (4000, "done")
        assert await socket.receive() is None
        with pytest.raises(WebSocketInternalError, match="closed, with the code 4000"):
            await socket.send("a")

    async with web_socket(application(work), "/socket") as client:
        await client.finished()
    assert client.messages[1:] == [
        {"type": "websocket.close", "code": 4000, "reason": "done"}
    ]


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, "1000"])
async def test_a_code_that_no_frame_may_carry_is_a_value_error(code: Any) -> None:
    async def work(socket: WebSocket) -> None:
        await socket.accept()
        with pytest.raises(ValueError, match="close code"):
            await socket.close(code)

    async with web_socket(application(work), "/socket") as client:
        await client.finished()
    assert client.code == 1000


async def test_a_reason_has_at_most_123_bytes() -> None:
    async def work(socket: WebSocket) -> None:
        await socket.accept()
        with pytest.raises(ValueError, match="longer than 123 bytes"):
            await socket.close(1000, "ü" * 62)
        await socket.close(1000, "ü" * 61)

    async with web_socket(application(work), "/socket") as client:
        await client.finished()
    assert client.reason == "ü" * 61


# Middlewares and routers.


async def test_middlewares_wrap_the_handler_first_outermost() -> None:
    order: list[str] = []

    def noting(name: str) -> Any:
        async def middleware(
            scope: Scope,
            info: Info,
            matches: RouteMatches,
            web_socket: WebSocket,
            handler: WebSocketHandler,
        ) -> None:
            order.append(f"{name} in")
            await handler(scope, info, matches, web_socket)
            order.append(f"{name} out")

        return middleware

    app = Application(ws_middlewares=[noting("a")])
    app.ws_middlewares.append(noting("b"))

    @app.on_ws_request("/socket")
    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
    ) -> None:
        order.append("handler")
        await web_socket.accept()

    async with web_socket(app, "/socket"):
        pass
    assert order == ["a in", "b in", "handler", "b out", "a out"]
    order.clear()
    async with web_socket(app, "/nowhere") as client:
        assert client.response.status == 404
    assert order == ["a in", "b in"]


async def test_a_middleware_may_refuse() -> None:
    async def refuse(
        scope: Scope,
        info: Info,
        matches: RouteMatches,
        web_socket: WebSocket,
        handler: WebSocketHandler,
    ) -> None:
        raise HttpError(403, "Forbidden")

    app = application(echo)
    app.ws_middlewares.insert(0, refuse)
    async with web_socket(app, "/socket") as client:
        assert client.response.status == 403


class Resolver:
    """A router of the user's own: any object with the methods."""

    def __init__(self, answer: WebSocketHandler | Exception | None) -> None:
        self.answer = answer

    def add(self, path: str, callback: WebSocketHandler) -> None:
        self.answer = callback

    def resolve(self, path: str) -> tuple[WebSocketHandler | None, RouteMatches]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer, {"path": path}


@pytest.mark.parametrize("answer", [ValueError("no"), KeyError("no"), None])
async def test_a_router_may_raise_or_give_none_for_no_route(
    answer: Exception | None,
) -> None:
    router: Any = Resolver(answer)
    async with web_socket(Application(ws_router=router), "/socket") as client:
        assert client.response.status == 404


async def test_a_router_of_the_user_s_own_needs_only_resolve() -> None:
    router: Any = Resolver(None)
    app = Application(web_socket_router=router)
    assert app.ws_router is router

    @app.on_ws_request("/any")
    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
    ) -> None:
        assert "route" not in scope
        await web_socket.accept()
        await web_socket.send(str(dict(matches)))

    # That of an application around this one.
    route = Route("/", "/")
    async with web_socket(app, "/socket", scope={"route": route}) as client:
        assert await client.receive() == "{'path': '/socket'}"
    assert app.routes == ()


def test_a_router_class_tells_routes_and_finds_by_resolving() -> None:
    class Router(Resolver, WebSocketRouter):
        pass

    router = Router(None)
    assert router.find("/a") == (None, {"path": "/a"}, None)
    assert router.routes == ()


def test_the_router_has_one_of_two_names() -> None:
    router: Any = Resolver(None)
    with pytest.raises(TypeError, match="give either"):
        Application(ws_router=router, web_socket_router=router)


# The call, and what is left of it.


async def test_cancelling_the_call_cancels_the_handler() -> None:
    seen: list[str] = []

    async def work(socket: WebSocket) -> None:
        await socket.accept()
        try:
            await socket.receive()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        finally:
            await asyncio.sleep(0)
            seen.append("closed")

    async with web_socket(application(work), "/socket") as client:
        client.cancel()
        with pytest.raises(asyncio.CancelledError):
            await client.finished()
    assert seen == ["cancelled", "closed"]


async def test_a_handler_that_will_not_be_cancelled_is_abandoned(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bareasgi.tasks.CLOSING_TIME", 0.05)
    gate = asyncio.Event()

    async def work(socket: WebSocket) -> None:
        await socket.accept()
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                continue

    async with web_socket(application(work), "/socket") as client:
        client.cancel()
        with pytest.raises(asyncio.CancelledError):
            await client.finished()
    assert "abandoned" in caplog.text
    gate.set()
    await asyncio.sleep(0.01)


async def test_cancelling_while_a_message_is_received_ahead_leaves_no_task() -> None:
    async def work(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send("a")
        await asyncio.sleep(3600)

    async with web_socket(application(work), "/socket") as client:
        assert await client.receive() == "a"
        await asyncio.sleep(0.1)
        client.cancel()
        with pytest.raises(asyncio.CancelledError):
            await client.finished()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("is_blocked", [True, False])
async def test_the_timer_of_a_socket_that_is_over_is_gone(
    is_blocked: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    async def work(socket: WebSocket) -> None:
        await socket.accept()
        await asyncio.sleep(0)
        if is_blocked:
            await socket.send("a")

    async with web_socket(application(work), "/socket") as client:
        await client.finished()
    loop: Any = asyncio.get_running_loop()
    timers = [each for each in loop._scheduled if not each.cancelled()]  # noqa: SLF001
    assert not any("Connection" in repr(each) for each in timers)


async def test_a_socket_is_freed_without_the_garbage_collector() -> None:
    class Thing:
        pass

    alive: list[Any] = []

    async def work(socket: WebSocket) -> None:
        thing = Thing()
        alive.append(id(thing))
        await socket.accept()
        await socket.send("a")
        await socket.receive()

    wire = Wire([CONNECT, text("1")])
    gc.collect()
    gc.disable()
    try:
        await wire.call(application(work))
        assert not any(type(each) is Thing for each in gc.get_objects())
    finally:
        gc.enable()


async def test_an_http_request_to_a_socket_s_path_is_a_404() -> None:
    response = await http_request(application(echo), "GET", "/socket")
    assert response.status == 404


async def test_the_checker_sees_what_sockets_send() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.send", "text": "before accept"})

    with pytest.raises(ProtocolError, match="out of order"):
        async with web_socket(app, "/"):
            pass


CONNECT: Message = {"type": "websocket.connect"}
DISCONNECT: Message = {"type": "websocket.disconnect", "code": 1000}


def text(content: str) -> Message:
    return {"type": "websocket.receive", "text": content}


class Wire:
    """A server that plays a script, and then waits for what is put."""

    def __init__(
        self,
        messages: Iterable[Message | Exception] = (CONNECT,),
        *,
        raises: Exception | None = None,
        raises_after: int = 0,
        blocks_after: int | None = None,
    ) -> None:
        self.sent: list[Message] = []
        self.received = 0
        self.is_blocked = asyncio.Event()
        self._raises = raises
        self._raises_after = raises_after
        self._blocks_after = blocks_after
        self._incoming: asyncio.Queue[Message | Exception] = asyncio.Queue()
        for message in messages:
            self._incoming.put_nowait(message)

    def put(self, message: Message) -> None:
        self._incoming.put_nowait(message)

    async def call(self, app: Application) -> None:
        scope = {
            "type": "websocket",
            "path": "/socket",
            "headers": [],
            "extensions": {"websocket.http.response": {}},
        }
        await checked(app)(scope, self.receive, self.send)

    async def receive(self) -> Message:
        message = await self._incoming.get()
        self.received += 1
        if isinstance(message, Exception):
            raise message
        return message

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        if len(self.sent) - 1 == self._blocks_after:
            self.is_blocked.set()
            await asyncio.Event().wait()
        if self._raises is not None and len(self.sent) > self._raises_after:
            raise self._raises


async def test_a_handler_that_refuses_late_leaves_nobody_else_receiving() -> None:
    app = Application()
    is_looked_after = asyncio.Event()

    async def receive() -> Message:
        if calls.pop():
            return {"type": "websocket.connect"}
        is_looked_after.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def reason() -> AsyncIterator[bytes]:
        for part in (b"not ", b"you"):
            await asyncio.sleep(0)
            yield part

    async def refuse(
        scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
    ) -> None:
        await is_looked_after.wait()
        raise HttpError(403, reason())

    async def send(message: Message) -> None:
        sent.append(message)

    app.ws_router.add("/", refuse)
    calls = [False, False, False, True]
    sent: list[Message] = []
    scope = {
        "type": "websocket",
        "path": "/",
        "headers": [],
        "extensions": {"websocket.http.response": {}},
    }
    async with asyncio.timeout(10):
        await checked(app)(scope, receive, send)
    assert sent[0]["status"] == 403
    assert b"".join(each.get("body", b"") for each in sent) == b"not you"


async def test_a_call_cancelled_while_a_late_refusal_begins_ends_as_cancelled() -> None:
    app = Application()
    is_looked_after = asyncio.Event()

    async def receive() -> Message:
        if calls.pop():
            return {"type": "websocket.connect"}
        is_looked_after.set()
        try:
            await asyncio.Event().wait()
        finally:
            call.cancel()
            await asyncio.sleep(0)
        raise AssertionError

    async def refuse(
        scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
    ) -> None:
        await is_looked_after.wait()
        raise HttpError(403)

    async def send(message: Message) -> None:
        sent.append(message)

    app.ws_router.add("/", refuse)
    calls = [False, True]
    sent: list[Message] = []
    scope = {
        "type": "websocket",
        "path": "/",
        "headers": [],
        "extensions": {"websocket.http.response": {}},
    }
    call = asyncio.create_task(checked(app)(scope, receive, send))
    async with asyncio.timeout(10):
        await asyncio.wait([call])
    assert call.cancelled()
    assert sent == []


@pytest.mark.parametrize("is_another", [False, True], ids=["the socket's", "another"])
async def test_only_another_error_of_a_task_group_is_logged_when_the_client_has_left(
    is_another: bool,  # noqa: FBT001 - of the table
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Application()

    @app.on_ws_request("/socket")
    async def send_after_the_end(
        scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
    ) -> None:
        async def send() -> None:
            await web_socket.send("too late")

        async def fail() -> None:
            raise LookupError

        await web_socket.accept()
        assert await web_socket.receive() is None
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(send())
            if is_another:
                tasks.create_task(fail())

    async with web_socket(app, "/socket") as client:
        client.leave()
        await client.finished()
    assert ("'/socket' failed" in caplog.text) is is_another
