"""What is received in place of a handler that does not receive itself."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

import pytest

from bareasgi import (
    Application,
    Info,
    Message,
    RouteMatches,
    Scope,
    WebSocket,
    WebSocketInternalError,
)
from bareasgi.testing import checked

CONNECT: Message = {"type": "websocket.connect"}
GONE: Message = {"type": "websocket.disconnect", "code": 1006}
DEADLINE = 10.0

Work = Callable[[WebSocket], Awaitable[object]]


def text(content: str) -> Message:
    return {"type": "websocket.receive", "text": content}


class Server:
    """Has messages from the beginning, and drops what is sent, as some do."""

    def __init__(self, messages: Iterable[Message | Exception]) -> None:
        self.messages = [CONNECT, *messages]
        self.received = 0
        self.more = asyncio.Event()

    async def receive(self) -> Message:
        while not self.messages:
            self.more.clear()
            await self.more.wait()
        self.received += 1
        message = self.messages.pop(0)
        if isinstance(message, Exception):
            raise message
        return message

    def put(self, message: Message) -> None:
        self.messages.append(message)
        self.more.set()

    async def send(self, message: Message) -> None:
        pass

    async def serve(self, work: Work, receive: Any = None) -> None:
        """Call an application that serves the socket with a function of it."""
        app = Application()

        @app.on_ws_request("/")
        async def handler(
            scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
        ) -> None:
            await web_socket.accept()
            await work(web_socket)

        scope = {"type": "websocket", "path": "/", "headers": []}
        async with asyncio.timeout(DEADLINE):
            if receive is None:
                await checked(app)(scope, self.receive, self.send)
            else:
                # The checker's own `receive` would stand before it.
                await app(scope, receive, self.send)


async def tick(socket: WebSocket) -> None:
    """Send for ever, and never receive."""
    while True:
        await socket.send("tick")
        await asyncio.sleep(0.005)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bareasgi.read_ahead.PATIENCE", 0.1)


async def test_a_client_that_left_is_noticed_though_nobody_receives() -> None:
    await Server([GONE]).serve(tick)


@pytest.mark.usefixtures("impatient")
async def test_a_client_that_left_is_noticed_behind_what_it_said() -> None:
    await Server([*map(text, "abc"), GONE]).serve(tick)


@pytest.mark.usefixtures("impatient")
async def test_a_handler_that_waits_for_something_else_is_looked_after_too() -> None:
    server = Server([text("a"), GONE])

    async def work(socket: WebSocket) -> None:
        async with asyncio.timeout(DEADLINE):
            while socket.code is None:  # noqa: ASYNC110 - nothing tells but the code
                await asyncio.sleep(0.005)
        with pytest.raises(WebSocketInternalError):
            await socket.send("nobody is there")

    await server.serve(work)


async def test_one_message_is_held_for_as_long_as_patience_lasts() -> None:
    server = Server(map(text, "abc"))

    async def work(socket: WebSocket) -> None:
        for _ in range(40):
            await socket.send("tick")
            await asyncio.sleep(0.005)
        assert server.received == 2
        assert [await socket.receive() for _ in "abc"] == [*"abc"]

    await server.serve(work)


@pytest.mark.usefixtures("impatient")
async def test_what_was_kept_is_received_in_order_and_then_the_rest() -> None:
    server = Server(map(text, "abc"))

    async def work(socket: WebSocket) -> None:
        while server.messages:
            await socket.send("tick")
            await asyncio.sleep(0.005)
        assert [await socket.receive() for _ in "abc"] == [*"abc"]
        server.put(text("d"))
        assert await socket.receive() == "d"
        server.put(GONE)
        assert await socket.receive() is None

    await server.serve(work)


@pytest.mark.usefixtures("impatient")
async def test_what_does_not_fit_is_dropped_and_that_is_told() -> None:
    large = "x" * 40_000
    server = Server(map(text, [large, large, "small"]))

    async def work(socket: WebSocket) -> None:
        while server.messages:
            await socket.send("tick")
            await asyncio.sleep(0.005)
        assert await socket.receive() == large
        with pytest.raises(WebSocketInternalError, match="dropped"):
            await socket.receive()

    await server.serve(work)


@pytest.mark.usefixtures("impatient")
async def test_many_empty_messages_are_many_all_the_same() -> None:
    server = Server(map(text, [""] * 1000))

    async def work(socket: WebSocket) -> None:
        while server.messages:
            await socket.send("tick")
            await asyncio.sleep(0.005)
        received: list[str | bytes | None] = []
        with pytest.raises(WebSocketInternalError, match="dropped"):
            await drain_into(received, socket)
        assert 1 <= len(received) < 1000

    await server.serve(work)


@pytest.mark.usefixtures("impatient")
async def test_a_server_that_fails_meanwhile_raises_in_receive() -> None:
    server = Server([text("a"), ZeroDivisionError()])

    async def work(socket: WebSocket) -> None:
        while server.messages:
            await socket.send("tick")
            await asyncio.sleep(0.005)
        assert await socket.receive() == "a"
        with pytest.raises(ZeroDivisionError):
            await socket.receive()

    await server.serve(work)


async def drain_into(received: list[str | bytes | None], socket: WebSocket) -> None:
    while True:
        received.append(await socket.receive())


class LossyReceive:
    """Gives awaitables that lose their message when they are cancelled.

    It is no function of Python: that is what a server in another language looks like.
    """

    def __init__(self, server: Server) -> None:
        self.server = server

    def __call__(self) -> Awaitable[Message]:
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self.server.received += 1
        message = self.server.messages.pop(0) if self.server.messages else GONE
        assert not isinstance(message, Exception)
        asyncio.get_running_loop().call_later(0.003, self._give, future, message)
        return future

    def _give(self, future: asyncio.Future[Message], message: Message) -> None:
        if not future.done():
            future.set_result(message)


async def test_a_timeout_loses_no_message_where_the_server_would() -> None:
    expected = [str(number) for number in range(30)]
    server = Server(map(text, expected))
    received: list[str | bytes] = []

    async def work(socket: WebSocket) -> None:
        while True:
            try:
                async with asyncio.timeout(0.001):
                    message = await socket.receive()
            except TimeoutError:
                continue
            if message is None:
                return
            received.append(message)

    await server.serve(work, LossyReceive(server))
    assert received == expected


async def test_such_a_server_too_is_received_from_by_one_at_a_time() -> None:
    server = Server([])

    async def work(socket: WebSocket) -> None:
        first = asyncio.create_task(socket.receive())
        await asyncio.sleep(0)
        with pytest.raises(WebSocketInternalError, match="received from already"):
            await socket.receive()
        server.put(text("a"))
        assert await first == "a"

    await server.serve(work, partial(server.receive))


async def test_a_client_that_left_such_a_server_is_noticed() -> None:
    server = Server([text("a")])

    async def work(socket: WebSocket) -> None:
        assert await socket.receive() == "a"
        server.put(GONE)
        await tick(socket)

    await server.serve(work, partial(server.receive))


async def test_a_message_to_such_a_server_may_be_binary() -> None:
    server = Server([{"type": "websocket.receive", "bytes": b"a"}])

    async def work(socket: WebSocket) -> None:
        assert await socket.receive() == b"a"

    await server.serve(work, partial(server.receive))
