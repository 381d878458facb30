"""Sending a response: chunk by chunk, to the end or until the client leaves.

Whatever happens, the body has been closed once when the call returns, and no task of it
is left.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
)
from contextvars import ContextVar
from time import monotonic
from typing import Any

import pytest

from bareasgi import (
    Application,
    Content,
    HttpDisconnectError,
    HttpError,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    after_body,
    bytes_writer,
)
from bareasgi.testing import checked, http_request, http_stream
from bareasgi.types import Message

DEADLINE = 10.0  # seconds
SHORT = 0.05  # seconds: a limit that is meant to pass

AHEAD = 65536  # bytes of upload that wait to be read at most, but for the last message

Body = Any
App = Callable[[Any, Any, Any], Awaitable[None]]


def returning(body: Body, status: int = 200, headers: Any = None) -> Application:
    """Make an application that answers every request with this body."""

    async def answer(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return status, headers, body

    return app_of(answer)


def app_of(handler: Any) -> Application:
    app = Application()
    app.http_router.add({"GET", "POST"}, "/", handler)
    return app


def start(status: int = 200) -> Message:
    return {"type": "http.response.start", "status": status, "headers": []}


def chunk(data: bytes) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": True}


END: Message = {"type": "http.response.body", "body": b"", "more_body": False}


def errors(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno >= logging.WARNING]


def others() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}


async def turns(count: int = 10) -> None:
    """Let everybody else go on for a few turns of the loop."""
    for _ in range(count):
        await asyncio.sleep(0)


async def is_closed(body: AsyncIterator[bytes]) -> bool:
    return await anext(body, None) is None


class Server:
    """The server's side of one call, by hand.

    `failing` and `blocking` tell which message, counted from 0, makes `send` raise
    OSError, or wait for ever.
    """

    def __init__(
        self,
        *,
        failing: int | None = None,
        blocking: int | None = None,
        method: str = "GET",
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        self.sent: list[Message] = []
        self.left = asyncio.Event()
        self.blocked = asyncio.Event()
        self.scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.5"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": "/",
            "raw_path": b"/",
            "query_string": b"",
            "root_path": "",
            "headers": [],
            "client": None,
            "server": None,
            "extensions": extensions,
        }
        self._failing = failing
        self._blocking = blocking

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        position = len(self.sent)
        self.sent.append(message)
        if position == self._failing:
            raise BrokenPipeError("the client has left")
        if position == self._blocking:
            self.blocked.set()
            await asyncio.Event().wait()

    async def run(self, app: App) -> None:
        """Call the application, which must end in time and leave no task."""
        before = others()
        try:
            async with asyncio.timeout(DEADLINE):
                await checked(app)(self.scope, self.receive, self.send)
        finally:
            assert others() - before == set()


# --- chunk by chunk -------------------------------------------------------------------


async def test_the_start_is_sent_before_the_body_is_asked_for_anything() -> None:
    server = Server()
    seen: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        seen.append(len(server.sent))
        yield b"a"

    await server.run(returning(body()))
    assert seen == [1]


async def test_each_chunk_is_sent_before_the_next_is_asked_for() -> None:
    server = Server()
    seen: list[list[bytes]] = []

    async def body() -> AsyncIterator[bytes]:
        for data in (b"a", b"b", b"c"):
            yield data
            seen.append([message["body"] for message in server.sent[1:]])

    await server.run(returning(body()))
    assert seen == [[b"a"], [b"a", b"b"], [b"a", b"b", b"c"]]
    assert server.sent == [start(), chunk(b"a"), chunk(b"b"), chunk(b"c"), END]


async def test_a_chunk_arrives_while_the_body_waits_for_the_next() -> None:
    may_go_on = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"a"
        await may_go_on.wait()
        yield b"b"

    async with http_stream(returning(body()), "GET", "/") as stream:
        assert await stream.chunk() == b"a"
        may_go_on.set()
        assert await stream.chunk() == b"b"
        assert await stream.chunk() == b""


async def test_the_body_waits_until_its_chunk_was_taken() -> None:
    made: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        for number in range(100):
            made.append(number)
            yield b"%d" % number

    async with http_stream(returning(body()), "GET", "/") as stream:
        for number in range(5):
            await stream.blocked()
            await turns()
            assert made[-1] == number
            assert await stream.chunk() == b"%d" % number


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"ab", b"ab", id="bytes"),
        pytest.param(bytearray(b"ab"), b"ab", id="bytearray"),
        pytest.param(memoryview(b"ab"), b"ab", id="memoryview"),
        pytest.param(memoryview(b"abcd")[::2], b"ac", id="strided memoryview"),
        pytest.param(type("Own", (bytes,), {})(b"ab"), b"ab", id="subclass of bytes"),
    ],
)
async def test_a_chunk_is_sent_as_bytes(data: Any, expected: bytes) -> None:
    async def body() -> AsyncIterator[Any]:
        yield data

    response = await http_request(returning(body()), "GET", "/")
    assert response.messages == [start(), chunk(expected), END]
    assert type(response.messages[1]["body"]) is bytes


@pytest.mark.parametrize("data", [bytearray(), memoryview(b""), b""])
async def test_an_empty_chunk_of_any_type_is_skipped(data: Any) -> None:
    async def body() -> AsyncIterator[Any]:
        yield data
        yield b"a"
        yield data

    response = await http_request(returning(body()), "GET", "/")
    assert response.messages == [start(), chunk(b"a"), END]


async def test_a_chunk_that_its_maker_changes_later_was_sent_as_it_was() -> None:
    buffer = bytearray(b"ab")

    async def body() -> AsyncIterator[Any]:
        yield buffer
        buffer[:] = b"cd"
        yield memoryview(buffer)
        buffer[:] = b"ef"

    response = await http_request(returning(body()), "GET", "/")
    assert response.chunks == [b"ab", b"cd"]


@pytest.mark.parametrize("data", ["text", "", None, 5, [97], (b"a",), True])
async def test_any_other_chunk_is_an_exception_in_the_body(
    data: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> AsyncIterator[Any]:
        yield b"a"
        yield data

    generator = body()
    server = Server()
    with pytest.raises(TypeError, match=type(data).__name__):
        await server.run(returning(generator))
    assert server.sent == [start(), chunk(b"a")]
    assert len(errors(caplog)) == 1
    assert await is_closed(generator)


async def test_an_iterator_needs_nothing_but_anext() -> None:
    """As in an `async for`, which asks the iterable for `__aiter__` and nobody else."""

    class Iterator:
        def __init__(self) -> None:
            self._data = iter([b"a", b"b"])

        async def __anext__(self) -> bytes:
            for data in self._data:
                return data
            raise StopAsyncIteration

    class Iterable:
        def __aiter__(self) -> Iterator:
            return Iterator()

    response = await http_request(returning(Iterable()), "GET", "/")
    assert response.chunks == [b"a", b"b"]


async def test_a_body_is_asked_for_its_iterator_once() -> None:
    asked: list[str] = []

    class Iterable:
        def __aiter__(self) -> "Iterable":
            asked.append("aiter")
            return self

        async def __anext__(self) -> bytes:
            asked.append("anext")
            if len(asked) > 3:
                raise StopAsyncIteration
            return b"a"

    await http_request(returning(Iterable()), "GET", "/")
    assert asked == ["aiter", "anext", "anext", "anext"]


async def test_an_iterable_that_cannot_be_iterated_cuts_the_response(
    caplog: pytest.LogCaptureFixture,
) -> None:
    closings: list[str] = []

    class Iterable:
        def __aiter__(self) -> AsyncIterator[bytes]:
            raise ZeroDivisionError

        async def aclose(self) -> None:
            closings.append("closed")

    server = Server()
    with pytest.raises(ZeroDivisionError):
        await server.run(returning(Iterable()))
    assert server.sent == [start()]
    assert closings == ["closed"]
    assert len(errors(caplog)) == 1


# --- every body is closed exactly once ------------------------------------------------


class Counted:
    """An async iterator with `aclose`, around a generator."""

    def __init__(self, steps: AsyncGenerator[bytes, None]) -> None:
        self._steps = steps
        self.closings = 0

    def __aiter__(self) -> "Counted":
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._steps)

    async def aclose(self) -> None:
        self.closings += 1
        await self._steps.aclose()


class Twofold:
    """An iterable with `aclose`, whose iterator has one too."""

    def __init__(self, steps: AsyncGenerator[bytes, None]) -> None:
        self.iterator = Counted(steps)
        self.was_opened = False
        self.closings = 0

    def __aiter__(self) -> Counted:
        self.was_opened = True
        return self.iterator

    async def aclose(self) -> None:
        self.closings += 1


class Outcome:
    """What the body of one of the cases below does, and what is done to it.

    Attributes:
        cleanups: how often the generator inside ran its `finally`.
        sleeping: set when the body waits for what never comes.
    """

    def __init__(self, then: str = "end") -> None:
        self._then = then
        self._first = b"a"
        self.is_begun = False
        self.cleanups = 0
        self.sleeping = asyncio.Event()
        self.cleaning = asyncio.Event()
        self.may_be_clean = asyncio.Event()

    async def steps(self) -> AsyncGenerator[bytes, None]:
        self.is_begun = True
        try:
            if self._then == "fail at once":
                raise ZeroDivisionError
            if self._then == "sleep at once":
                await self._sleep()
            yield b"a"
            if self._then == "fail":
                raise ZeroDivisionError
            if self._then == "sleep":
                await self._sleep()
            if self._then == "catch":
                try:
                    await self._sleep()
                except asyncio.CancelledError:
                    return
            if self._then == "yield again":
                try:
                    await self._sleep()
                except asyncio.CancelledError:
                    yield b"dropped"
            yield b"b"
        finally:
            self.cleaning.set()
            if self._then == "clean slowly":
                await self.may_be_clean.wait()
            self.cleanups += 1

    async def _sleep(self) -> None:
        self.sleeping.set()
        await asyncio.Event().wait()


async def complete(outcome: Outcome, app: App) -> None:
    server = Server()
    await server.run(app)
    assert server.sent == [start(), chunk(b"a"), chunk(b"b"), END]


async def fail(outcome: Outcome, app: App) -> None:
    with pytest.raises(ZeroDivisionError):
        await Server().run(app)


async def leave_asleep(outcome: Outcome, app: App) -> None:
    server = Server()

    async def leave() -> None:
        await outcome.sleeping.wait()
        server.left.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(leave())
        await run_quietly(server, app)
    assert END not in server.sent


async def run_quietly(server: Server, app: App) -> None:
    async with asyncio.timeout(DEADLINE):
        await checked(app)(server.scope, server.receive, server.send)


def leave_blocked(position: int) -> Callable[[Outcome, App], Awaitable[None]]:
    async def drive(outcome: Outcome, app: App) -> None:
        server = Server(blocking=position)

        async def leave() -> None:
            await server.blocked.wait()
            server.left.set()

        async with asyncio.TaskGroup() as group:
            group.create_task(leave())
            await run_quietly(server, app)
        assert len(server.sent) == position + 1

    return drive


async def leave_untaken(outcome: Outcome, app: App) -> None:
    """Leave while the body is suspended at a yield, and `send` then returns."""
    async with http_stream(app, "GET", "/", timeout=DEADLINE) as stream:
        await stream.blocked()
        stream.leave()
        await stream.finished()


def fail_to_send(position: int) -> Callable[[Outcome, App], Awaitable[None]]:
    async def drive(outcome: Outcome, app: App) -> None:
        server = Server(failing=position)
        await server.run(app)
        assert len(server.sent) == position + 1

    return drive


def cancel_at_send(position: int) -> Callable[[Outcome, App], Awaitable[None]]:
    async def drive(outcome: Outcome, app: App) -> None:
        server = Server(blocking=position)
        task = asyncio.create_task(run_quietly(server, app))
        await server.blocked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(server.sent) == position + 1

    return drive


async def cancel_asleep(outcome: Outcome, app: App) -> None:
    task = asyncio.create_task(run_quietly(Server(), app))
    await outcome.sleeping.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def cancel_twice(outcome: Outcome, app: App) -> None:
    server = Server(blocking=1)
    task = asyncio.create_task(run_quietly(server, app))
    await server.blocked.wait()
    task.cancel()
    await outcome.cleaning.wait()
    for _ in range(3):
        task.cancel()
        await turns()
        assert not task.done()
        assert outcome.cleanups == 0
    outcome.may_be_clean.set()
    with pytest.raises(asyncio.CancelledError):
        await task


async def leave_and_cancel(outcome: Outcome, app: App) -> None:
    server = Server(blocking=1)
    task = asyncio.create_task(run_quietly(server, app))
    await server.blocked.wait()
    server.left.set()
    await outcome.cleaning.wait()
    task.cancel()
    await turns()
    assert not task.done()
    outcome.may_be_clean.set()
    with pytest.raises(asyncio.CancelledError):
        await task


def unread(method: str) -> Callable[[Outcome, App], Awaitable[None]]:
    async def drive(outcome: Outcome, app: App) -> None:
        server = Server(method=method)
        await server.run(app)
        assert len(server.sent) == 2
        assert not outcome.is_begun

    return drive


OUTCOMES = [
    pytest.param(complete, "end", {}, id="complete"),
    pytest.param(fail, "fail", {}, id="exception"),
    pytest.param(fail, "fail at once", {}, id="exception before the first chunk"),
    pytest.param(leave_asleep, "sleep", {}, id="disconnect asleep"),
    pytest.param(
        leave_asleep, "sleep at once", {}, id="disconnect before the first chunk"
    ),
    pytest.param(leave_asleep, "catch", {}, id="disconnect caught"),
    pytest.param(leave_asleep, "yield again", {}, id="disconnect and another chunk"),
    pytest.param(leave_blocked(0), "end", {}, id="disconnect blocked at the start"),
    pytest.param(leave_blocked(1), "end", {}, id="disconnect blocked at a chunk"),
    pytest.param(leave_blocked(3), "end", {}, id="disconnect blocked at the end"),
    pytest.param(leave_untaken, "end", {}, id="disconnect suspended at a yield"),
    *(
        pytest.param(fail_to_send(position), "end", {}, id=f"OSError at {position}")
        for position in range(4)
    ),
    *(
        pytest.param(cancel_at_send(position), "end", {}, id=f"cancelled at {position}")
        for position in range(4)
    ),
    pytest.param(cancel_asleep, "sleep", {}, id="cancelled asleep"),
    pytest.param(
        cancel_asleep, "sleep at once", {}, id="cancelled before the first chunk"
    ),
    pytest.param(cancel_asleep, "catch", {}, id="cancelled and caught"),
    pytest.param(cancel_asleep, "yield again", {}, id="cancelled and another chunk"),
    pytest.param(cancel_twice, "clean slowly", {}, id="cancelled again while closing"),
    pytest.param(
        leave_and_cancel, "clean slowly", {}, id="cancelled while closing after a leave"
    ),
    pytest.param(unread("HEAD"), "end", {}, id="HEAD"),
    pytest.param(unread("GET"), "end", {"status": 204}, id="204"),
    pytest.param(unread("POST"), "end", {"status": 304}, id="304"),
    pytest.param(unread("GET"), "end", {"headers": [(b"A", b"")]}, id="header refused"),
    pytest.param(unread("GET"), "end", {"status": 199}, id="status refused"),
]


@pytest.mark.parametrize(("drive", "then", "response"), OUTCOMES)
async def test_a_generator_is_closed_when_the_call_returns(
    drive: Callable[[Outcome, App], Awaitable[None]],
    then: str,
    response: dict[str, Any],
) -> None:
    outcome = Outcome(then)
    generator = outcome.steps()
    await drive(outcome, returning(generator, **response))
    assert outcome.cleanups == (1 if outcome.is_begun else 0)
    assert await is_closed(generator)
    assert not outcome.is_begun or outcome.cleanups == 1
    assert others() == set()


@pytest.mark.parametrize(("drive", "then", "response"), OUTCOMES)
async def test_an_iterator_object_is_closed_exactly_once(
    drive: Callable[[Outcome, App], Awaitable[None]],
    then: str,
    response: dict[str, Any],
) -> None:
    outcome = Outcome(then)
    body = Counted(outcome.steps())
    await drive(outcome, returning(body, **response))
    assert body.closings == 1
    assert outcome.cleanups == (1 if outcome.is_begun else 0)
    assert others() == set()


@pytest.mark.parametrize(("drive", "then", "response"), OUTCOMES)
async def test_an_iterable_and_its_iterator_are_each_closed_exactly_once(
    drive: Callable[[Outcome, App], Awaitable[None]],
    then: str,
    response: dict[str, Any],
) -> None:
    outcome = Outcome(then)
    body = Twofold(outcome.steps())
    await drive(outcome, returning(body, **response))
    assert body.closings == 1
    assert body.iterator.closings == (1 if body.was_opened else 0)
    assert outcome.cleanups == (1 if outcome.is_begun else 0)
    assert others() == set()


async def test_a_body_without_aclose_needs_none() -> None:
    class Plain:
        def __init__(self) -> None:
            self._data = iter([b"a"])

        def __aiter__(self) -> "Plain":
            return self

        async def __anext__(self) -> bytes:
            for data in self._data:
                return data
            raise StopAsyncIteration

    response = await http_request(returning(Plain()), "GET", "/")
    assert response.messages == [start(), chunk(b"a"), END]


class Failing:
    """A body, and an iterator, that cannot be closed."""

    def __init__(self, error: BaseException) -> None:
        self._error = error
        self.closings: list[str] = []

    async def aclose(self) -> None:
        self.closings.append("iterable")
        raise self._error

    def __aiter__(self) -> AsyncIterator[bytes]:
        outer = self

        class Iterator:
            def __init__(self) -> None:
                self._data = iter([b"a"])

            def __aiter__(self) -> "Iterator":
                return self

            async def __anext__(self) -> bytes:
                for data in self._data:
                    return data
                raise StopAsyncIteration

            async def aclose(self) -> None:
                outer.closings.append("iterator")
                raise outer._error

        return Iterator()


async def test_a_body_that_cannot_be_closed_is_logged_and_the_response_complete(
    caplog: pytest.LogCaptureFixture,
) -> None:
    body = Failing(ZeroDivisionError())
    server = Server()
    await server.run(returning(body))
    assert server.sent == [start(), chunk(b"a"), END]
    assert body.closings == ["iterator", "iterable"]
    assert [record.levelno for record in errors(caplog)] == [logging.ERROR] * 2


async def test_a_body_is_closed_though_closing_its_iterator_is_cancelled() -> None:
    """As by a `finally` that cancels a task of its own and waits for it."""
    body = Failing(asyncio.CancelledError())
    server = Server()
    with pytest.raises(RuntimeError):
        await server.run(returning(body))
    assert body.closings == ["iterator", "iterable"]


# --- when the client leaves -----------------------------------------------------------


async def test_a_sleeping_body_is_cancelled_when_the_client_leaves() -> None:
    seen: list[str] = []

    async def body() -> AsyncIterator[bytes]:
        yield b"a"
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        finally:
            seen.append("closed")

    async with http_stream(returning(body()), "GET", "/") as stream:
        assert await stream.chunk() == b"a"
        stream.leave()
        await stream.finished()
    assert seen == ["cancelled", "closed"]


async def test_a_body_suspended_at_a_yield_gets_generator_exit() -> None:
    seen: list[type[BaseException]] = []

    async def body() -> AsyncIterator[bytes]:
        try:
            yield b"a"
        except BaseException as error:
            seen.append(type(error))
            raise

    server = Server(blocking=1)
    task = asyncio.create_task(run_quietly(server, returning(body())))
    await server.blocked.wait()
    server.left.set()
    await task
    assert seen == [GeneratorExit]
    assert server.sent == [start(), chunk(b"a")]


async def test_a_body_may_catch_its_cancellation_and_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sleeping = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"data: tick\n\n"
                sleeping.set()
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass

    server = Server()
    task = asyncio.create_task(run_quietly(server, returning(body())))
    await sleeping.wait()
    server.left.set()
    await task
    assert server.sent == [start(), chunk(b"data: tick\n\n")]
    assert errors(caplog) == []


async def test_what_a_cancelled_body_yields_is_dropped_and_the_body_closed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[str] = []
    sleeping = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"a"
        while True:
            try:
                sleeping.set()
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                seen.append("caught")
            try:
                yield b"dropped"
            finally:
                seen.append("closed")

    server = Server()
    task = asyncio.create_task(run_quietly(server, returning(body())))
    await sleeping.wait()
    server.left.set()
    await task
    assert seen == ["caught", "closed"]
    assert server.sent == [start(), chunk(b"a")]
    assert errors(caplog) == []


async def test_a_body_that_refuses_to_end_is_logged_and_abandoned(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bareasgi.tasks.CLOSING_TIME", SHORT)
    may_end, sleeping, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"a"
        try:
            sleeping.set()
            await asyncio.Event().wait()
        finally:
            await may_end.wait()
            ended.set()

    server = Server()
    task = asyncio.create_task(run_quietly(server, returning(body())))
    await sleeping.wait()
    server.left.set()
    await task
    assert not ended.is_set()
    assert [record.levelno for record in errors(caplog)] == [logging.ERROR]
    may_end.set()
    await ended.wait()
    await turns()
    assert others() == set()
    assert server.sent == [start(), chunk(b"a")]
    assert len(errors(caplog)) == 1


async def test_a_body_that_refuses_to_end_does_not_hold_up_a_cancellation(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bareasgi.tasks.CLOSING_TIME", SHORT)
    may_end = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        try:
            yield b"a"
        finally:
            await may_end.wait()

    server = Server(blocking=1)
    task = asyncio.create_task(run_quietly(server, returning(body())))
    await server.blocked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [record.levelno for record in errors(caplog)] == [logging.ERROR]
    may_end.set()
    await turns()
    assert others() == set()


async def test_a_body_that_ignores_generator_exit_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def body() -> AsyncIterator[bytes]:
        try:
            yield b"a"
        except GeneratorExit:
            yield b"refused"

    server = Server(failing=1)
    await server.run(returning(body()))
    assert server.sent == [start(), chunk(b"a")]
    assert [record.levelno for record in errors(caplog)] == [logging.ERROR]


@pytest.mark.parametrize(
    "error", [ZeroDivisionError(), OSError(), HttpError(500), StopIteration()]
)
@pytest.mark.parametrize("where", ["asleep", "at a yield"])
async def test_an_exception_in_the_cleanup_after_a_disconnect_is_logged_and_no_more(
    error: Exception, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    sleeping = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        try:
            yield b"a"
            sleeping.set()
            await asyncio.Event().wait()
        finally:
            raise error

    server = Server(blocking=1 if where == "at a yield" else None)
    task = asyncio.create_task(run_quietly(server, returning(body())))
    await (server.blocked if where == "at a yield" else sleeping).wait()
    server.left.set()
    await task
    assert server.sent == [start(), chunk(b"a")]
    assert [record.levelno for record in errors(caplog)] == [logging.ERROR]


@pytest.mark.parametrize("position", range(4))
async def test_an_os_error_of_send_is_a_disconnect(
    position: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    server = Server(failing=position)
    await server.run(returning(body()))
    assert len(server.sent) == position + 1
    assert errors(caplog) == []


@pytest.mark.parametrize("position", range(3))
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_os_error_of_send_is_a_disconnect_for_bytes_in_memory_too(
    position: int, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, None, bytes_writer(b"a"), [("/pushed", [])]

    server = Server(
        failing=position, method=method, extensions={"http.response.push": {}}
    )
    await server.run(app_of(answer))
    assert len(server.sent) == position + 1
    assert errors(caplog) == []


@pytest.mark.parametrize(
    "error", [OSError("disk"), ConnectionResetError(), HttpError(404, "gone")]
)
async def test_an_os_error_of_the_body_is_none(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"a"
        raise error

    server = Server()
    with pytest.raises(type(error)) as raised:
        await server.run(returning(body()))
    assert raised.value is error
    assert server.sent == [start(), chunk(b"a")]
    assert len(errors(caplog)) == 1


async def test_another_exception_of_send_is_raised_and_the_body_closed() -> None:
    outcome = Outcome()
    body = Counted(outcome.steps())
    server = Server()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await returning(body)(server.scope, server.receive, send)
    assert (body.closings, outcome.cleanups) == (1, 1)


async def test_a_body_that_is_being_closed_is_not_cancelled_by_a_disconnect() -> None:
    closing, may_close = asyncio.Event(), asyncio.Event()
    seen: list[str] = []

    class Slow(Counted):
        async def aclose(self) -> None:
            await super().aclose()
            closing.set()
            await may_close.wait()
            seen.append("closed")

    body = Slow(Outcome().steps())
    server = Server()
    task = asyncio.create_task(run_quietly(server, returning(body)))
    await closing.wait()
    server.left.set()
    await turns()
    assert not task.done()
    may_close.set()
    await task
    assert seen == ["closed"]
    assert server.sent == [start(), chunk(b"a"), chunk(b"b"), END]


async def test_a_disconnect_that_is_already_there_cancels_the_body() -> None:
    sleeping = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        sleeping.set()
        await asyncio.Event().wait()
        yield b""

    server = Server()
    server.left.set()
    await server.run(returning(body()))
    assert server.sent == [start()]


@pytest.mark.parametrize("spec_version", ["2.0", "2.1", "2.3", "2.4", "2.5", None])
async def test_a_disconnect_counts_whatever_version_the_server_reports(
    spec_version: str | None,
) -> None:
    sleeping = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"a"
        sleeping.set()
        await asyncio.Event().wait()

    server = Server()
    server.scope["asgi"] = {"version": "3.0"}
    if spec_version is not None:
        server.scope["asgi"] = {"version": "3.0", "spec_version": spec_version}
    task = asyncio.create_task(run_quietly(server, returning(body())))
    await sleeping.wait()
    server.left.set()
    await task
    assert server.sent == [start(), chunk(b"a")]


# --- errors in the body ---------------------------------------------------------------


async def test_an_exception_after_the_start_is_logged_once_and_raised(
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = ZeroDivisionError()

    async def body() -> AsyncIterator[bytes]:
        yield b"a"
        raise error

    server = Server()
    with pytest.raises(ZeroDivisionError) as raised:
        await server.run(returning(body()))
    assert raised.value is error
    assert server.sent == [start(), chunk(b"a")]
    [record] = errors(caplog)
    assert record.exc_info is not None
    assert record.exc_info[1] is error


async def test_a_disconnect_error_in_the_body_ends_it_quietly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"a"
        raise HttpDisconnectError

    server = Server()
    await returning(body())(server.scope, server.receive, server.send)
    assert server.sent == [start(), chunk(b"a")]
    assert errors(caplog) == []


async def test_a_header_error_in_the_body_is_an_exception_like_any_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    inner = returning(None, headers=[(b"A", b"")])

    async def body() -> AsyncIterator[bytes]:
        yield b"a"
        # Whatever the framework raises for another application comes out unchanged.
        response = await http_request(inner, "GET", "/")
        yield b"%d" % response.status

    response = await http_request(returning(body()), "GET", "/")
    assert response.chunks == [b"a", b"500"]
    assert len(errors(caplog)) == 1


@pytest.mark.parametrize("how", ["raised", "a cancelled task", "by its own task"])
async def test_a_body_that_is_cancelled_from_within_is_cut(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"a"
        if how == "raised":
            raise asyncio.CancelledError
        if how == "a cancelled task":
            task = asyncio.create_task(asyncio.sleep(DEADLINE))
            task.cancel()
            await task
        current = asyncio.current_task()
        assert current is not None
        current.cancel()
        await asyncio.sleep(0)

    generator = body()
    server = Server()
    with pytest.raises(RuntimeError, match="cancelled"):
        await server.run(returning(generator))
    assert server.sent == [start(), chunk(b"a")]
    assert len(errors(caplog)) == 1
    assert await is_closed(generator)


@pytest.mark.parametrize(
    "refused",
    [
        pytest.param({"headers": [(b"A", b"")]}, id="header"),
        pytest.param({"status": 199}, id="status"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_closing_the_body_of_a_refused_response_is_not_cancelled(
    method: str, refused: dict[str, Any]
) -> None:
    """And the cancellation is not swallowed: it is raised once the body is closed."""
    closing, may_close, closed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    class Slow(Counted):
        async def aclose(self) -> None:
            await super().aclose()
            closing.set()
            await may_close.wait()
            closed.set()

    body = Slow(Outcome().steps())
    server = Server(method=method)
    task = asyncio.create_task(run_quietly(server, returning(body, **refused)))
    await closing.wait()
    for _ in range(2):
        task.cancel()
        await turns()
    may_close.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed.is_set()
    assert body.closings == 1


async def test_a_body_that_waits_only_while_it_is_closed_leaves_no_watch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bareasgi.tasks.CLOSING_TIME", SHORT)
    closed: list[str] = []

    async def body() -> AsyncIterator[bytes]:
        yield b"a"

    class Slow:
        def __aiter__(self) -> AsyncIterator[bytes]:
            return body()

        async def aclose(self) -> None:
            await asyncio.sleep(0)
            closed.append("closed")

    server = Server()
    await returning(Slow())(server.scope, server.receive, server.send)
    assert closed == ["closed"]
    assert others() == set()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_comes_after_bytes_in_memory_is_shielded_from_a_cancellation(
    method: str,
) -> None:
    began, may_end = asyncio.Event(), asyncio.Event()
    ended: list[str] = []

    async def clean() -> None:
        began.set()
        await may_end.wait()
        ended.append("cleaned")

    server = Server(method=method, blocking=1)
    app = returning(after_body(bytes_writer(b"a"), clean))
    task = asyncio.create_task(run_quietly(server, app))
    await server.blocked.wait()
    task.cancel()
    await began.wait()
    task.cancel()
    await turns()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["cleaned"]


@pytest.mark.parametrize("then", ["sleep", "sleep at once", "catch", "yield again"])
async def test_a_timeout_around_the_application_is_a_timeout(then: str) -> None:
    outcome = Outcome(then)
    server = Server()

    async def with_timeout(scope: Any, receive: Any, send: Any) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SHORT):
                await returning(outcome.steps())(scope, receive, send)
        current = asyncio.current_task()
        assert current is not None
        assert current.cancelling() == 0

    await with_timeout(server.scope, server.receive, server.send)
    assert outcome.cleanups == 1
    assert END not in server.sent


# --- the body's task ------------------------------------------------------------------

request_id: ContextVar[str] = ContextVar("request_id")


async def test_a_body_sees_the_context_of_its_handler_and_keeps_its_own() -> None:
    seen: list[str] = []

    async def body() -> AsyncIterator[bytes]:
        try:
            seen.append(request_id.get())
            request_id.set("of the body")
            yield b"a"
            await asyncio.sleep(0)
            seen.append(request_id.get())
            yield b"b"
        finally:
            seen.append(request_id.get())

    async def answer(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        request_id.set("of the handler")
        return 200, None, body()

    response = await http_request(app_of(answer), "GET", "/")
    assert response.body == b"ab"
    assert seen == ["of the handler", "of the body", "of the body"]


@pytest.mark.parametrize("outcome", ["complete", "disconnect asleep", "OSError"])
async def test_a_body_runs_in_one_task_from_its_first_step_to_its_last(
    outcome: str,
) -> None:
    tasks: list[asyncio.Task[Any] | None] = []
    sleeping = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        try:
            for data in (b"a", b"b"):
                tasks.append(asyncio.current_task())
                yield data
                tasks.append(asyncio.current_task())
                await asyncio.sleep(0)
            if outcome == "disconnect asleep":
                sleeping.set()
                await asyncio.Event().wait()
        finally:
            tasks.append(asyncio.current_task())

    server = Server(failing=2 if outcome == "OSError" else None)
    task = asyncio.create_task(run_quietly(server, returning(body())))
    if outcome == "disconnect asleep":
        await sleeping.wait()
        server.left.set()
    await task
    assert len(tasks) >= 4
    assert len(set(tasks)) == 1
    assert tasks[0] not in {None, task}


async def test_a_timeout_within_a_body_works() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"a"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SHORT):
                await asyncio.Event().wait()
        yield b"b"

    response = await http_request(returning(body()), "GET", "/")
    assert response.chunks == [b"a", b"b"]


async def test_a_timeout_and_a_task_group_may_stay_open_across_chunks() -> None:
    async def produce(queue: asyncio.Queue[bytes]) -> None:
        for data in (b"a", b"b", b""):
            await queue.put(data)

    async def body() -> AsyncIterator[bytes]:
        queue: asyncio.Queue[bytes] = asyncio.Queue(1)
        async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as group:
            group.create_task(produce(queue))
            while data := await queue.get():
                yield data

    response = await http_request(returning(body()), "GET", "/")
    assert response.chunks == [b"a", b"b"]


async def test_a_task_group_within_a_body_ends_with_it_when_the_client_leaves() -> None:
    ended: list[str] = []
    ticking = asyncio.Event()

    async def tick() -> None:
        try:
            ticking.set()
            await asyncio.Event().wait()
        finally:
            ended.append("tick")

    async def body() -> AsyncIterator[bytes]:
        async with asyncio.TaskGroup() as group:
            group.create_task(tick())
            yield b"a"
            await asyncio.Event().wait()

    server = Server()
    task = asyncio.create_task(run_quietly(server, returning(body())))
    await ticking.wait()
    await turns()
    server.left.set()
    await task
    assert ended == ["tick"]
    assert server.sent == [start(), chunk(b"a")]
    assert others() == set()


async def test_the_server_s_own_task_is_never_cancelled() -> None:
    sleeping = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"a"
        sleeping.set()
        await asyncio.Event().wait()

    server = Server()
    counts: list[int] = []

    async def serve() -> None:
        await run_quietly(server, returning(body()))
        current = asyncio.current_task()
        assert current is not None
        counts.append(current.cancelling())

    task = asyncio.create_task(serve())
    await sleeping.wait()
    server.left.set()
    await task
    assert counts == [0]


# --- the watch ------------------------------------------------------------------------


@pytest.mark.parametrize("error", [OSError(), ConnectionResetError()])
async def test_an_os_error_of_receive_is_a_disconnect_for_the_watch(
    error: OSError, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = Outcome("sleep")
    server = Server()

    async def receive() -> Message:
        await outcome.sleeping.wait()
        raise error

    async with asyncio.timeout(DEADLINE):
        await returning(outcome.steps())(server.scope, receive, server.send)
    assert server.sent == [start(), chunk(b"a")]
    assert outcome.cleanups == 1
    assert errors(caplog) == []
    assert others() == set()


async def test_another_error_of_receive_is_logged_and_the_body_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Server()
    raised = asyncio.Event()

    async def receive() -> Message:
        raised.set()
        raise RuntimeError("the server is broken")

    async def body() -> AsyncIterator[bytes]:
        yield b"a"
        await raised.wait()
        await turns()
        yield b"b"

    await checked(returning(body()))(server.scope, receive, server.send)
    assert server.sent == [start(), chunk(b"a"), chunk(b"b"), END]
    [record] = errors(caplog)
    assert record.levelno == logging.ERROR
    assert others() == set()


async def test_a_message_that_asgi_does_not_know_is_logged_and_the_body_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Server()
    received = asyncio.Event()

    async def receive() -> Message:
        received.set()
        return {"type": "http.unheard-of"}

    async def body() -> AsyncIterator[bytes]:
        yield b"a"
        await received.wait()
        await turns()
        yield b"b"

    await checked(returning(body()))(server.scope, receive, server.send)
    assert server.sent == [start(), chunk(b"a"), chunk(b"b"), END]
    assert len(errors(caplog)) == 1


# --- a body that never waits ----------------------------------------------------------


async def test_a_body_that_never_waits_lets_others_run() -> None:
    counted = 0
    is_over = False

    async def body() -> AsyncIterator[bytes]:
        end = monotonic() + 0.5
        while monotonic() < end:
            yield b"a"

    async def count() -> None:
        nonlocal counted
        while not is_over:
            counted += 1
            await asyncio.sleep(0)

    async def send(message: Message) -> None:
        pass

    server = Server()
    counting = asyncio.create_task(count())
    await returning(body())(server.scope, server.receive, send)
    is_over = True
    await counting
    assert counted >= 10


async def test_a_body_that_takes_its_time_gives_way_after_16_chunks() -> None:
    made = 0
    since_turn: list[int] = []
    is_over = False

    async def body() -> AsyncIterator[bytes]:
        nonlocal made
        for _ in range(80):
            end = monotonic() + 0.001
            while monotonic() < end:
                pass
            made += 1
            yield b"" if made % 2 else b"a"

    async def count() -> None:
        before = 0
        while not is_over:
            since_turn.append(made - before)
            before = made
            await asyncio.sleep(0)

    server = Server()
    counting = asyncio.create_task(count())
    await checked(returning(body()))(server.scope, server.receive, server.send)
    is_over = True
    await counting
    assert made == 80
    assert max(since_turn) <= 16


async def test_a_client_that_leaves_a_body_that_never_waits_is_noticed() -> None:
    ended: list[str] = []

    async def body() -> AsyncIterator[bytes]:
        end = monotonic() + DEADLINE
        try:
            while monotonic() < end:
                yield b"a"
            ended.append("starved")
        finally:
            ended.append("closed")

    async def send(message: Message) -> None:
        pass

    server = Server()
    asyncio.get_running_loop().call_later(SHORT, server.left.set)
    await returning(body())(server.scope, server.receive, send)
    assert ended == ["closed"]


# --- whatever happens: thousands of random scripts ------------------------------------


class Script:
    """A random server, a random client and a random application.

    Everything is counted in turns of the loop, so that a seed always plays the same.
    The client leaves at some turn at the latest: there is no reason not to end.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a test
        self.method = self.random.choice(["GET", "GET", "POST", "POST", "HEAD"])
        self.sent: list[Message] = []
        self.problems: list[str] = []
        self.left = asyncio.Event()
        self.leaving_raises = self.random.random() < 0.5
        self.leaving_turn = self.random.choice([0, 1, 2, 3, 5, 8, 13, 40])
        self.send_failed = False
        self.receive_failed = False
        self.receive_is_broken = False
        self.keeps_content = False
        self.received = 0
        self.bodies: list[Counted] = []
        self.own_tasks: list[asyncio.Task[Any]] = []
        self._uploads = [
            self.random.choice([b"", b"x", b"x" * 40000, b"x" * 200000])
            for _ in range(self.random.choice([0, 1, 1, 2, 5]))
        ]
        self._has_more = bool(self._uploads) and self.random.random() < 0.3
        self._is_complete = False
        self._is_receiving = False

    # --- the server

    async def receive(self) -> Message:
        if self._is_receiving:
            self.problems.append("two tasks wait in receive")
        self._is_receiving = True
        try:
            return await self._next_message()
        finally:
            self._is_receiving = False

    async def _next_message(self) -> Message:
        await turns(self.random.choice([0, 0, 1, 2, 5]))
        if self.random.random() < 0.03:
            self.receive_failed = True
            if self.random.random() < 0.5:
                raise OSError("reset")
            self.receive_is_broken = True
            raise RuntimeError("broken")
        if self.left.is_set():
            return {"type": "http.disconnect"}
        if not self._is_complete:
            data = self._uploads.pop(0) if self._uploads else b""
            self.received += len(data)
            self._is_complete = not self._uploads and not self._has_more
            if self._uploads or not self._has_more or data:
                return {
                    "type": "http.request",
                    "body": data,
                    "more_body": not self._is_complete,
                }
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if not self.left.is_set():
            self.sent.append(message)
            choice = self.random.random()
            if choice < 0.04:
                self.send_failed = True
                raise ConnectionResetError
            if choice < 0.1:
                await self.left.wait()
            elif choice < 0.5:
                await turns(self.random.choice([1, 2, 5]))
        if self.left.is_set() and self.leaving_raises:
            self.send_failed = True
            raise BrokenPipeError

    # --- the application

    async def answer(
        self, scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        await self._step()
        reading = self.random.choice(["none", "none", "some", "all", "task", "body"])
        if reading in {"some", "all"}:
            async for _ in content:
                if reading == "some":
                    break
        self.keeps_content = reading in {"task", "body"}
        if reading == "task":
            self.own_tasks.append(asyncio.create_task(self._read(content)))
        kind = self.random.random()
        if kind < 0.05:
            raise ZeroDivisionError
        if kind < 0.1:
            raise HttpError(403, "no")
        if kind < 0.15:
            return 200, None, bytes_writer(b"a")
        if kind < 0.2:
            return 200, None, content
        steps = self._steps(content if reading == "body" else None)
        body = Counted(steps)
        self.bodies.append(body)
        if self.random.random() < 0.2:
            twofold = Twofold(steps)
            self.bodies = [twofold.iterator]
            self.twofold = twofold
            return self._response(twofold)
        return self._response(body)

    def _response(self, body: Any) -> HttpResponse:
        status = self.random.choice([200, 200, 200, 200, 204, 304, 500, 199])
        headers = self.random.choice([None, [], [(b"a", b"b")], [(b"A", b"")]])
        pushes: Any = self.random.choice([None, None, [("/a", [])], [("/a", []), 5]])
        return status, headers, body, pushes

    twofold: Twofold | None = None

    async def _read(self, content: Content) -> None:
        try:
            async for _ in content:
                await self._step()
        except (HttpDisconnectError, OSError, RuntimeError):
            pass

    async def _step(self) -> None:
        await turns(self.random.choice([0, 0, 0, 1, 3]))

    async def _steps(self, content: Content | None) -> AsyncGenerator[bytes, None]:
        try:
            for _ in range(self.random.choice([0, 1, 2, 5, 50])):
                await self._step()
                choice = self.random.random()
                if choice < 0.02:
                    raise ZeroDivisionError
                if choice < 0.04:
                    raise asyncio.CancelledError
                if choice < 0.1:
                    await asyncio.Event().wait()
                if choice < 0.15:
                    try:
                        await asyncio.Event().wait()
                    except asyncio.CancelledError:
                        if choice < 0.12:
                            return
                if choice < 0.3 and content is not None:
                    async for data in content:
                        yield data
                yield self.random.choice([b"", b"a", b"bc"])
        finally:
            # Some clean up slowly, and some cannot.
            choice = self.random.random()
            if choice < 0.3:
                await turns(self.random.choice([1, 4]))
            if choice < 0.05:
                raise ZeroDivisionError

    # --- the play

    async def play(self) -> None:
        """Call the application, cancelled after some turns or not, and look at it."""
        server = Server(method=self.method, extensions={"http.response.push": {}})
        app = checked(app_of(self.answer))
        task = asyncio.create_task(app(server.scope, self.receive, self.send))
        cancellations = [
            self.random.randrange(30)
            for _ in range(self.random.choice([0, 0, 1, 2, 3]))
        ]
        was_cancelled = False
        for turn in range(60):
            if turn == self.leaving_turn:
                self.left.set()
            if turn in cancellations and not task.done():
                was_cancelled |= task.cancel()
            await asyncio.sleep(0)
        self.left.set()
        await turns(200)
        if self.receive_is_broken or (self.keeps_content and self.received > AHEAD):
            # A server that is broken cannot tell that the client has left, and upload
            # that waits to be read stands before the news.
            was_cancelled |= task.cancel()
        done, _ = await asyncio.wait({task}, timeout=DEADLINE)
        assert done, "the application hangs"
        for own in self.own_tasks:
            own.cancel()
        if self.own_tasks:
            await asyncio.wait(self.own_tasks)
        assert others() == set(), "tasks are left"
        assert self.problems == []
        self._check_end(task, was_cancelled=was_cancelled)
        for body in self.bodies:
            was_opened = self.twofold is None or self.twofold.was_opened
            assert body.closings == (1 if was_opened else 0), "not closed once"
        if self.twofold is not None:
            assert self.twofold.closings == 1, "not closed once"

    def _check_end(self, task: asyncio.Task[None], *, was_cancelled: bool) -> None:
        if task.cancelled():
            assert was_cancelled, "cancelled by nobody"
            return
        error = task.exception()
        if error is not None:
            # Everything else is answered with a 500, or is the client leaving. The
            # checker raises AssertionError, also when `receive` fails and the call
            # ends: to it that is no disconnect.
            is_early = "returned too early" in str(error)
            if is_early and self.receive_failed:
                return
            assert isinstance(error, (ZeroDivisionError, RuntimeError, OSError)), error
            assert self.sent or self.left.is_set(), "raised before the start"
            return
        is_over = bool(self.sent) and self.sent[-1].get("more_body") is False
        has_left = self.left.is_set() or self.send_failed or self.receive_failed
        assert is_over or has_left, "neither ended nor raised"


@pytest.mark.parametrize("batch", range(20))
async def test_a_random_script_ends_legally_and_closes_everything_once(
    batch: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, logger="bareasgi")
    for seed in range(batch * 200, batch * 200 + 200):
        try:
            await Script(seed).play()
        except BaseException as error:
            error.add_note(f"the seed is {seed}")
            raise


async def test_random_scripts_see_every_end_of_a_response() -> None:
    """The scripts above are worth something only if they play all the cases."""
    ends: Counter[str] = Counter()
    for seed in range(400):
        script = Script(seed)
        await script.play()
        if not script.sent:
            ends["nothing sent"] += 1
        elif script.sent[-1].get("more_body") is False:
            ends["complete"] += 1
        else:
            ends["cut"] += 1
        ends[script.method] += 1
        ends["upload"] += bool(script.own_tasks)
        ends["two objects"] += script.twofold is not None
    assert len(ends) == 8
    assert min(ends.values()) >= 10


# --- cancellation at every await ------------------------------------------------------


@pytest.mark.parametrize("again", [None, 1, 2])
@pytest.mark.parametrize("then", ["end", "sleep", "catch", "yield again", "fail"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_cancellation_at_any_turn_ends_the_call_and_closes_the_body_once(
    method: str, then: str, again: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, logger="bareasgi")
    for turn in range(25):
        outcome = Outcome(then)
        body = Twofold(outcome.steps())
        server = Server(method=method)

        async def answer(
            scope: Scope,
            info: Info,
            matches: RouteMatches,
            content: Content,
            body: Twofold = body,
        ) -> HttpResponse:
            await turns(2)
            return 200, None, body

        async def send(message: Message, server: Server = server) -> None:
            await turns(2)
            await server.send(message)

        app = checked(app_of(answer))
        task = asyncio.create_task(app(server.scope, server.receive, send))
        await turns(turn)
        was_running = task.cancel()
        if again is not None:
            await turns(again)
            task.cancel()
        done, _ = await asyncio.wait({task}, timeout=DEADLINE)
        assert done, turn
        if was_running and not task.cancelled():
            assert isinstance(task.exception(), ZeroDivisionError), turn
        is_returned = body.was_opened or bool(server.sent) or turn > 5
        if is_returned:
            assert body.closings == 1, turn
        assert body.closings <= 1
        assert body.iterator.closings == (1 if body.was_opened else 0), turn
        assert outcome.cleanups == (1 if outcome.is_begun else 0), turn
        assert others() == set()


async def test_a_task_group_around_a_yield_is_no_error_when_the_client_leaves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def body() -> AsyncIterator[bytes]:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.Event().wait())
            while True:
                yield b"a"

    async def handle(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, [], body()

    app = Application()
    app.http_router.add({"GET"}, "/", handle)
    async with http_stream(app, "GET", "/") as stream:
        await stream.chunk()
    assert [each for each in caplog.records if each.levelname == "ERROR"] == []


@pytest.mark.parametrize(
    ("headers", "advice"),
    [
        ([("content-type", b"text/plain")], "must be bytes, such as b'accept'"),
        ([(b"content-type", "text/plain")], "the value of b'content-type' must be"),
    ],
    ids=["a name", "a value"],
)
async def test_the_log_says_how_a_header_of_text_is_written(
    headers: Any, advice: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = await http_request(
        returning(bytes_writer(b""), headers=headers), "GET", "/"
    )
    assert response.status == 500
    assert advice in caplog.text
