"""Event streams: what is on the wire, when, and how the source of the events ends."""

import asyncio
import logging
import random
import re
import sys
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from bareutils import header

from bareasgi import Application, Content, HttpResponse, Info, RouteMatches, Scope
from bareasgi.event_stream import EVENT_STREAM_HEADERS, Event, event_stream
from bareasgi.testing import Stream, http_request, http_stream

SHORT = 0.05  # seconds: a limit that is meant to pass
COMMENT = b": keep-alive\n\n"


def serving(make_events: Callable[[], Any], **options: Any) -> Application:
    """Make an application that answers with a stream of these events."""
    app = Application()

    @app.on_http_request({"GET"}, "/")
    async def stream(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        return 200, EVENT_STREAM_HEADERS, event_stream(make_events(), **options)

    return app


async def source(*events: Any) -> AsyncIterator[Any]:
    for event in events:
        yield event


async def sent(*events: Any, **options: Any) -> list[bytes]:
    """Give the chunks that are sent for these events."""
    app = serving(lambda: source(*events), **options)
    return (await http_request(app, "GET", "/")).chunks


async def turns(count: int = 10) -> None:
    """Let everybody else go on for a few turns of the loop."""
    for _ in range(count):
        await asyncio.sleep(0)


def errors(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.fixture(autouse=True)
async def _no_task_is_left() -> AsyncIterator[None]:
    yield
    assert asyncio.all_tasks() - {asyncio.current_task()} == set()


class Clock:
    """The time of the running loop, which stands still but for `advance`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self.now = loop.time()
        monkeypatch.setattr(loop, "time", lambda: self.now)

    async def advance(self, seconds: float) -> None:
        self.now += seconds
        await turns()


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Feed:
    """A source that is told when to give an event, and tells how it fares."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Any] = asyncio.Queue()
        self.asked = 0
        self.ended_by: list[str] = []

    async def events(self) -> AsyncGenerator[Any, None]:
        try:
            while True:
                self.asked += 1
                yield await self.queue.get()
        except BaseException as error:
            self.ended_by.append(type(error).__name__)
            raise


# --- on the wire ----------------------------------------------------------------------


@dataclass
class Price:
    """An event of a class of the user's own, with more in it than an event has."""

    data: str
    currency: str


class Row(NamedTuple):
    id: str
    event: str
    data: str


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Event("hello"), "data: hello\n\n"),
        (Event(b"hello"), "data: hello\n\n"),
        (Event(""), "data: \n\n"),
        (Event(" with a space"), "data:  with a space\n\n"),
        (Event("né 日本"), "data: né 日本\n\n"),
        (Event("né".encode()), "data: né\n\n"),
        (Event("x", "price"), "event: price\ndata: x\n\n"),
        (Event("x", id="7"), "id: 7\ndata: x\n\n"),
        (Event("x", id=7), "id: 7\ndata: x\n\n"),
        (Event("x", id=""), "id: \ndata: x\n\n"),
        (Event("x", "price", "7"), "id: 7\nevent: price\ndata: x\n\n"),
        ({"data": "x"}, "data: x\n\n"),
        (
            OrderedDict(id=0, event="price", data=b"x"),
            "id: 0\nevent: price\ndata: x\n\n",
        ),
        ({"data": "x", "event": None, "id": None}, "data: x\n\n"),
        (Price("12.3", "EUR"), "data: 12.3\n\n"),
        (Row("7", "price", "x"), "id: 7\nevent: price\ndata: x\n\n"),
        (Event("a\nb"), "data: a\ndata: b\n\n"),
        (Event("a\r\nb\rc\n\nd"), "data: a\ndata: b\ndata: c\ndata: \ndata: d\n\n"),
        (Event("\n"), "data: \ndata: \n\n"),
        (Event(b"a\r\nb"), "data: a\ndata: b\n\n"),
        # What other ends of lines Python knows are no ends of lines here.
        (Event("a\u2028b\x0bc\x85d"), "data: a\u2028b\x0bc\x85d\n\n"),
    ],
    ids=repr,
)
async def test_an_event_is_sent_as_these_lines(event: Any, text: str) -> None:
    assert await sent(event) == [text.encode()]


def parse(stream: str) -> list[tuple[str, str, str]]:
    """Read a stream as the HTML standard says: type, data and last id of each event."""
    events: list[tuple[str, str, str]] = []
    data, kind, last_id = "", "", ""
    for line in re.split("\r\n|\n|\r", stream):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                events.append((kind or "message", data.removesuffix("\n"), last_id))
            data, kind = "", ""
        elif name == "data":
            data += value + "\n"
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            last_id = value
    return events


async def test_any_text_arrives_with_its_lines() -> None:
    dice = random.Random(7)  # noqa: S311 - not a secret
    texts = [
        "".join(dice.choices(["a", " ", ":", "\r", "\n", "\0", "\ufeff", "日"], k=size))
        for size in range(200)
    ]
    events = [Event(text, "kind: " + str(n), n) for n, text in enumerate(texts)]
    found = parse(b"".join(await sent(*events)).decode())
    assert found == [
        (f"kind: {n}", re.sub("\r\n|\r", "\n", text), str(n))
        for n, text in enumerate(texts)
    ]


async def test_the_headers_are_those_of_an_event_stream() -> None:
    response = await http_request(serving(source), "GET", "/")
    assert response.status == 200
    assert response.headers == [
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
    ]
    assert response.body == b""


async def test_retry_is_sent_first_and_once() -> None:
    assert await sent(Event("a"), Event("b"), retry=0) == [
        b"retry: 0\n\n",
        b"data: a\n\n",
        b"data: b\n\n",
    ]
    feed = Feed()
    async with http_stream(serving(feed.events, retry=2500), "GET", "/") as stream:
        # It does not wait for an event.
        assert await stream.chunk() == b"retry: 2500\n\n"
        assert feed.asked == 0


# --- bad input ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "error", "text"),
    [
        (Event("x", "a\nb"), ValueError, r"event 'a\\nb' must be one line"),
        (Event("x", "a\rb"), ValueError, r"event 'a\\rb' must be one line"),
        (Event("x", None, "a\nb"), ValueError, r"id 'a\\nb' must be one line"),
        (Event("x", None, "a\r"), ValueError, r"id 'a\\r' must be one line"),
        ({"data": "x", "id": "\0"}, ValueError, "without NUL"),
        ({"data": "x", "name": "y"}, ValueError, "no keys but 'data'"),
        ({"data": "x", "retry": 1}, ValueError, "'retry' is given to event_stream"),
        (Event(b"\xff"), UnicodeDecodeError, "utf-8"),
        (Event("\ud800"), UnicodeEncodeError, "surrogates"),
        ({}, TypeError, "must be str or bytes, not None"),
        ({"data": {"a": 1}}, TypeError, r"write .*json.dumps\(value\)"),
        (Event(1), TypeError, "must be str or bytes, not 1"),  # type: ignore[arg-type]
        ("text", TypeError, r"write Event\('text'\)"),
        (None, TypeError, "must be str or bytes"),
        ({"data": "x", "event": 1}, TypeError, "the event of an event must be a str"),
        ({"data": "x", "id": b"1"}, TypeError, "the id of an event must be a str"),
    ],
    ids=repr,
)
async def test_an_event_that_cannot_be_sent_cuts_the_stream_and_says_why(
    event: Any, error: type[Exception], text: str, caplog: pytest.LogCaptureFixture
) -> None:
    closed: list[bool] = []

    async def events() -> AsyncIterator[Any]:
        try:
            yield Event("before")
            yield event
            yield Event("after")
        finally:
            closed.append(True)

    async with http_stream(serving(events), "GET", "/", buffer=None) as stream:
        with pytest.raises(error, match=text):
            await stream.finished()
    assert stream.chunks == [b"data: before\n\n"]
    assert closed == [True]
    assert len(errors(caplog)) == 1


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"retry": -1}, ValueError),
        ({"retry": 1.5}, TypeError),
        ({"retry": "1"}, TypeError),
        ({"keepalive": 0}, ValueError),
        ({"keepalive": -1.0}, ValueError),
        ({"keepalive": float("nan")}, ValueError),
        ({"keepalive": float("inf")}, ValueError),
        ({"keepalive": "15"}, TypeError),
    ],
    ids=repr,
)
def test_a_wrong_option_is_refused_at_the_call(
    options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error, match=next(iter(options))):
        event_stream(source(), **options)


@pytest.mark.parametrize(
    "events", [[Event("x")], source, None], ids=["list", "function", "None"]
)
def test_what_is_no_async_iterable_is_refused_at_the_call(events: Any) -> None:
    with pytest.raises(TypeError, match="events must be an async iterable"):
        event_stream(events)


# --- one at a time --------------------------------------------------------------------


async def test_an_event_is_delivered_before_the_next_one_is_asked_for() -> None:
    given: list[int] = []

    async def events() -> AsyncIterator[Event]:
        for number in range(3):
            given.append(number)
            yield Event(str(number))

    async with http_stream(serving(events), "GET", "/") as stream:
        for number in range(3):
            await stream.blocked()
            await turns()
            assert given == [*range(number + 1)]
            assert await stream.chunk() == b"data: %d\n\n" % number
        assert await stream.chunk() == b""


async def test_an_event_that_is_waited_for_is_sent_as_soon_as_it_comes() -> None:
    feed = Feed()
    async with http_stream(serving(feed.events), "GET", "/") as stream:
        for number in range(3):
            await turns()
            assert feed.asked == number + 1
            feed.queue.put_nowait(Event(str(number)))
            assert await stream.chunk() == b"data: %d\n\n" % number


@pytest.mark.parametrize("is_late", [False, True])
async def test_what_the_source_raises_comes_after_what_it_gave(
    is_late: bool,  # noqa: FBT001 - of a table
) -> None:
    error = LookupError("no more prices")

    async def events() -> AsyncIterator[Event]:
        yield Event("a")
        if is_late:
            await turns()
        raise error

    async with http_stream(serving(events), "GET", "/", buffer=None) as stream:
        with pytest.raises(LookupError) as caught:
            await stream.finished()
    assert caught.value is error
    assert stream.chunks == [b"data: a\n\n"]


async def test_a_source_that_raises_at_once_fails_after_the_start() -> None:
    class Broken:
        def __aiter__(self) -> AsyncIterator[Event]:
            raise LookupError("no prices")

    async with http_stream(serving(Broken), "GET", "/") as stream:
        with pytest.raises(LookupError, match="no prices"):
            await stream.finished()
    assert stream.status == 200


async def test_a_reader_that_returns_says_which_event_was_its_last() -> None:
    app = Application()

    async def counting(first: int) -> AsyncIterator[Event]:
        for number in range(first, first + 2):
            yield Event(f"number {number}", id=number)

    @app.on_http_request({"GET"}, "/")
    async def count(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        last = header.find(b"last-event-id", scope["headers"])
        first = 0 if last is None else int(last) + 1
        return 200, EVENT_STREAM_HEADERS, event_stream(counting(first))

    headers = []
    for numbers in ([0, 1], [2, 3]):
        response = await http_request(app, "GET", "/", headers=headers)
        events = parse(response.text)
        assert events == [("message", f"number {n}", str(n)) for n in numbers]
        headers = [(b"last-event-id", events[-1][2].encode())]


# --- keep-alive -----------------------------------------------------------------------


async def test_a_silent_stream_gets_a_comment_and_its_source_waits_on(
    clock: Clock,
) -> None:
    feed = Feed()
    async with http_stream(serving(feed.events), "GET", "/") as stream:
        await turns()
        await clock.advance(14.9)
        assert stream.chunks == []
        for _ in range(3):
            await clock.advance(15)
            assert await stream.chunk() == COMMENT
            await turns()
        assert (feed.asked, feed.ended_by) == (1, [])
        feed.queue.put_nowait(Event("at last"))
        assert await stream.chunk() == b"data: at last\n\n"
    assert feed.asked == 2


async def test_an_event_postpones_the_comment(clock: Clock) -> None:
    feed = Feed()
    async with http_stream(serving(feed.events, keepalive=1), "GET", "/") as stream:
        for _ in range(5):
            await clock.advance(0.75)
            feed.queue.put_nowait(Event("x"))
            assert await stream.chunk() == b"data: x\n\n"
            await turns()
        await clock.advance(0.75)
        assert len(stream.chunks) == 5
        await clock.advance(0.25)
        assert await stream.chunk() == COMMENT


async def test_without_keepalive_a_silent_stream_stays_silent(clock: Clock) -> None:
    feed = Feed()
    async with http_stream(serving(feed.events, keepalive=None), "GET", "/") as stream:
        await turns()
        await clock.advance(1e6)
        assert stream.chunks == []
        feed.queue.put_nowait(Event("x"))
        assert await stream.chunk() == b"data: x\n\n"


async def test_the_time_in_which_the_client_does_not_read_is_no_silence(
    clock: Clock,
) -> None:
    feed = Feed()
    async with http_stream(serving(feed.events), "GET", "/") as stream:
        await turns()
        feed.queue.put_nowait(Event("a"))
        await stream.blocked()
        await clock.advance(60)
        assert await stream.chunk() == b"data: a\n\n"
        await turns()
        await clock.advance(14)
        assert stream.chunks == [b"data: a\n\n"]
        await clock.advance(1)
        assert await stream.chunk() == COMMENT


async def test_an_event_that_comes_while_a_comment_is_sent_follows_it(
    clock: Clock,
) -> None:
    feed = Feed()
    async with http_stream(serving(feed.events), "GET", "/") as stream:
        await turns()
        await clock.advance(15)
        await stream.blocked()
        feed.queue.put_nowait(Event("a"))
        await turns()
        assert feed.asked == 1
        assert [await stream.chunk(), await stream.chunk()] == [
            COMMENT,
            b"data: a\n\n",
        ]


async def test_comments_come_by_the_real_clock_too() -> None:
    feed = Feed()
    async with http_stream(serving(feed.events, keepalive=SHORT), "GET", "/") as stream:
        assert [await stream.chunk() for _ in range(3)] == [COMMENT] * 3


# --- the end --------------------------------------------------------------------------


async def leave_at_once(stream: Stream, feed: Feed, clock: Clock) -> None:
    await turns()


async def leave_after_an_event(stream: Stream, feed: Feed, clock: Clock) -> None:
    feed.queue.put_nowait(Event("x"))
    await stream.chunk()
    await turns()


async def leave_after_a_comment(stream: Stream, feed: Feed, clock: Clock) -> None:
    await turns()
    await clock.advance(15)
    await stream.chunk()
    await turns()


async def leave_while_a_comment_is_sent(
    stream: Stream, feed: Feed, clock: Clock
) -> None:
    await turns()
    await clock.advance(15)
    await stream.blocked()


async def leave_while_an_event_is_sent(
    stream: Stream, feed: Feed, clock: Clock
) -> None:
    feed.queue.put_nowait(Event("x"))
    await stream.blocked()


@pytest.mark.parametrize(
    ("until", "ends"),
    [
        (leave_at_once, ["CancelledError"]),
        (leave_after_an_event, ["CancelledError"]),
        (leave_after_a_comment, ["CancelledError"]),
        (leave_while_a_comment_is_sent, ["CancelledError"]),
        # It may be asked for another one, and cancelled, or is closed before that.
        (leave_while_an_event_is_sent, ["CancelledError", "GeneratorExit"]),
    ],
)
@pytest.mark.parametrize("way", ["leave", "cancel"])
async def test_the_source_ends_with_its_client(
    until: Any,
    ends: list[str],
    way: str,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    feed = Feed()
    async with http_stream(serving(feed.events), "GET", "/") as stream:
        await until(stream, feed, clock)
        assert feed.ended_by == []
        getattr(stream, way)()
        await turns(20)
        (end,) = feed.ended_by
        assert end in ends
    assert errors(caplog) == []


class Counted:
    """An iterable, and its iterator as another object, that count how they are used."""

    def __init__(self, events: int = 0) -> None:
        self.begun = self.closed = self.iterators_closed = 0
        self._events = events

    def __aiter__(self) -> "CountedIterator":
        self.begun += 1
        return CountedIterator(self, self._events)

    async def aclose(self) -> None:
        self.closed += 1


class CountedIterator:
    def __init__(self, counted: Counted, events: int) -> None:
        self._counted = counted
        self._left = events

    def __aiter__(self) -> "CountedIterator":
        return self

    async def __anext__(self) -> Event:
        await asyncio.sleep(0)
        if not self._left:
            raise StopAsyncIteration
        self._left -= 1
        return Event("x")

    async def aclose(self) -> None:
        self._counted.iterators_closed += 1


async def test_iterable_and_iterator_are_closed_once_at_the_end() -> None:
    counted = Counted(events=3)
    response = await http_request(serving(lambda: counted), "GET", "/")
    assert response.chunks == [b"data: x\n\n"] * 3
    assert (counted.begun, counted.closed, counted.iterators_closed) == (1, 1, 1)


async def test_iterable_and_iterator_are_closed_once_when_the_client_leaves() -> None:
    counted = Counted(events=3)
    async with http_stream(serving(lambda: counted), "GET", "/") as stream:
        await stream.chunk()
    assert (counted.begun, counted.closed, counted.iterators_closed) == (1, 1, 1)


@pytest.mark.parametrize("retry", [None, 1])
async def test_head_closes_a_source_that_is_never_begun(retry: int | None) -> None:
    counted = Counted()
    app = serving(lambda: counted, retry=retry)
    assert (await http_request(app, "HEAD", "/")).body == b""
    assert (counted.begun, counted.closed, counted.iterators_closed) == (0, 1, 0)


async def test_a_source_is_closed_though_only_the_opening_was_read() -> None:
    counted = Counted()
    body: Any = event_stream(counted, retry=1)
    assert await anext(body) == b"retry: 1\n\n"
    await body.aclose()
    assert (counted.begun, counted.closed) == (0, 1)
    assert await anext(body, None) is None


async def test_a_source_is_closed_though_its_task_had_no_time_to_begin() -> None:
    counted = Counted()
    body: Any = event_stream(counted)
    reading = asyncio.create_task(anext(body))
    await asyncio.sleep(0)
    reading.cancel()
    await body.aclose()
    await body.aclose()
    assert (counted.closed, counted.iterators_closed) == (1, counted.begun)
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_after_its_end_there_is_nothing_to_read_or_to_close() -> None:
    body: Any = event_stream(source(Event("x")))
    assert [chunk async for chunk in body] == [b"data: x\n\n"]
    assert await anext(body, None) is None
    await body.aclose()


async def test_a_source_may_tidy_up_in_its_own_time_after_the_client_left() -> None:
    done: list[str] = []

    async def events() -> AsyncIterator[Event]:
        try:
            await asyncio.Event().wait()
            yield Event("never")
        except asyncio.CancelledError:
            await turns()
            done.append("tidy")

    async with http_stream(serving(events), "GET", "/") as stream:
        await stream.started()
    assert done == ["tidy"]


async def test_an_event_in_answer_to_the_cancellation_is_dropped() -> None:
    ends: list[str] = []

    async def events() -> AsyncIterator[Event]:
        try:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                yield Event("one more")
        except GeneratorExit:
            ends.append("closed")
            raise

    async with http_stream(serving(events), "GET", "/") as stream:
        await stream.started()
    assert stream.chunks == []
    assert ends == ["closed"]


async def test_an_error_in_tidying_up_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def events() -> AsyncIterator[Event]:
        try:
            await asyncio.Event().wait()
            yield Event("never")
        finally:
            raise LookupError("the queue is gone")

    async with http_stream(serving(events), "GET", "/") as stream:
        await stream.started()
    (record,) = errors(caplog)
    assert record.exc_info is not None
    assert "the queue is gone" in str(record.exc_info[1])


async def test_a_source_that_refuses_to_end_is_logged_and_abandoned(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bareasgi.tasks.CLOSING_TIME", SHORT)
    may_end = asyncio.Event()

    async def events() -> AsyncIterator[Event]:
        while not may_end.is_set():
            try:
                await may_end.wait()
            except asyncio.CancelledError:
                continue
        yield Event("too late")

    body: Any = event_stream(events(), keepalive=SHORT)
    assert await anext(body) == COMMENT
    await body.aclose()
    assert "abandoned" in caplog.text
    may_end.set()
    await turns()


async def test_a_second_cancellation_waits_for_the_source() -> None:
    done: list[str] = []

    async def events() -> AsyncIterator[Event]:
        try:
            yield Event("x")
        finally:
            await turns()
            done.append("tidy")

    async def read(body: Any) -> None:
        try:
            async for _ in body:
                await asyncio.Event().wait()
        finally:
            await body.aclose()

    reading = asyncio.create_task(read(event_stream(events())))
    await turns(5)
    for _ in range(3):
        reading.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert done == ["tidy"]


async def test_a_source_that_is_cancelled_from_within_cuts_the_stream(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def events() -> AsyncIterator[Event]:
        yield Event("x")
        raise asyncio.CancelledError

    async with http_stream(serving(events), "GET", "/", buffer=None) as stream:
        with pytest.raises(RuntimeError, match="cancelled from within"):
            await stream.finished()
    assert stream.chunks == [b"data: x\n\n"]
    assert len(errors(caplog)) == 1


# --- where the source runs ------------------------------------------------------------

USER: ContextVar[str] = ContextVar("USER")


async def test_a_source_runs_in_one_task_and_in_the_context_of_its_handler() -> None:
    tasks: set[asyncio.Task[Any] | None] = set()
    users: list[str] = []

    async def events() -> AsyncIterator[Event]:
        try:
            for number in range(3):
                tasks.add(asyncio.current_task())
                users.append(USER.get())
                USER.set(f"{USER.get()} {number}")
                assert sys.exc_info() == (None, None, None)
                yield Event("x")
                await asyncio.sleep(0)
        finally:
            tasks.add(asyncio.current_task())

    app = Application()

    @app.on_http_request({"GET"}, "/")
    async def stream(
        scope: Scope, info: Info, matches: RouteMatches, content: Content
    ) -> HttpResponse:
        USER.set("ada")
        return 200, EVENT_STREAM_HEADERS, event_stream(events())

    await http_request(app, "GET", "/")
    assert len(tasks) == 1
    assert users == ["ada", "ada 0", "ada 0 1"]


async def test_a_timeout_in_a_source_may_span_events_and_comments() -> None:
    async def events() -> AsyncIterator[Event]:
        try:
            async with asyncio.timeout(SHORT * 3):
                yield Event("begin")
                await asyncio.Event().wait()
        except TimeoutError:
            yield Event("end")

    app = serving(events, keepalive=SHORT)
    chunks = (await http_request(app, "GET", "/")).chunks
    assert chunks[0] == b"data: begin\n\n"
    assert chunks[-1] == b"data: end\n\n"
    assert set(chunks[1:-1]) <= {COMMENT}


async def test_a_timeout_in_a_source_does_not_cancel_a_comment_that_is_sent(
    clock: Clock,
) -> None:
    async def events() -> AsyncIterator[Event]:
        try:
            async with asyncio.timeout(20):
                await asyncio.Event().wait()
        except TimeoutError:
            yield Event("nothing new")

    async with http_stream(serving(events), "GET", "/") as stream:
        await turns()
        await clock.advance(15)
        await stream.blocked()
        await clock.advance(10)
        assert await stream.chunk() == COMMENT
        assert await stream.chunk() == b"data: nothing new\n\n"
