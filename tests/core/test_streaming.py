"""Readers, writers, and what happens after a body."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from bareasgi import (
    Application,
    Body,
    Content,
    ContentTooLarge,
    Header,
    HttpHandler,
    HttpResponse,
    Info,
    RouteMatches,
    Scope,
    after_body,
    bytes_reader,
    bytes_writer,
    text_reader,
    text_writer,
)
from bareasgi.testing import http_request, http_stream

MIB = 1024 * 1024


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def chunks_of(body: Body) -> list[bytes]:
    return [chunk async for chunk in body]


# Readers.


@pytest.mark.parametrize(
    "chunks",
    [[], [b""], [b"abc"], [b"a", b"b", b"c"], [b"", b"ab", b"", b"c", b""]],
    ids=repr,
)
async def test_bytes_reader_joins_all_chunks_in_order(chunks: list[bytes]) -> None:
    assert await bytes_reader(stream(*chunks)) == b"".join(chunks)


@pytest.mark.parametrize("encoding", ["iso2022_jp", "utf-16", "shift_jis"])
@pytest.mark.parametrize("chunk_size", [1, 2, 3, 100])
async def test_text_that_is_cut_is_encoded_to_its_end(
    encoding: str, chunk_size: int
) -> None:
    text = "日本 and 語"
    pieces = await chunks_of(text_writer(text, encoding, chunk_size))
    assert b"".join(pieces) == text.encode(encoding)


async def test_bytes_reader_gives_bytes_also_for_other_buffers() -> None:
    async def buffers() -> AsyncIterator[Any]:
        yield bytearray(b"ab")
        yield memoryview(b"cd")

    assert await bytes_reader(buffers()) == b"abcd"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_bytes_reader_gives_bytes_for_a_single_chunk_too(
    kind: Callable[[bytes], Any],
) -> None:
    async def one() -> AsyncIterator[Any]:
        yield kind(b"ab")

    found = await bytes_reader(one())
    assert type(found) is bytes
    assert found == b"ab"


@pytest.mark.parametrize("read", [bytes_reader, text_reader])
@pytest.mark.parametrize(
    ("size", "limit", "is_read"),
    [
        (9, 10, True),
        (10, 10, True),
        (11, 10, False),
        (1, 0, False),
        (0, 0, True),
    ],
)
async def test_a_reader_stops_over_its_limit(
    read: Callable[..., Any],
    size: int,
    limit: int,
    is_read: bool,  # noqa: FBT001 - of a table
) -> None:
    content = stream(*[b"x"] * size)
    if is_read:
        assert len(await read(content, max_bytes=limit)) == size
        return
    with pytest.raises(ContentTooLarge) as caught:
        await read(content, max_bytes=limit)
    assert caught.value.code == 413
    # It stopped at the chunk that was one too many.
    assert len(await bytes_reader(content)) == size - limit - 1


@pytest.mark.parametrize("read", [bytes_reader, text_reader])
async def test_the_limit_is_two_mebibytes_unless_told_otherwise(
    read: Callable[..., Any],
) -> None:
    mebibyte = b"x" * MIB
    assert len(await read(stream(mebibyte, mebibyte))) == 2 * MIB
    with pytest.raises(ContentTooLarge):
        await read(stream(mebibyte, mebibyte, b"x"))


@pytest.mark.parametrize("read", [bytes_reader, text_reader])
async def test_none_lifts_the_limit(read: Callable[..., Any]) -> None:
    assert len(await read(stream(*[b"x" * MIB] * 3), max_bytes=None)) == 3 * MIB


async def test_the_limit_of_a_text_counts_bytes() -> None:
    assert await text_reader(stream("ñ".encode()), max_bytes=2) == "ñ"
    with pytest.raises(ContentTooLarge):
        await text_reader(stream("ñ".encode()), max_bytes=1)


def reading(read: Callable[..., Any], wrap: bool = False) -> HttpHandler:  # noqa: FBT001, FBT002
    """Make a handler that answers with the length of what it read."""

    async def wrapped(content: Content) -> AsyncIterator[bytes]:
        async for chunk in content:
            yield chunk

    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        whole = await read(wrapped(content) if wrap else content, max_bytes=10)
        return 200, None, text_writer(str(len(whole)))

    return handler


@pytest.mark.parametrize("read", [bytes_reader, text_reader])
@pytest.mark.parametrize(
    ("length", "status"),
    [
        (b"3", 200),
        (b"10", 200),
        (b"11", 413),
        (b"9" * 5000, 413),
        (b"", 200),
        (b"x", 200),
        (b"-11", 200),
        (b"1e9", 200),
        ("１１".encode(), 200),  # noqa: RUF001 - full-width digits
        (b"\xb2\xb2", 200),
    ],
    ids=lambda value: ascii(value)[:20],
)
async def test_a_content_length_over_the_limit_is_refused_before_reading(
    read: Callable[..., Any], length: bytes, status: int
) -> None:
    app = Application()
    app.http_router.add({"POST"}, "/", reading(read))
    headers: list[Header] = [(b"content-length", length)]
    received: list[object] = []

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        async def count() -> Any:
            received.append(1)
            return await receive()

        await app(scope, count, send)

    response = await http_request(
        watched, "POST", "/", headers=headers, content=[b"a", b"b", b"c"]
    )
    assert response.status == status
    if status == 200:
        assert response.text == "3"


async def test_an_early_refusal_waits_for_nothing_of_the_upload() -> None:
    app = Application()
    app.http_router.add({"POST"}, "/", reading(bytes_reader))
    headers: list[Header] = [(b"content-length", b"11")]
    async with http_stream(app, "POST", "/", headers=headers, content=None) as upload:
        await upload.started()
        assert upload.status == 413


@pytest.mark.parametrize("read", [bytes_reader, text_reader])
@pytest.mark.parametrize(("size", "status"), [(10, 200), (11, 413)])
async def test_in_a_wrapped_content_the_count_decides(
    read: Callable[..., Any], size: int, status: int
) -> None:
    app = Application()
    app.http_router.add({"POST"}, "/", reading(read, wrap=True))
    headers: list[Header] = [(b"content-length", b"99")]
    response = await http_request(
        app, "POST", "/", headers=headers, content=[b"x"] * size
    )
    assert response.status == status


async def test_a_body_over_the_limit_is_answered_with_413() -> None:
    app = Application()
    app.http_router.add({"POST"}, "/", reading(bytes_reader))
    response = await http_request(app, "POST", "/", content=[b"x"] * 11)
    assert (response.status, response.body) == (413, b"Content Too Large")


class Letters:
    """Content cut anew, that lends all else of the content which it wraps."""

    def __init__(self, content: Content) -> None:
        self.content = content

    def __getattr__(self, name: str) -> Any:
        return getattr(self.content, name)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self.content:
            for number in chunk:
                yield bytes([number])


@pytest.mark.parametrize("read", [bytes_reader, text_reader])
async def test_a_wrapped_content_is_read_to_its_own_end(
    read: Callable[..., Any],
) -> None:
    app = Application()
    app.http_router.add(
        {"POST"}, "/", reading(lambda content, **more: read(Letters(content), **more))
    )
    assert (await http_request(app, "POST", "/", content=b"abc")).text == "3"


@pytest.mark.parametrize("read", [bytes_reader, text_reader])
@pytest.mark.parametrize("is_wrapped", [False, True])
async def test_the_whole_of_a_request_is_read_however_it_arrives(
    read: Callable[..., Any],
    is_wrapped: bool,  # noqa: FBT001 - of a table
) -> None:
    app = Application()
    app.http_router.add({"POST"}, "/", reading(read, wrap=is_wrapped))
    for content in (b"abc", b"", [b"a", b"bc"], [b"", b"abc"], stream(b"ab", b"c")):
        response = await http_request(app, "POST", "/", content=content)
        assert response.text == ("3" if content else "0")


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "añ€😀"),
        ("utf-8", ""),
        ("latin-1", "añ"),
        ("utf-16", "a€😀"),
        ("utf-16-le", "a€😀"),
        ("ascii", "abc"),
        ("utf-8-sig", "ñ"),
        ("shift-jis", "日本"),
    ],
)
async def test_text_reader_decodes_wherever_the_chunks_are_cut(
    encoding: str, text: str
) -> None:
    data = text.encode(encoding)
    for size in (1, 2, 3, 100):
        pieces = [data[i : i + size] for i in range(0, len(data), size)]
        assert await text_reader(stream(*pieces), encoding) == text


async def test_text_reader_reads_utf_8_unless_told_otherwise() -> None:
    assert await text_reader(stream("ñ".encode())) == "ñ"
    assert await text_reader(stream(b"\xf1"), encoding="latin-1") == "ñ"


@pytest.mark.parametrize(
    ("encoding", "chunks"),
    [
        ("utf-8", [b"\xff"]),
        ("utf-8", [b"a", b"\xc3"]),
        ("utf-8", [b"\xe2\x82"]),
        ("utf-8", [b"\xc3", b"a"]),
        ("utf-16-le", [b"a\x00", b"b"]),
        ("utf-16-le", [b"\x00\xd8"]),
        ("ascii", [b"\xf1"]),
    ],
)
async def test_text_reader_raises_for_what_is_not_in_the_encoding(
    encoding: str, chunks: list[bytes]
) -> None:
    with pytest.raises(UnicodeDecodeError):
        await text_reader(stream(*chunks), encoding)


async def test_many_chunks_are_read_in_linear_time() -> None:
    async def many() -> AsyncIterator[bytes]:
        for _ in range(200_000):
            yield b"x"

    async with asyncio.timeout(10):
        assert len(await bytes_reader(many())) == 200_000
        assert len(await text_reader(many())) == 200_000


# Writers.


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (bytes_writer(b"abcde"), [b"abcde"]),
        (bytes_writer(b""), [b""]),
        (bytes_writer(b"abcde", -1), [b"abcde"]),
        (bytes_writer(b"abcde", 2), [b"ab", b"cd", b"e"]),
        (bytes_writer(b"abcd", chunk_size=2), [b"ab", b"cd"]),
        (bytes_writer(b"abcde", 100), [b"abcde"]),
        (bytes_writer(bytearray(b"abc"), 2), [b"ab", b"c"]),
        (bytes_writer(memoryview(b"abc")), [b"abc"]),
        (bytes_writer(memoryview(b"abcdef")[::2]), [b"ace"]),
        (text_writer("añ"), ["añ".encode()]),
        (text_writer(""), [b""]),
        (text_writer("añ", "latin-1"), [b"a\xf1"]),
        (text_writer("añ", encoding="latin-1", chunk_size=1), [b"a", b"\xf1"]),
        (text_writer("ñññ", chunk_size=2), ["ññ".encode(), "ñ".encode()]),
        (text_writer("ab", "utf-16", 1), ["a".encode("utf-16"), b"b\x00"]),
        (text_writer("ab", "utf-8-sig", 1), [b"\xef\xbb\xbfa", b"b"]),
    ],
)
async def test_a_writer_gives_its_pieces_each_time_afresh(
    body: Body, expected: list[bytes]
) -> None:
    if sys.byteorder == "big":
        pytest.skip("the pieces of UTF-16 are written here for little-endian machines")
    for _ in range(3):
        found = await chunks_of(body)
        assert found == expected
        assert {type(chunk) for chunk in found} == {bytes}


@pytest.mark.parametrize("chunk_size", [1, 3, 1000])
async def test_chunked_writers_give_nothing_for_nothing(chunk_size: int) -> None:
    assert b"".join(await chunks_of(bytes_writer(b"", chunk_size))) == b""
    assert b"".join(await chunks_of(text_writer("", "utf-8", chunk_size))) == b""


@pytest.mark.parametrize("chunk_size", [0, -2, -100])
def test_a_chunk_size_that_cuts_nothing_is_refused_at_the_call(chunk_size: int) -> None:
    with pytest.raises(ValueError, match=f"{chunk_size}.*-1"):
        bytes_writer(b"abc", chunk_size)
    with pytest.raises(ValueError, match=f"{chunk_size}.*-1"):
        text_writer("abc", "utf-8", chunk_size)


def test_text_that_the_encoding_cannot_express_fails_at_the_call() -> None:
    for chunk_size in (-1, 1):
        with pytest.raises(UnicodeEncodeError):
            text_writer("€", "latin-1", chunk_size)


@pytest.mark.parametrize(
    "body",
    [bytes_writer(b"abcd", 2), bytes_writer(b"abcd"), text_writer("abcd", "ascii", 1)],
)
async def test_two_iterations_do_not_disturb_one_another(body: Body) -> None:
    expected = await chunks_of(body)
    one, two = aiter(body), aiter(body)
    found_one, found_two = [], []
    for _ in expected:
        found_one.append(await anext(one))
        found_two.append(await anext(two))
    assert found_one == found_two == expected
    for iterator in (one, two):
        with pytest.raises(StopAsyncIteration):
            await anext(iterator)


async def test_a_writer_is_an_iterator_too() -> None:
    body = bytes_writer(b"abcd", 2)
    assert [await anext(body), await anext(body)] == [b"ab", b"cd"]
    with pytest.raises(StopAsyncIteration):
        await anext(body)
    # An `async for` starts afresh all the same.
    assert await chunks_of(body) == [b"ab", b"cd"]


@pytest.mark.parametrize("writer", [bytes_writer(b"abcd", 2), bytes_writer(b"abcd")])
async def test_a_writer_can_be_closed_at_any_time(writer: Any) -> None:
    await writer.aclose()
    await anext(writer)
    await writer.aclose()
    await writer.aclose()
    assert b"".join(await chunks_of(writer)) == b"abcd"


async def test_a_change_of_the_buffer_after_the_call_changes_nothing() -> None:
    buffer = bytearray(b"abc")
    whole, pieces = bytes_writer(buffer), bytes_writer(buffer, 2)
    buffer[:] = b"xyz"
    assert await chunks_of(whole) == [b"abc"]
    assert await chunks_of(pieces) == [b"ab", b"c"]


async def test_one_body_may_answer_many_requests_at_once() -> None:
    body = bytes_writer(b"abcd", 1)

    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, None, body

    app = Application()
    app.http_router.add({"GET"}, "/", handler)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(http_request(app, "GET", "/")) for _ in range(20)]
    assert {task.result().body for task in tasks} == {b"abcd"}


# After the body.


def answering(response: Callable[[], HttpResponse]) -> Application:
    async def handler(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return response()

    app = Application()
    app.http_router.add({"GET"}, "/", handler)
    return app


class Observed:
    """Counts calls, and keeps what each saw of an exception."""

    def __init__(self) -> None:
        self.errors: list[type[BaseException] | None] = []

    def __call__(self) -> None:
        self.errors.append(sys.exc_info()[0])


class Closable:
    """A body that is not its own iterator, and counts how often it is closed."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = chunks
        self.closed = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            yield chunk

    async def aclose(self) -> None:
        self.closed += 1


BODIES: dict[str, Callable[[], Body | None]] = {
    "none": lambda: None,
    "known": lambda: bytes_writer(b"abc"),
    "pieces": lambda: bytes_writer(b"abc", 1),
    "generator": lambda: stream(b"a", b"bc"),
    "object": lambda: Closable(b"a", b"bc"),
}


@pytest.mark.parametrize("make", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("HEAD", 200)])
async def test_a_callback_runs_once_when_the_response_is_over(
    make: Callable[[], Body | None], kind: str, method: str, status: int
) -> None:
    observed = Observed()
    sent_before: list[int] = []
    messages: list[Any] = []

    async def later() -> None:
        await asyncio.sleep(0)
        observed()

    def callback() -> Any:
        sent_before.append(len(messages))
        return later() if kind == "async" else observed()

    app = answering(lambda: (status, None, after_body(make(), callback)))

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        async def keep(message: Any) -> None:
            messages.append(message)
            await send(message)

        await app(scope, receive, keep)

    response = await http_request(watched, method, "/")
    expected = b"" if make() is None or method == "HEAD" else b"abc"
    assert response.body == expected
    assert observed.errors == [None]


@pytest.mark.parametrize("make", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("status", [204, 304])
async def test_a_callback_runs_when_the_body_is_not_sent(
    make: Callable[[], Body | None], status: int
) -> None:
    observed = Observed()
    app = answering(lambda: (status, None, after_body(make(), observed)))
    assert (await http_request(app, "GET", "/")).body == b""
    assert observed.errors == [None]


@pytest.mark.parametrize("make", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize(
    ("status", "headers"),
    [(200, [(b"x-a", b"1\r\n")]), (999, None), (200, [("x-a", "1")])],
    ids=["header", "status", "str header"],
)
async def test_a_callback_runs_when_the_response_is_refused(
    make: Callable[[], Body | None], status: int, headers: Any
) -> None:
    observed = Observed()
    app = answering(lambda: (status, headers, after_body(make(), observed)))
    assert (await http_request(app, "GET", "/")).status == 500
    assert len(observed.errors) == 1


async def test_a_callback_sees_the_exception_of_the_body() -> None:
    async def fail() -> AsyncIterator[bytes]:
        yield b"a"
        raise KeyError("lost")

    observed = Observed()
    app = answering(lambda: (200, None, after_body(fail(), observed)))
    with pytest.raises(KeyError):
        await http_request(app, "GET", "/")
    assert observed.errors == [KeyError]


async def test_a_callback_sees_that_the_client_left_while_the_body_slept() -> None:
    async def sleep() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.Event().wait()

    observed = Observed()
    app = answering(lambda: (200, None, after_body(sleep(), observed)))
    async with http_stream(app, "GET", "/") as response:
        assert await response.chunk() == b"a"
    assert observed.errors == [asyncio.CancelledError]


async def test_a_callback_sees_that_the_client_left_while_we_were_sending() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"a"

    observed = Observed()
    app = answering(lambda: (200, None, after_body(endless(), observed)))
    async with http_stream(app, "GET", "/") as response:
        await response.blocked()
    assert len(observed.errors) == 1
    assert observed.errors[0] in (GeneratorExit, asyncio.CancelledError)


async def test_a_callback_runs_once_when_the_task_is_cancelled() -> None:
    async def sleep() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.Event().wait()

    observed = Observed()
    app = answering(lambda: (200, None, after_body(sleep(), observed)))
    async with http_stream(app, "GET", "/") as response:
        await response.chunk()
        response.cancel()
        with pytest.raises(asyncio.CancelledError):
            await response.finished()
    assert observed.errors == [asyncio.CancelledError]


@pytest.mark.parametrize("make", BODIES.values(), ids=BODIES.keys())
async def test_several_callbacks_run_in_the_order_they_were_added(
    make: Callable[[], Body | None],
) -> None:
    order: list[str] = []

    def respond() -> HttpResponse:
        body = after_body(make(), lambda: order.append("inner"))
        return 200, None, after_body(body, lambda: order.append("outer"))

    await http_request(answering(respond), "GET", "/")
    assert order == ["inner", "outer"]


@pytest.mark.parametrize("make", BODIES.values(), ids=BODIES.keys())
async def test_what_a_callback_raises_is_logged_and_changes_nothing(
    make: Callable[[], Body | None], caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise KeyError("lost")

    observed = Observed()
    app = answering(lambda: (200, None, after_body(after_body(make(), fail), observed)))
    response = await http_request(app, "GET", "/")
    assert response.body == (b"" if make() is None else b"abc")
    assert "lost" in caplog.text
    assert len(observed.errors) == 1


@pytest.mark.parametrize("make", BODIES.values(), ids=BODIES.keys())
async def test_what_an_async_callback_raises_is_logged_and_changes_nothing(
    make: Callable[[], Body | None], caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise KeyError("lost")

    observed = Observed()
    app = answering(lambda: (200, None, after_body(after_body(make(), fail), observed)))
    response = await http_request(app, "GET", "/")
    assert response.body == (b"" if make() is None else b"abc")
    assert "lost" in caplog.text
    assert len(observed.errors) == 1


@pytest.mark.parametrize("make", BODIES.values(), ids=BODIES.keys())
async def test_a_callback_that_does_not_end_is_abandoned_and_logged(
    make: Callable[[], Body | None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bareasgi.tasks.CLOSING_TIME", 0.01)
    may_end = asyncio.Event()
    app = answering(lambda: (200, None, after_body(make(), may_end.wait)))
    response = await http_request(app, "GET", "/")
    assert response.body == (b"" if make() is None else b"abc")
    assert "does not end" in caplog.text
    may_end.set()
    await asyncio.sleep(0)


async def test_a_cancellation_waits_for_an_async_callback_of_a_wrapped_body() -> None:
    """A middleware may close the body that it wraps in a task that is cancelled."""
    began, may_end = asyncio.Event(), asyncio.Event()
    ended: list[str] = []

    async def tidy_up() -> None:
        began.set()
        await may_end.wait()
        ended.append("tidied up")

    body: Any = after_body(stream(b"a"), tidy_up)
    task = asyncio.create_task(body.aclose())
    await began.wait()
    task.cancel()
    await asyncio.sleep(0)
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["tidied up"]


@pytest.mark.parametrize("make", [BODIES["none"], BODIES["known"]])
async def test_a_known_body_stays_known(make: Callable[[], Body | None]) -> None:
    app = answering(lambda: (200, None, after_body(make(), Observed())))
    response = await http_request(app, "GET", "/")
    assert len(response.messages) == 2
    assert [name for name, _ in response.headers] == [b"content-length"]


async def test_a_body_that_is_shared_is_not_changed() -> None:
    shared = bytes_writer(b"abc")
    observed = Observed()
    app = answering(lambda: (200, None, after_body(shared, observed)))
    plain = answering(lambda: (200, None, shared))
    for count in (1, 2, 3):
        assert (await http_request(app, "GET", "/")).body == b"abc"
        assert (await http_request(plain, "GET", "/")).body == b"abc"
        assert len(observed.errors) == count


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_body_inside_is_closed_once_and_before_the_callback(
    method: str,
) -> None:
    body = Closable(b"a")
    closed: list[int] = []
    app = answering(
        lambda: (200, None, after_body(body, lambda: closed.append(body.closed)))
    )
    await http_request(app, method, "/")
    assert closed == [1]
    assert body.closed == 1


async def test_a_body_that_cannot_be_closed_is_logged_and_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Stuck(Closable):
        async def aclose(self) -> None:
            raise KeyError("stuck")

    app = answering(lambda: (200, None, Stuck(b"abc")))
    assert (await http_request(app, "GET", "/")).body == b"abc"
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "stuck" in caplog.text
