"""Random WebSockets, legal and not, cancelled anywhere: each ends, and ends legally."""

import asyncio
import logging
import random
from collections import Counter
from contextlib import suppress
from typing import Any, Final

import pytest

from bareasgi import (
    Application,
    HttpError,
    Info,
    Message,
    RouteMatches,
    Scope,
    WebSocket,
    WebSocketInternalError,
)
from bareasgi.testing import checked

DEADLINE: Final = 10.0
MISUSE: Final = (WebSocketInternalError, ValueError, TypeError)


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class Script:
    """One connection: what the server does, and what the handler does, by a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a test that can be repeated
        self.sent: list[Message] = []
        self.own_tasks: list[asyncio.Task[None]] = []
        self.begun = 0
        self.ended = 0
        self.failed_send = False
        self.left = asyncio.Event()
        self.leaving_turn = self.random.choice([None, *range(0, 40, 3)])
        self.drain_turn = self.random.choice([None, None, None, *range(0, 30, 5)])
        self.failing_send = self.random.choice([None, None, None, 0, 1, 2, 5])
        self.blocking_send = self.random.choice([None, None, None, 0, 1, 2, 5])
        self.incoming = self._events()
        self.app = Application()
        self.app.ws_router.add("/socket", self.handle)

    def _events(self) -> list[Message]:
        first = self.random.random()
        events: list[Message] = [
            {"type": "websocket.connect" if first > 0.03 else "websocket.disconnect"}
        ]
        for _ in range(self.random.choice([0, 1, 3, 30])):
            key, value = self.random.choice(
                [("text", "a"), ("text", ""), ("bytes", b"a"), ("bytes", b"")]
            )
            events.append({"type": "websocket.receive", key: value})
        return events

    # --- the server

    async def receive(self) -> Message:
        await turns(self.random.choice([0, 0, 1, 2]))
        if self.incoming and not self.left.is_set():
            return self.incoming.pop(0)
        await self.left.wait()
        code = self.random.choice([{}, {"code": 1000}, {"code": 1006, "reason": "x"}])
        return {"type": "websocket.disconnect", **code}

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        await turns(self.random.choice([0, 0, 0, 1, 3]))
        if self.failing_send is not None and len(self.sent) > self.failing_send:
            self.failed_send = True
            raise BrokenPipeError("gone")
        if self.blocking_send is not None and len(self.sent) > self.blocking_send:
            await asyncio.Event().wait()

    # --- the handler

    async def handle(
        self, scope: Scope, info: Info, matches: RouteMatches, web_socket: WebSocket
    ) -> None:
        self.begun += 1
        try:
            await self._steps(web_socket)
        except asyncio.CancelledError:
            if self.random.random() < 0.2:
                return
            if self.random.random() < 0.2:
                await turns(3)
                await web_socket.send("good-bye")
            raise
        finally:
            self.ended += 1

    async def _steps(self, socket: WebSocket) -> None:
        if self.random.random() < 0.85:
            await socket.accept(
                self.random.choice([None, None, None, "chat", "unknown"]),
                self.random.choice([None, None, [(b"a", b"b")], [(b"A", b"b")]]),
            )
        for _ in range(self.random.choice([0, 1, 5, 40])):
            await turns(self.random.choice([0, 0, 1, 2]))
            choice = self.random.random()
            if choice < 0.35:
                await socket.receive()
            elif choice < 0.7:
                await socket.send(self.random.choice(["a", b"a", "", bytearray(b"c")]))
            elif choice < 0.8:
                task = asyncio.create_task(self._send_beside(socket))
                self.own_tasks.append(task)
            elif choice < 0.86:
                await self._misuse(socket)
            elif choice < 0.95:
                await self._end(socket, choice)

    async def _end(self, socket: WebSocket, choice: float) -> None:
        if choice < 0.88:
            await socket.close(self.random.choice([1000, 4000]))
        elif choice < 0.9:
            raise ZeroDivisionError
        elif choice < 0.92:
            raise HttpError(403, "no")
        elif choice < 0.93:
            raise asyncio.CancelledError
        else:
            with suppress(TimeoutError):
                async with asyncio.timeout(0):
                    await socket.receive()

    async def _misuse(self, socket: WebSocket) -> None:
        nothing: Any = None
        wrong = self.random.choice(
            [
                socket.accept,
                lambda: socket.send(nothing),
                lambda: socket.close(1005),
                lambda: socket.close(1000, "x" * 124),
            ]
        )
        try:
            await wrong()
        except MISUSE:
            pass
        else:
            # A handler that had not accepted has done so now.
            assert len(self.sent) > 0

    async def _send_beside(self, socket: WebSocket) -> None:
        with suppress(WebSocketInternalError):
            await socket.send("beside")

    # --- the play

    async def play(self) -> None:
        """Call the application, cancelled after some turns or not, and look at it."""
        scope = {
            "type": "websocket",
            "path": "/socket",
            "headers": [],
            "subprotocols": ["chat"],
            "extensions": self.random.choice([{}, {"websocket.http.response": {}}]),
        }
        task = asyncio.create_task(self._call(checked(self.app), scope))
        cancellations = [
            self.random.randrange(30) for _ in range(self.random.choice([0, 0, 1, 2]))
        ]
        draining = None
        was_cancelled = False
        for turn in range(45):
            if turn == self.leaving_turn:
                self.left.set()
            if turn == self.drain_turn:
                draining = asyncio.create_task(self.app.drain(DEADLINE))
            if turn in cancellations and not task.done():
                was_cancelled |= task.cancel()
            await asyncio.sleep(0)
        self.left.set()
        done, _ = await asyncio.wait({task}, timeout=DEADLINE)
        if not done and self.incoming:
            # A message that is held stands before the news that the client has left.
            was_cancelled |= task.cancel()
            done, _ = await asyncio.wait({task}, timeout=DEADLINE)
        assert done, "the application hangs"
        if draining is not None:
            assert await draining, "drain does not end"
        for own in self.own_tasks:
            own.cancel()
        if self.own_tasks:
            await asyncio.wait(self.own_tasks)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert others == set(), "tasks are left"
        assert self.begun == self.ended, "the handler has not ended"
        if task.cancelled():
            assert was_cancelled, "cancelled by nobody"
        else:
            assert task.exception() is None

    async def _call(self, app: Any, scope: Any) -> None:
        await app(scope, self.receive, self.send)


@pytest.mark.parametrize("batch", range(20))
async def test_a_random_socket_ends_legally(
    batch: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL + 1, logger="bareasgi")
    for seed in range(batch * 100, batch * 100 + 100):
        try:
            async with asyncio.timeout(DEADLINE * 3):
                await Script(seed).play()
        except BaseException as error:
            error.add_note(f"the seed is {seed}")
            raise


async def test_random_sockets_see_every_end(caplog: pytest.LogCaptureFixture) -> None:
    """The scripts above are worth something only if they play all the cases."""
    caplog.set_level(logging.CRITICAL + 1, logger="bareasgi")
    ends: Counter[str] = Counter()
    for seed in range(300):
        script = Script(seed)
        await script.play()
        last = script.sent[-1] if script.sent else {"type": "nothing"}
        ends[last["type"] + str(last.get("code", ""))] += 1
        ends["failed"] += script.failed_send
        ends["beside"] += bool(script.own_tasks)
        ends["drained"] += script.drain_turn is not None
    for end in (
        "nothing",
        "websocket.accept",
        "websocket.send",
        "websocket.close1000",
        "websocket.close1001",
        "websocket.close1011",
        "websocket.http.response.body",
        "failed",
        "beside",
        "drained",
    ):
        assert ends[end] >= 5, (end, ends)
