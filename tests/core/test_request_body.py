"""The body of a request: read in order, once, beside the watch for a disconnect.

Nothing is kept that nobody will read, and nothing is asked of the server too early.
"""

import asyncio
import contextlib
import gc
import itertools
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from time import monotonic
from typing import Any

import pytest

from bareasgi import (
    Application,
    Content,
    ContentTooLarge,
    HttpDisconnectError,
    HttpError,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    bytes_reader,
    bytes_writer,
    text_reader,
)
from bareasgi.testing import checked, http_request, http_stream
from bareasgi.types import Header, Message

DEADLINE = 10.0  # seconds
SHORT = 0.05  # seconds: a limit that is meant to pass
AHEAD = 65536  # bytes that wait for `content` at most, but for the last message
KIBI = 1024

Answer = Callable[[Scope, Content], Awaitable[HttpResponse]]
END: Message = {"type": "http.response.body", "body": b"", "more_body": False}


def app_of(answer: Answer) -> Application:
    """Make an application of a function of scope and content."""

    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        # A handler that passes its content on must not keep it itself.
        passed = [content]
        del content
        return await answer(scope, passed.pop())

    app = Application()
    app.http_router.add({"GET", "POST"}, "/", handler)
    return app


def errors(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno >= logging.WARNING]


def others() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}


async def turns(count: int = 20) -> None:
    """Let everybody else go on for a few turns of the loop."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what takes only turns of the loop, and no time."""
    async with asyncio.timeout(DEADLINE):
        for _ in itertools.takewhile(lambda _: not condition(), itertools.count()):
            await asyncio.sleep(0)


async def in_time(awaitable: Awaitable[Any]) -> Any:
    async with asyncio.timeout(DEADLINE):
        return await awaitable


class Server:
    """The server's side of one call: gives what was fed to it, to one at a time."""

    def __init__(self, *messages: Message, method: str = "POST") -> None:
        self.sent: list[Message] = []
        self.receives = 0
        self.taken = 0
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
        }
        self._messages = deque(messages)
        self._changed = asyncio.Event()
        self._is_receiving = False

    def feed(self, *messages: Message) -> None:
        self._messages += messages
        self._changed.set()

    def leave(self) -> None:
        self.feed(DISCONNECT)

    async def receive(self) -> Message:
        assert not self._is_receiving, "two tasks wait in receive"
        self._is_receiving = True
        self.receives += 1
        try:
            while not self._messages:
                self._changed.clear()
                await self._changed.wait()
            if self._messages[0] is DISCONNECT:
                return DISCONNECT
            message = self._messages.popleft()
            self.taken += len(message.get("body", b""))
            return message
        finally:
            self._is_receiving = False

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def run(self, app: Application) -> None:
        await in_time(checked(app)(self.scope, self.receive, self.send))

    def start(self, app: Application) -> asyncio.Task[None]:
        return asyncio.create_task(self.run(app))

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


DISCONNECT: Message = {"type": "http.disconnect"}


def part(data: bytes, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": data, "more_body": more}


# --- reading in the handler -----------------------------------------------------------


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        pytest.param([part(b"a", more=False)], [b"a"], id="one"),
        pytest.param([part(b"a"), part(b"b", more=False)], [b"a", b"b"], id="two"),
        pytest.param([part(b"", more=False)], [], id="empty"),
        pytest.param(
            [part(b""), part(b"a"), part(b""), part(b"b"), part(b"", more=False)],
            [b"a", b"b"],
            id="with empty ones",
        ),
        pytest.param([{"type": "http.request"}], [], id="nothing but the type"),
        pytest.param(
            [{"type": "http.request", "body": b"a"}], [b"a"], id="more_body left out"
        ),
        pytest.param(
            [{"type": "http.request", "more_body": True}, part(b"a", more=False)],
            [b"a"],
            id="body left out",
        ),
        pytest.param(
            [part(b"%d" % n, more=n < 99) for n in range(100)],
            [b"%d" % n for n in range(100)],
            id="a hundred",
        ),
    ],
)
async def test_chunks_come_in_order_without_the_empty_ones(
    messages: list[Message], expected: list[bytes]
) -> None:
    seen: list[bytes] = []

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        seen.extend([chunk async for chunk in content])
        return 204

    server = Server(*messages)
    await server.run(app_of(answer))
    assert seen == expected
    assert server.receives == len(messages)


@pytest.mark.parametrize("passes", [1, 2, 3])
async def test_content_is_a_single_pass_and_another_yields_nothing(passes: int) -> None:
    seen: list[list[bytes]] = []

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        for _ in range(1 + passes):
            chunks = [chunk async for chunk in content]
            seen.append(chunks)
        return 204

    server = Server(part(b"a"), part(b"b", more=False))
    await server.run(app_of(answer))
    assert seen == [[b"a", b"b"], *[[]] * passes]
    assert server.receives == 2


async def test_another_pass_goes_on_where_the_first_was_left() -> None:
    seen: list[bytes] = []

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        async for chunk in content:
            seen.append(chunk)
            break
        seen.extend([chunk async for chunk in content])
        return 204

    await Server(part(b"a"), part(b"b"), part(b"c", more=False)).run(app_of(answer))
    assert seen == [b"a", b"b", b"c"]


async def test_nothing_is_received_before_content_is_read() -> None:
    async def answer(scope: Scope, content: Content) -> HttpResponse:
        await turns()
        assert server.receives == 0
        assert await anext(aiter(content)) == b"a"
        assert server.receives == 1
        await turns()
        assert server.receives == 1
        return 204

    server = Server(part(b"a"), part(b"b", more=False))
    await server.run(app_of(answer))


async def test_a_content_that_nobody_reads_costs_no_receive() -> None:
    async def answer(scope: Scope, content: Content) -> HttpResponse:
        return 200, None, bytes_writer(b"a")

    server = Server(method="GET")
    await server.run(app_of(answer))
    assert server.receives == 0


async def test_a_disconnect_in_mid_body_is_raised_and_remembered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[list[bytes]] = []
    raised = 0

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        nonlocal raised
        chunks = aiter(content)
        seen.append([await anext(chunks), await anext(chunks)])
        for _ in range(3):
            try:
                await anext(chunks)
            except HttpDisconnectError:
                raised += 1
        async for _ in content:
            pass
        return 200

    server = Server(part(b"a"), part(b"b"), DISCONNECT)
    await server.run(app_of(answer))
    assert seen == [[b"a", b"b"]]
    assert raised == 3
    assert server.receives == 3
    assert server.sent == []
    assert errors(caplog) == []


async def test_a_disconnect_that_the_handler_catches_cuts_its_stream() -> None:
    ended: list[str] = []

    async def stream() -> AsyncIterator[bytes]:
        try:
            await asyncio.Event().wait()
            yield b""
        finally:
            ended.append("closed")

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        with contextlib.suppress(HttpDisconnectError):
            await bytes_reader(content)
        return 200, None, stream()

    server = Server(part(b"a"), DISCONNECT)
    await server.run(app_of(answer))
    assert ended == ["closed"]


async def test_a_read_that_times_out_may_be_repeated() -> None:
    seen: list[bytes] = []

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        chunks = aiter(content)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SHORT):
                await anext(chunks)
        server.feed(part(b"a", more=False))
        seen.extend([chunk async for chunk in chunks])
        return 204

    server = Server()
    await server.run(app_of(answer))
    assert seen == [b"a"]


async def test_two_tasks_that_read_at_once_share_the_chunks() -> None:
    seen: list[bytes] = []

    async def read(content: Content) -> None:
        async for chunk in content:
            seen.append(chunk)
            await asyncio.sleep(0)

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(read(content))
            await turns()
            server.feed(part(b"a"), part(b"b"))
            await turns()
            server.feed(part(b"c", more=False))
        return 204

    server = Server()
    await server.run(app_of(answer))
    assert sorted(seen) == [b"a", b"b", b"c"]


@pytest.mark.parametrize(
    "error", [OSError("reset"), RuntimeError("broken")], ids=["OSError", "RuntimeError"]
)
async def test_an_error_of_receive_is_raised_in_the_handler(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def receive() -> Message:
        raise error

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        with pytest.raises(type(error)) as raised:
            await bytes_reader(content)
        assert raised.value is error
        return 204

    server = Server(method="GET")
    await app_of(answer)(server.scope, receive, server.send)
    assert [message.get("status") for message in server.sent] == [204, None]
    assert errors(caplog) == []


async def test_a_message_that_asgi_does_not_know_is_a_plain_500(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def answer(scope: Scope, content: Content) -> HttpResponse:
        await bytes_reader(content)
        return 200

    server = Server({"type": "http.unheard-of"}, method="GET")
    await server.run(app_of(answer))
    assert server.sent[0]["status"] == 500
    [record] = errors(caplog)
    assert "http.unheard-of" in str(record.exc_info)


# --- content-length -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "size", "limit", "status"),
    [
        pytest.param(b"11", 11, 10, 413, id="over the limit"),
        pytest.param(b"10", 10, 10, 200, id="at the limit"),
        pytest.param(b"0", 0, 10, 200, id="0"),
        pytest.param(b"9" * 5000, 1, 10, 413, id="5,000 digits"),
        pytest.param(b"000000000000000000000000011", 1, 10, 200, id="leading zeros"),
        pytest.param(b"0000000000000000000000000011", 11, 10, 413, id="zeros, too big"),
        pytest.param(b"", 1, 10, 200, id="empty"),
        pytest.param(b"-1", 1, 10, 200, id="negative"),
        pytest.param(b"+99", 1, 10, 200, id="plus sign"),
        pytest.param(b"9_9", 1, 10, 200, id="underscore"),
        pytest.param(b"99 ", 1, 10, 200, id="space"),
        pytest.param(b"99, 99", 1, 10, 200, id="list"),
        pytest.param(b"99.0", 1, 10, 200, id="fraction"),
        pytest.param(b"abc", 1, 10, 200, id="text"),
        pytest.param("\u0663".encode(), 1, 10, 200, id="digits that are not ASCII"),
        pytest.param(b"\xb2", 1, 10, 200, id="superscript in Latin-1"),
        pytest.param(b"99", 99, None, 200, id="no limit"),
        pytest.param(b"1", 11, 10, 413, id="more than announced"),
    ],
)
@pytest.mark.parametrize("reader", [bytes_reader, text_reader])
async def test_the_readers_stop_at_their_limit(
    reader: Callable[..., Coroutine[Any, Any, Any]],
    length: bytes,
    size: int,
    limit: int | None,
    status: int,
) -> None:
    async def answer(scope: Scope, content: Content) -> HttpResponse:
        await reader(content, max_bytes=limit)
        return 200

    response = await http_request(
        app_of(answer),
        "POST",
        "/",
        headers=[(b"content-length", length)],
        content=[b"x"] * size,
    )
    assert response.status == status


async def test_a_body_announced_over_the_limit_is_refused_before_it_is_received() -> (
    None
):
    async def answer(scope: Scope, content: Content) -> HttpResponse:
        with pytest.raises(ContentTooLarge) as raised:
            await bytes_reader(content, max_bytes=10)
        assert raised.value.code == 413
        assert server.receives == 0
        return 204

    server = Server()
    server.scope["headers"] = [(b"host", b"a"), (b"content-length", b"11")]
    task = server.start(app_of(answer))
    await in_time(asyncio.wait({task}))
    assert server.sent[0]["status"] == 204


async def test_a_limit_of_2_mib_is_the_one_unless_told_otherwise() -> None:
    async def answer(scope: Scope, content: Content) -> HttpResponse:
        return 200, None, bytes_writer(b"%d" % len(await bytes_reader(content)))

    mebi = KIBI * KIBI
    app = app_of(answer)
    fits = await http_request(app, "POST", "/", content=[b"x" * mebi] * 2)
    assert fits.body == b"%d" % (2 * mebi)
    too_large = await http_request(app, "POST", "/", content=[b"x" * mebi] * 2 + [b"x"])
    assert too_large.status == 413


# --- while the response streams -------------------------------------------------------


async def test_an_upload_is_echoed_while_it_arrives() -> None:
    async def echo(scope: Scope, content: Content) -> HttpResponse:
        return 200, [(b"content-type", b"text/plain")], content

    async with http_stream(app_of(echo), "POST", "/", content=None) as stream:
        await stream.started()
        for chunk in (b"a", b"b", b"c"):
            await stream.upload(chunk)
            assert await stream.chunk() == chunk
        await stream.upload(b"", more=False)
        assert await stream.chunk() == b""
        await stream.finished()


async def test_a_stream_may_read_the_request_as_it_goes() -> None:
    async def upper(content: Content) -> AsyncIterator[bytes]:
        yield b"> "
        async for chunk in content:
            yield chunk.upper()
        yield b"."

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        return 200, None, upper(content)

    async with http_stream(app_of(answer), "POST", "/", content=None) as stream:
        assert await stream.chunk() == b"> "
        for chunk in (b"a", b"b"):
            await stream.upload(chunk)
            assert await stream.chunk() == chunk.upper()
        await stream.upload(b"", more=False)
        assert await stream.chunk() == b"."
        assert await stream.chunk() == b""


@pytest.mark.parametrize("begun", [False, True], ids=["not begun", "begun"])
async def test_a_task_of_the_handler_may_read_while_the_response_streams(
    begun: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    seen: list[bytes] = []
    read = asyncio.Event()
    may_read = asyncio.Event()
    tasks: list[asyncio.Task[None]] = []

    async def stream() -> AsyncIterator[bytes]:
        yield b"a"
        await read.wait()
        yield b"b"

    async def collect(content: Content) -> None:
        await may_read.wait()
        seen.extend([chunk async for chunk in content])
        read.set()

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        tasks.append(asyncio.create_task(collect(content)))
        if begun:
            may_read.set()
            await turns()
        return 200, None, stream()

    server = Server()
    running = server.start(app_of(answer))
    await turns()
    may_read.set()
    for chunk in (b"1", b"", b"2"):
        server.feed(part(chunk))
        await turns()
    server.feed(part(b"3", more=False))
    await running
    assert seen == [b"1", b"2", b"3"]
    assert server.body == b"ab"
    await tasks[0]


async def test_a_task_of_the_handler_is_told_of_the_disconnect() -> None:
    seen: list[str] = []
    tasks: list[asyncio.Task[None]] = []

    async def stream() -> AsyncIterator[bytes]:
        try:
            yield b"a"
            await asyncio.Event().wait()
        finally:
            seen.append("closed")

    async def collect(content: Content) -> None:
        try:
            await bytes_reader(content)
        except HttpDisconnectError:
            seen.append("disconnected")

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        tasks.append(asyncio.create_task(collect(content)))
        await turns()
        return 200, None, stream()

    server = Server(part(b"a"))
    running = server.start(app_of(answer))
    await turns()
    server.leave()
    await running
    await in_time(tasks[0])
    assert sorted(seen) == ["closed", "disconnected"]


async def test_a_reader_that_is_cancelled_leaves_the_disconnect_to_the_watch() -> None:
    ended: list[str] = []
    tasks: list[asyncio.Task[bytes]] = []

    async def stream() -> AsyncIterator[bytes]:
        try:
            yield b"a"
            await asyncio.Event().wait()
        finally:
            ended.append("closed")

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        tasks.append(asyncio.create_task(bytes_reader(content)))
        await turns()
        return 200, None, stream()

    server = Server(part(b"a"))
    running = server.start(app_of(answer))
    await turns()
    tasks[0].cancel()
    await turns()
    server.leave()
    await running
    assert ended == ["closed"]


async def test_a_body_that_waits_for_content_ends_quietly_when_the_client_leaves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[BaseException] = []

    async def stream(content: Content) -> AsyncIterator[bytes]:
        try:
            async for chunk in content:
                yield chunk
        except BaseException as error:
            seen.append(error)
            raise

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        return 200, None, stream(content)

    server = Server(part(b"a"))
    running = server.start(app_of(answer))
    await turns()
    server.leave()
    await running
    assert isinstance(seen[0], (HttpDisconnectError, asyncio.CancelledError))
    assert server.body == b"a"
    assert END not in server.sent
    assert errors(caplog) == []


async def test_a_body_that_sleeps_is_cancelled_though_it_read_the_request_before() -> (
    None
):
    sleeping = asyncio.Event()
    ended: list[str] = []

    async def stream(content: Content) -> AsyncIterator[bytes]:
        try:
            yield await bytes_reader(content)
            sleeping.set()
            await asyncio.Event().wait()
        finally:
            ended.append("closed")

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        return 200, None, stream(content)

    server = Server(part(b"a", more=False))
    running = server.start(app_of(answer))
    await sleeping.wait()
    server.leave()
    await running
    assert ended == ["closed"]


@pytest.mark.parametrize(
    "error", [OSError("reset"), RuntimeError("broken")], ids=["OSError", "RuntimeError"]
)
async def test_an_error_of_receive_reaches_the_body_that_reads(
    error: Exception,
) -> None:
    seen: list[BaseException] = []

    async def receive() -> Message:
        await asyncio.sleep(0)
        raise error

    async def stream(content: Content) -> AsyncIterator[bytes]:
        yield b"a"
        try:
            async for chunk in content:
                yield chunk
        except BaseException as raised:
            seen.append(raised)
            raise

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        return 200, None, stream(content)

    server = Server()
    with contextlib.suppress(type(error)):
        await in_time(app_of(answer)(server.scope, receive, server.send))
    assert isinstance(seen[0], (type(error), asyncio.CancelledError))
    assert END not in server.sent
    assert others() == set()


# --- reading ahead, and what nobody will read -----------------------------------------


class Stream:
    """A response that sends one chunk and then waits until it is told to end."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()
        self.ends: list[str] = []

    async def body(self, *held: object) -> AsyncIterator[bytes]:
        try:
            yield b"a"
            await self.may_end.wait()
            self.ends.append("complete")
        finally:
            self.ends.append("closed")


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        pytest.param(16 * KIBI, 4, id="16 KiB each"),
        pytest.param(64 * KIBI, 1, id="64 KiB each"),
        pytest.param(60 * KIBI, 2, id="60 KiB each"),
        pytest.param(1, AHEAD // 1, id="1 byte each"),
        pytest.param(5000 * KIBI, 1, id="a huge first one"),
    ],
)
async def test_at_most_64_kib_and_the_last_message_wait_for_content(
    size: int, expected: int
) -> None:
    stream = Stream()
    held: list[Content] = []

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        held.append(content)
        return 200, None, stream.body()

    data = b"x" * size
    server = Server(*[part(data)] * (expected + 10))
    running = server.start(app_of(answer))
    await until(lambda: server.taken >= expected * size)
    await turns()
    assert server.taken == expected * size
    stream.may_end.set()
    await running
    assert server.taken == expected * size
    assert stream.ends == ["complete", "closed"]


async def test_reading_makes_room_and_loses_nothing() -> None:
    stream = Stream()
    held: list[Content] = []

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        held.append(content)
        return 200, None, stream.body()

    messages = [part(bytes([number]) * 16 * KIBI) for number in range(100)]
    server = Server(*messages, part(b"", more=False))
    running = server.start(app_of(answer))
    await until(lambda: server.taken >= AHEAD)
    await turns()
    assert server.taken == AHEAD
    chunks = aiter(held[0])
    assert await anext(chunks) == messages[0]["body"]
    await until(lambda: server.taken > AHEAD)
    await turns()
    assert server.taken == AHEAD + 16 * KIBI
    rest = [chunk async for chunk in chunks]
    assert [messages[0]["body"], *rest] == [message["body"] for message in messages]
    stream.may_end.set()
    await running


async def test_the_disconnect_behind_a_complete_upload_is_seen() -> None:
    stream = Stream()
    held: list[Content] = []

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        held.append(content)
        return 200, None, stream.body()

    server = Server(part(b"x" * 3 * AHEAD, more=False))
    running = server.start(app_of(answer))
    await turns()
    server.leave()
    await running
    assert stream.ends == ["closed"]
    # The whole of the body was there before the client left.
    assert await bytes_reader(held[0]) == b"x" * 3 * AHEAD


async def test_an_endless_upload_that_nobody_can_read_is_dropped() -> None:
    stream = Stream()

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        return 200, None, stream.body()

    alive = 0
    most = 0

    class Chunk(bytes):
        def __init__(self, *_: object) -> None:
            nonlocal alive, most
            alive += 1
            most = max(most, alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    server = Server()
    running = server.start(app_of(answer))
    for _ in range(2000):
        server.feed(part(Chunk(16 * KIBI)))
        await turns(3)
    await until(lambda: server.taken == 2000 * 16 * KIBI)
    assert most <= 10
    server.leave()
    await running
    assert stream.ends == ["closed"]


async def test_a_content_read_half_and_then_forgotten_is_dropped() -> None:
    stream = Stream()

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        async for _ in content:
            break
        return 200, None, stream.body()

    server = Server(*[part(b"x" * AHEAD)] * 10)
    running = server.start(app_of(answer))
    await until(lambda: server.taken == 10 * AHEAD)
    server.leave()
    await running
    assert stream.ends == ["closed"]


async def test_a_content_that_is_kept_but_not_begun_is_given_up_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bareasgi.request_body.PATIENCE", SHORT)
    stream = Stream()
    held: list[Content] = []

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        held.append(content)
        return 200, None, stream.body()

    server = Server(*[part(b"x" * AHEAD)] * 10)
    running = server.start(app_of(answer))
    await until(lambda: server.taken >= AHEAD)
    await turns()
    assert server.taken == AHEAD
    server.leave()
    await running
    assert server.taken == 10 * AHEAD
    assert stream.ends == ["closed"]
    for _ in range(2):
        with pytest.raises(HttpDisconnectError):
            await anext(aiter(held[0]))


async def test_a_body_that_reads_what_was_given_up_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The client is still there: the response must not just be left as it is."""
    monkeypatch.setattr("bareasgi.request_body.PATIENCE", SHORT)
    given_up = asyncio.Event()

    class Told(Server):
        async def receive(self) -> Message:
            message = await super().receive()
            if self.taken > AHEAD:
                given_up.set()
            return message

    async def stream(content: Content) -> AsyncIterator[bytes]:
        yield b"a"
        await given_up.wait()
        async for chunk in content:
            yield chunk

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        return 200, None, stream(content)

    server = Told(*[part(b"x" * AHEAD)] * 3, part(b"", more=False))
    with pytest.raises(HttpDisconnectError):
        await server.run(app_of(answer))
    assert server.body == b"a"
    assert END not in server.sent


async def test_a_content_that_was_begun_is_never_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bareasgi.request_body.PATIENCE", SHORT)
    stream = Stream()
    held: list[Content] = []

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        assert await anext(aiter(content)) == b"first"
        held.append(content)
        return 200, None, stream.body()

    server = Server(part(b"first"), *[part(b"x" * AHEAD)] * 3)
    running = server.start(app_of(answer))
    server.leave()
    asyncio.get_running_loop().call_later(4 * SHORT, stream.may_end.set)
    await running
    assert server.taken == 5 + AHEAD
    assert stream.ends == ["complete", "closed"]


async def test_a_disconnect_behind_a_pending_upload_is_seen_when_that_is_read() -> None:
    stream = Stream()
    held: list[Content] = []

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        assert await anext(aiter(content)) == b"first"
        held.append(content)
        return 200, None, stream.body()

    server = Server(part(b"first"), *[part(b"x" * AHEAD)] * 3)
    running = server.start(app_of(answer))
    server.leave()
    await turns()
    assert not running.done()
    chunks = aiter(held[0])
    for _ in range(3):
        assert await anext(chunks) == b"x" * AHEAD
    with pytest.raises(HttpDisconnectError):
        await anext(chunks)
    await running
    assert stream.ends == ["closed"]


async def drop_here(held: list[Content]) -> None:
    held.clear()


async def drop_in_a_thread(held: list[Content]) -> None:
    """Drop it while the loop sleeps, and nothing else wakes that up."""
    threading.Timer(SHORT, held.clear).start()


async def drop_by_the_collector(held: list[Content]) -> None:
    cycle: list[Any] = [held.pop()]
    cycle.append(cycle)
    del cycle
    await turns()
    gc.collect()


@pytest.mark.parametrize("begun", [False, True], ids=["not begun", "begun"])
@pytest.mark.parametrize("drop", [drop_here, drop_in_a_thread, drop_by_the_collector])
async def test_dropping_the_last_reference_while_paused_wakes_the_watch(
    drop: Callable[[list[Content]], Awaitable[None]],
    begun: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    stream = Stream()
    held: list[Content] = []

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        if begun:
            await anext(aiter(content))
        held.append(content)
        return 200, None, stream.body()

    server = Server(part(b"first"), *[part(b"x" * AHEAD)] * 10)
    running = server.start(app_of(answer))
    await until(lambda: server.taken >= AHEAD)
    await turns()
    assert server.taken < 3 * AHEAD
    server.leave()
    await drop(held)
    began = monotonic()
    await running
    assert monotonic() - began < DEADLINE / 2
    assert server.taken == 5 + 10 * AHEAD
    assert stream.ends == ["closed"]


def test_a_reference_that_is_dropped_after_the_loop_was_closed_does_no_harm() -> None:
    held: list[Content] = []

    async def main() -> None:
        stream = Stream()

        async def answer(scope: Scope, content: Content) -> HttpResponse:
            await anext(aiter(content))
            held.append(content)
            return 200, None, stream.body()

        server = Server(part(b"first"), part(b"x" * AHEAD), part(b"x"))
        running = server.start(app_of(answer))
        await turns()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())
    held.clear()
    gc.collect()


async def test_a_reader_that_waits_is_not_woken_for_nothing() -> None:
    """The watch pauses without turning round and round."""
    stream = Stream()
    held: list[Content] = []

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        held.append(content)
        return 200, None, stream.body()

    server = Server(*[part(b"x" * AHEAD)] * 2)
    running = server.start(app_of(answer))
    await until(lambda: server.taken >= AHEAD)
    await turns()
    receives = server.receives
    await turns(100)
    assert server.receives == receives
    stream.may_end.set()
    await running


# --- servers that want to be rid of an upload -----------------------------------------


class FullQueue(Server):
    """Blocks its last `send` until the upload was taken, as a full queue does."""

    def __init__(self, messages: int) -> None:
        super().__init__(*[part(b"x" * AHEAD)] * messages)
        self._is_empty = asyncio.Event()

    async def receive(self) -> Message:
        message = await super().receive()
        if not self._messages:
            self._is_empty.set()
        return message

    async def send(self, message: Message) -> None:
        await super().send(message)
        if not message.get("more_body", True):
            await self._is_empty.wait()


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(lambda: 413, id="int"),
        pytest.param(lambda: (200, None, bytes_writer(b"a")), id="bytes"),
        pytest.param(lambda: 204, id="204"),
        pytest.param(lambda: (200, None, bytes_writer(b"ab", chunk_size=1)), id="cut"),
    ],
)
async def test_an_answer_is_completed_though_its_last_send_waits_for_the_upload(
    response: Callable[[], HttpResponse],
) -> None:
    async def answer(scope: Scope, content: Content) -> HttpResponse:
        return response()

    server = FullQueue(20)
    await server.run(app_of(answer))
    assert server.taken == 20 * AHEAD
    assert server.sent[-1]["more_body"] is False
    assert others() == set()


@pytest.mark.parametrize("begun", [False, True], ids=["not begun", "begun"])
async def test_an_error_is_answered_though_its_last_send_waits_for_the_upload(
    begun: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    async def answer(scope: Scope, content: Content) -> HttpResponse:
        if begun:
            await anext(aiter(content))
        raise ContentTooLarge(10)

    server = FullQueue(20)
    await server.run(app_of(answer))
    assert server.sent[0]["status"] == 413
    assert server.taken == 20 * AHEAD


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ZeroDivisionError(), id="exception"),
        pytest.param(HttpError(199), id="HttpError that cannot be sent"),
    ],
)
@pytest.mark.parametrize("begun", [False, True], ids=["not begun", "begun"])
async def test_an_error_that_a_log_keeps_is_answered_all_the_same(
    error: Exception,
    begun: bool,  # noqa: FBT001 - a parameter of the test
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The traceback in the log holds the handler's frame, and with it the content."""
    monkeypatch.setattr("bareasgi.request_body.PATIENCE", SHORT)

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        if begun:
            await anext(aiter(content))
        raise error

    server = FullQueue(20)
    await server.run(app_of(answer))
    assert len(errors(caplog)) == 1
    assert server.sent[0]["status"] == 500
    assert server.taken == 20 * AHEAD


async def test_an_answer_is_completed_though_its_handler_s_content_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bareasgi.request_body.PATIENCE", SHORT)
    held: list[Content] = []

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        held.append(content)
        return 200

    server = FullQueue(20)
    await server.run(app_of(answer))
    assert server.sent[-1]["more_body"] is False
    assert server.taken == 20 * AHEAD


async def test_an_answer_to_a_request_that_was_read_needs_no_watch() -> None:
    async def answer(scope: Scope, content: Content) -> HttpResponse:
        return 200, None, bytes_writer(await bytes_reader(content))

    tasks: list[set[asyncio.Task[Any]]] = []

    class Watched(Server):
        async def send(self, message: Message) -> None:
            tasks.append(asyncio.all_tasks())
            await super().send(message)

    server = Watched(part(b"a"), part(b"b", more=False))
    await checked(app_of(answer))(server.scope, server.receive, server.send)
    assert server.receives == 2
    assert tasks == [{asyncio.current_task()}] * 2
    assert server.body == b"ab"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="no content-length"),
        pytest.param([(b"content-length", b"0")], id="content-length 0"),
    ],
)
async def test_an_answer_to_an_empty_post_is_complete(headers: list[Header]) -> None:
    async def answer(scope: Scope, content: Content) -> HttpResponse:
        return 200, None, bytes_writer(b"a")

    server = Server(part(b"", more=False))
    server.scope["headers"] = headers
    await server.run(app_of(answer))
    assert server.body == b"a"
    assert others() == set()


async def test_a_server_whose_receive_never_waits_does_not_stop_the_loop() -> None:
    """An upload that is always there already, beside a body that waits."""
    stream = Stream()
    end = monotonic() + 0.3
    beside = 0

    async def receive() -> Message:
        return part(b"x" * KIBI) if monotonic() < end else DISCONNECT

    async def tick() -> None:
        nonlocal beside
        while not stream.ends:
            beside += 1
            await asyncio.sleep(0)

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        return 200, None, stream.body()

    server = Server()
    ticking = asyncio.create_task(tick())
    await in_time(app_of(answer)(server.scope, receive, server.send))
    await ticking
    assert stream.ends == ["closed"]
    assert beside >= 5


async def test_an_error_may_be_answered_with_the_content_of_the_request() -> None:
    async def answer(scope: Scope, content: Content) -> HttpResponse:
        raise HttpError(422, content)

    server = Server(part(b"a"), part(b"b", more=False))
    await server.run(app_of(answer))
    assert server.sent[0]["status"] == 422
    assert server.body == b"ab"
    assert server.sent[-1] == END


async def test_an_error_leaves_the_content_to_the_task_that_reads_it() -> None:
    tasks: list[asyncio.Task[bytes]] = []

    async def stream() -> AsyncIterator[bytes]:
        yield await tasks[0]

    async def answer(scope: Scope, content: Content) -> HttpResponse:
        tasks.append(asyncio.create_task(bytes_reader(content)))
        raise HttpError(422, stream())

    server = Server(part(b"a"), part(b"b", more=False))
    await server.run(app_of(answer))
    assert server.sent[0]["status"] == 422
    assert server.body == b"ab"
    assert server.sent[-1] == END
