"""What `bareasgi.testing` promises, shown on applications written by hand."""

import asyncio
import contextlib
import gc
import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, cast

import pytest

from bareasgi import Application
from bareasgi.testing import (
    LifespanError,
    ProtocolError,
    Response,
    Stream,
    checked,
    http_request,
    http_stream,
    lifespan,
)
from bareasgi.types import Headers, Message, Receive, Send

App = Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]

START: Message = {"type": "http.response.start", "status": 200, "headers": []}
END: Message = {"type": "http.response.body"}
SHORT = 0.05  # seconds: a deadline that is meant to pass


def body(chunk: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": chunk, "more_body": more}


def start(status: object = 200, headers: object = ()) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}


def sending(*messages: object) -> App:
    """Make an application that sends these messages."""

    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


async def read(receive: Receive) -> list[bytes]:
    """Read a request's body."""
    chunks: list[bytes] = []
    while True:
        message = await receive()
        assert message["type"] == "http.request"
        chunks.append(message["body"])
        if not message["more_body"]:
            return chunks


async def scope_app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    """Answer with the scope."""
    seen = {key: repr(value) for key, value in scope.items()}
    await send(START)
    await send(body(json.dumps(seen).encode()))


async def upload_app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    """Answer with the chunks of the request."""
    chunks = await read(receive)
    await send(START)
    await send(body(repr(chunks).encode()))


async def echo_app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    """Answer each chunk of the request with itself, until the client leaves."""
    await send(START)
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        await send(body(message["body"], more=message["more_body"]))
        if not message["more_body"]:
            return


async def endless_app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    """Send chunks for ever, and look out for nothing."""
    await send(START)
    while True:
        await send(body(b"tick", more=True))
        await asyncio.sleep(0)


async def deaf_app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    """Start a response and wait for something that never happens."""
    await send(START)
    await asyncio.Event().wait()


async def waiting_app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    """Start a response, send a chunk, and wait for the client to leave."""
    await send(START)
    await send(body(b"a", more=True))
    while (await receive())["type"] != "http.disconnect":
        pass


async def failing_app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    """Fail in the middle of the body."""
    await send(START)
    await send(body(b"a", more=True))
    raise ZeroDivisionError("in the application")


def tasks() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}


# --- http_request: the scope ----------------------------------------------------------


async def scope_of(method: str, path: str, **arguments: Any) -> dict[str, str]:
    response = await http_request(scope_app, method, path, **arguments)
    seen: dict[str, str] = response.json()
    return seen


async def test_the_scope_is_that_of_a_server_and_adds_nothing_but_a_host() -> None:
    assert await scope_of("get", "/") == {
        "type": "'http'",
        "asgi": "{'version': '3.0', 'spec_version': '2.5'}",
        "http_version": "'1.1'",
        "method": "'GET'",
        "scheme": "'http'",
        "path": "'/'",
        "raw_path": "b'/'",
        "query_string": "b''",
        "root_path": "''",
        "headers": "[(b'host', b'localhost')]",
        "client": "('127.0.0.1', 50000)",
        "server": "('127.0.0.1', 80)",
    }


@pytest.mark.parametrize(
    ("target", "raw_path", "path", "query"),
    [
        ("/a%20b/%C3%A9%2Fc", b"/a%20b/%C3%A9%2Fc", "/a b/é/c", b""),
        ("/é b", b"/%C3%A9%20b", "/é b", b""),
        ("/a?b=%20&c=d?e", b"/a", "/a", b"b=%20&c=d?e"),
        ("/?q=é", b"/", "/", b"q=%C3%A9"),
        ("/%ff", b"/%ff", "/\N{REPLACEMENT CHARACTER}", b""),
        ("//a/..;x/[~]", b"//a/..;x/[~]", "//a/..;x/[~]", b""),
        ("*", b"*", "*", b""),
    ],
    ids=["escapes", "not ascii", "query", "query not ascii", "not utf-8", "odd", "*"],
)
async def test_the_target_arrives_as_sent_and_its_path_decoded(
    target: str, raw_path: bytes, path: str, query: bytes
) -> None:
    seen = await scope_of("GET", target)
    assert seen["raw_path"] == repr(raw_path)
    assert seen["path"] == repr(path)
    assert seen["query_string"] == repr(query)


async def test_header_names_arrive_in_lower_case_and_a_given_host_stays_alone() -> None:
    seen = await scope_of("GET", "/", headers=[(b"X-A", b"B"), (b"Host", b"h.example")])
    assert seen["headers"] == "[(b'x-a', b'B'), (b'host', b'h.example')]"


async def test_what_the_caller_puts_in_the_scope_goes_before_everything_else() -> None:
    seen = await scope_of("GET", "/", scope={"path": "odd", "extensions": {}})
    assert seen["path"] == "'odd'"
    assert seen["extensions"] == "{}"
    assert seen["raw_path"] == "b'/'"


# --- http_request: the content --------------------------------------------------------


def some() -> Iterator[bytes]:
    yield b"a"
    yield b""
    yield b"b"


async def some_async() -> AsyncIterator[bytes]:
    for chunk in some():
        await asyncio.sleep(0)
        yield chunk


@pytest.mark.parametrize(
    ("content", "arrives"),
    [
        (b"", [b""]),
        (b"ab", [b"ab"]),
        ([b"a", b"b"], [b"a", b"b", b""]),
        (some(), [b"a", b"", b"b", b""]),
        (some_async(), [b"a", b"", b"b", b""]),
    ],
    ids=["none", "bytes", "list", "generator", "async generator"],
)
async def test_content_arrives_as_one_message_or_one_for_each_chunk(
    content: Any, arrives: list[bytes]
) -> None:
    response = await http_request(upload_app, "POST", "/", content=content)
    assert response.text == repr(arrives)


async def test_content_is_not_read_further_than_one_chunk_ahead_and_is_closed() -> None:
    read_so_far: list[int] = []
    closed: list[bool] = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            for number in range(1000):
                read_so_far.append(number)
                yield b"x"
        finally:
            closed.append(True)

    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        for _ in range(5):
            await asyncio.sleep(0)
        await send(START)
        await send(END)

    await http_request(app, "POST", "/", content=endless())
    assert read_so_far == [0, 1]
    assert closed == [True]


async def test_an_error_in_the_content_is_a_client_that_leaves_and_is_raised() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise ZeroDivisionError("in the content")

    with pytest.raises(ZeroDivisionError, match="in the content"):
        await http_request(echo_app, "POST", "/", content=broken())


async def test_receive_gives_a_disconnect_once_the_response_is_complete() -> None:
    received: list[str] = []

    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        async def watch() -> None:
            received.extend([(await receive())["type"] for _ in range(3)])

        watcher = asyncio.create_task(watch())
        await send(START)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert received == []  # the request arrived, and nothing since
        assert not watcher.done()
        await send(END)
        await watcher

    await http_request(app, "GET", "/")
    assert received == ["http.request", "http.disconnect", "http.disconnect"]


# --- http_request: the response -------------------------------------------------------


async def test_a_response_has_everything_that_was_sent() -> None:
    headers = [(b"content-type", b"text/plain")]
    pushed = [(b"accept", b"*/*")]
    messages: list[Message] = [
        start(201, headers),
        {"type": "http.response.push", "path": "/a.css", "headers": pushed},
        body(b"a", more=True),
        body(b"", more=True),
        body(b"b"),
    ]
    response = await http_request(
        sending(*messages),
        "GET",
        "/",
        scope={"extensions": {"http.response.push": {}}},
    )
    assert response.status == 201
    assert response.headers is headers
    assert response.pushes == [("/a.css", pushed)]
    assert response.chunks == [b"a", b"b"]
    assert response.body == b"ab"
    assert response.messages == messages
    assert all(one is two for one, two in zip(response.messages, messages, strict=True))


async def test_a_response_without_headers_has_an_empty_list_of_them() -> None:
    app = sending({"type": "http.response.start", "status": 204}, END)
    response = await http_request(app, "GET", "/")
    assert response.headers == []
    assert response.body == b""


@pytest.mark.parametrize(
    "content_type",
    [
        [],
        [b"text/plain"],
        [b"text/plain; charset=utf-8"],
        [b'text/plain;Charset="UTF-8"'],
    ],
    ids=["no type", "no charset", "charset", "quoted charset"],
)
async def test_text_is_utf_8_unless_the_response_says_otherwise(
    content_type: list[bytes],
) -> None:
    headers: Headers = [(b"content-type", value) for value in content_type]
    app = sending(start(200, headers), body("é".encode()))
    assert (await http_request(app, "GET", "/")).text == "é"


async def test_text_follows_the_charset_of_the_response() -> None:
    headers = [(b"content-type", b"text/plain; charset=iso-8859-1; x=y")]
    app = sending(start(200, headers), body("é".encode("latin-1")))
    assert (await http_request(app, "GET", "/")).text == "é"


async def test_json_is_parsed() -> None:
    app = sending(START, body(b'{"name": ["Ada"]}'))
    assert (await http_request(app, "GET", "/")).json() == {"name": ["Ada"]}


async def test_what_was_not_started_has_no_status() -> None:
    with pytest.raises(ProtocolError, match="has not started"):
        _ = Response([]).status


async def test_an_exception_of_the_application_is_the_callers() -> None:
    before = tasks()
    with pytest.raises(ZeroDivisionError, match="in the application"):
        await http_request(failing_app, "GET", "/")
    assert tasks() == before


@pytest.mark.parametrize(
    "messages",
    [[], [START], [START, body(b"a", more=True)]],
    ids=["nothing", "no body", "no end"],
)
async def test_an_incomplete_response_is_an_error(messages: list[Message]) -> None:
    with pytest.raises(ProtocolError, match="returned too early"):
        await http_request(sending(*messages), "GET", "/")


async def test_an_application_that_does_not_answer_in_time_is_an_error() -> None:
    before = tasks()
    with pytest.raises(
        ProtocolError, match=r"waited 0\.05 s for the application to re"
    ):
        await http_request(deaf_app, "GET", "/", timeout=SHORT)
    assert tasks() == before


async def test_without_a_timeout_there_is_no_deadline() -> None:
    assert (await http_request(echo_app, "GET", "/", timeout=None)).status == 200


# --- http_stream ----------------------------------------------------------------------


async def test_chunks_are_seen_one_by_one_and_send_waits_until_they_are_taken() -> None:
    sent: list[bytes] = []

    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        await send(start(202, [(b"a", b"b")]))
        for chunk in (b"a", b"b", b"c"):
            await send(body(chunk, more=True))
            sent.append(chunk)
        await send(END)

    async with http_stream(app, "GET", "/") as stream:
        await stream.started()
        assert stream.status == 202
        assert stream.headers == [(b"a", b"b")]
        await stream.blocked()
        assert sent == []
        assert await stream.chunk() == b"a"
        await stream.blocked()
        assert sent == [b"a"]
        assert [chunk async for chunk in stream] == [b"b", b"c"]
        assert await stream.chunk() == b""
        await stream.finished()
    assert stream.body == b"abc"


async def test_a_buffer_lets_that_many_chunks_wait() -> None:
    async with http_stream(endless_app, "GET", "/", buffer=2) as stream:
        await stream.blocked()
        assert stream.chunks == [b"tick"] * 3
        await stream.chunk()
        await stream.chunk()
        await stream.blocked()
        assert stream.chunks == [b"tick"] * 5
        stream.leave(send_raises=True)
        with pytest.raises(BrokenPipeError):
            await stream.finished()


async def test_an_upload_is_echoed_while_it_is_still_arriving() -> None:
    async with http_stream(echo_app, "POST", "/", content=None) as stream:
        await stream.started()
        await stream.upload(b"a")
        assert await stream.chunk() == b"a"
        await stream.upload(b"b", more=False)
        assert await stream.chunk() == b"b"
        assert await stream.chunk() == b""
        with pytest.raises(ValueError, match="body has ended"):
            await stream.upload(b"c")


async def test_an_upload_waits_until_the_application_takes_it() -> None:
    before = tasks()
    with pytest.raises(ProtocolError, match="take the uploaded chunk"):
        async with http_stream(
            waiting_for(asyncio.Event()), "POST", "/", content=None, timeout=SHORT
        ) as stream:
            await stream.upload(b"a")
    assert tasks() == before


async def test_an_upload_that_fits_the_buffer_does_not_wait() -> None:
    go = asyncio.Event()
    async with http_stream(
        waiting_for(go), "POST", "/", content=None, buffer=2
    ) as stream:
        await stream.upload(b"a")
        await stream.upload(b"b", more=False)
        go.set()
        await stream.finished()
    assert stream.status == 200


async def test_an_upload_is_dropped_when_the_response_is_complete() -> None:
    async with http_stream(sending(START, END), "POST", "/", content=None) as stream:
        await stream.finished()
        await stream.upload(b"a")
        assert stream.messages == [START, END]


async def test_the_end_of_the_body_is_seen_before_the_application_returns() -> None:
    disconnected = asyncio.Event()

    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            disconnected.set()

        watcher = asyncio.create_task(watch())
        await send(START)
        await send(body(b"last"))
        await watcher
        await asyncio.Event().wait()

    async with http_stream(app, "POST", "/", content=None) as stream:
        upload = asyncio.create_task(stream.upload(b"a", more=False))
        await stream.blocked()
        await upload
        assert not disconnected.is_set()
        assert await stream.chunk() == b"last"
        assert await stream.chunk() == b""
        await disconnected.wait()
        stream.cancel()


async def test_an_upload_that_is_waiting_ends_with_the_response() -> None:
    go = asyncio.Event()
    stop = asyncio.Event()

    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        await waiting_for(go)(scope, receive, send)
        await stop.wait()

    async with http_stream(app, "POST", "/", content=None) as stream:
        upload = asyncio.create_task(stream.upload(b"a"))
        await asyncio.sleep(0)
        assert not upload.done()
        go.set()
        await upload
        stop.set()


async def test_content_given_at_once_cannot_be_added_to() -> None:
    async with http_stream(echo_app, "POST", "/", content=b"a") as stream:
        with pytest.raises(ValueError, match="content=None"):
            await stream.upload(b"b")


def waiting_for(event: asyncio.Event) -> App:
    """Make an application that answers after the event, or when the client leaves."""

    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        await event.wait()
        await send(START)
        await send(END)

    return app


async def test_leaving_gives_a_disconnect_before_the_rest_of_an_upload() -> None:
    received: list[str] = []

    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        await send(START)
        await send(MORE)
        received.extend([(await receive())["type"] for _ in range(2)])

    async with http_stream(app, "POST", "/", content=[b"a"] * 9) as stream:
        assert await stream.chunk() == b"a"
        stream.leave()
        assert await stream.chunk() == b""
        await stream.finished()
    assert received == ["http.disconnect", "http.disconnect"]


@pytest.mark.parametrize("send_raises", [False, True], ids=["silent", "raises"])
async def test_a_blocked_send_ends_when_the_client_leaves(*, send_raises: bool) -> None:
    results: list[str] = []

    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        await send(START)
        for _ in range(2):
            try:
                await send(body(b"a", more=True))
                results.append("sent")
            except OSError as error:
                results.append(str(error))

    with contextlib.ExitStack() as expected:
        if not send_raises:  # it has no way to know, so it must complete the response
            expected.enter_context(pytest.raises(ProtocolError, match="too early"))
        async with http_stream(app, "GET", "/") as stream:
            await stream.blocked()
            stream.leave(send_raises=send_raises)
            await stream.finished()
    assert results == (["the client has left"] * 2 if send_raises else ["sent"] * 2)
    assert stream.body == b"a"


async def test_an_application_that_ends_when_the_client_is_gone_needs_no_end() -> None:
    async with http_stream(waiting_app, "GET", "/") as stream:
        assert await stream.chunk() == b"a"


async def test_an_application_that_ignores_a_client_that_left_is_an_error() -> None:
    before = tasks()
    with pytest.raises(ProtocolError, match="the client has left"):
        async with http_stream(endless_app, "GET", "/", timeout=SHORT) as stream:
            await stream.chunk()
    assert tasks() == before


async def test_cancelling_is_raised_where_the_application_waits() -> None:
    before = tasks()
    ended: list[str] = []

    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        try:
            await deaf_app(scope, receive, send)
        finally:
            ended.append("finally")

    async with http_stream(app, "GET", "/") as stream:
        await stream.started()
        stream.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stream.finished()
        assert ended == ["finally"]
    assert tasks() == before


async def test_a_cancelled_application_needs_no_waiting_for() -> None:
    async with http_stream(deaf_app, "GET", "/") as stream:
        await stream.started()
        stream.cancel()
    assert stream.messages == [START]


async def test_a_cancellation_that_the_caller_did_not_ask_for_is_raised() -> None:
    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        async with http_stream(app, "GET", "/"):
            pass


async def test_what_an_application_makes_of_a_cancellation_is_raised() -> None:
    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        try:
            await deaf_app(scope, receive, send)
        except asyncio.CancelledError:
            raise ZeroDivisionError from None

    async def run() -> None:
        async with http_stream(app, "GET", "/") as stream:
            await stream.started()
            stream.cancel()

    with pytest.raises(ZeroDivisionError):
        await run()


async def test_an_application_that_refuses_to_be_cancelled_is_given_up() -> None:
    go = asyncio.Event()
    done = asyncio.Event()

    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await go.wait()
        await go.wait()
        await send(START)
        await send(END)
        done.set()

    with pytest.raises(ProtocolError, match="the client has left"):
        async with http_stream(app, "GET", "/", timeout=SHORT):
            pass
    go.set()
    await done.wait()


async def test_an_exception_of_a_stream_is_raised_where_it_is_waited_for() -> None:
    async with http_stream(failing_app, "GET", "/") as stream:
        assert await stream.chunk() == b"a"
        with pytest.raises(ZeroDivisionError):
            await stream.chunk()


@pytest.mark.parametrize("wait", [Stream.started, Stream.blocked, Stream.finished])
async def test_waiting_for_what_does_not_come_raises_what_the_application_raised(
    wait: Callable[[Stream], Awaitable[None]],
) -> None:
    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    async with http_stream(app, "GET", "/") as stream:
        with pytest.raises(ZeroDivisionError):
            await wait(stream)


async def test_waiting_for_a_blocked_send_is_an_error_after_the_return() -> None:
    async with http_stream(sending(START, END), "GET", "/") as stream:
        with pytest.raises(ProtocolError, match="not blocked in send"):
            await stream.blocked()


async def test_an_early_hint_is_not_the_start_of_the_response() -> None:
    hint = {"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]}
    scope: dict[str, Any] = {"extensions": {"http.response.early_hint": {}}}
    go = asyncio.Event()

    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        await send(hint)
        await waiting_for(go)(scope, receive, send)

    async with http_stream(app, "GET", "/", scope=scope) as stream:
        started = asyncio.create_task(stream.started())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert stream.messages == [hint]
        assert not started.done()
        go.set()
        await started
    assert stream.status == 200


async def test_an_exception_that_nobody_waited_for_is_raised_at_the_end() -> None:
    with pytest.raises(ZeroDivisionError):
        async with http_stream(failing_app, "GET", "/") as stream:
            await stream.chunk()


async def test_an_exception_of_the_block_goes_before_those_of_the_application() -> None:
    before = tasks()
    logged: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, c: logged.append(c))
    with pytest.raises(KeyError):
        async with http_stream(failing_app, "GET", "/"):
            raise KeyError
    with pytest.raises(KeyError):
        async with http_stream(deaf_app, "GET", "/", timeout=SHORT):
            raise KeyError
    assert tasks() == before
    gc.collect()
    assert logged == []  # no "exception was never retrieved"


async def test_a_send_after_the_application_returned_is_raised_at_the_end() -> None:
    late: list[asyncio.Task[None]] = []
    go = asyncio.Event()

    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        async def send_late() -> None:
            await go.wait()
            for chunk in (b"first", b"second"):
                with contextlib.suppress(ProtocolError):
                    await send(body(chunk))

        await send(START)
        await send(END)
        late.append(asyncio.create_task(send_late()))

    async def run() -> None:
        async with http_stream(app, "GET", "/") as stream:
            await stream.finished()
            go.set()
            await late[0]

    with pytest.raises(ProtocolError, match=r"after the application returned.*first"):
        await run()


# --- lifespan -------------------------------------------------------------------------

STARTED = {"type": "lifespan.startup.complete"}
STOPPED = {"type": "lifespan.shutdown.complete"}


def living(
    startup: Message | Exception = STARTED, shutdown: Message | Exception = STOPPED
) -> App:
    """Make an application that answers the two events so."""

    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        for answer in (startup, shutdown):
            scope["state"][(await receive())["type"]] = True
            if isinstance(answer, Exception):
                raise answer
            await send(answer)
            if answer["type"].endswith("failed"):
                return

    return app


async def test_lifespan_starts_up_gives_the_state_and_shuts_down() -> None:
    before = tasks()
    async with lifespan(living()) as state:
        assert state == {"lifespan.startup": True}
    assert state == {"lifespan.startup": True, "lifespan.shutdown": True}
    assert tasks() == before


@pytest.mark.parametrize(
    "app",
    [
        living({"type": "lifespan.startup.failed", "message": "no database"}),
        living(shutdown={"type": "lifespan.shutdown.failed", "message": "no database"}),
    ],
    ids=["startup", "shutdown"],
)
async def test_a_failure_that_the_application_tells_is_raised(app: App) -> None:
    with pytest.raises(LifespanError, match=r"^no database$"):
        async with lifespan(app):
            pass


async def test_an_application_may_tell_of_a_failure_and_raise_it_too() -> None:
    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed"})
        raise ZeroDivisionError

    with pytest.raises(LifespanError, match=r"^$") as raised:
        async with lifespan(app):
            pytest.fail("started up")
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


async def test_a_violation_goes_before_the_failure_that_the_application_tells() -> None:
    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed"})
        await send(STARTED)

    with pytest.raises(ProtocolError, match="out of order"):
        async with lifespan(app):
            pytest.fail("started up")


@pytest.mark.parametrize(
    "app",
    [living(ZeroDivisionError()), living(shutdown=ZeroDivisionError())],
    ids=["startup", "shutdown"],
)
async def test_an_exception_out_of_the_application_is_raised(app: App) -> None:
    with pytest.raises(ZeroDivisionError):
        async with lifespan(app):
            pass


async def test_an_application_that_ends_before_the_shutdown_is_an_error() -> None:
    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        await send(STARTED)

    with pytest.raises(ProtocolError, match="too early"):
        async with lifespan(app):
            pass


async def test_an_exception_of_the_block_still_shuts_down_and_goes_first() -> None:
    state: dict[str, Any] = {}
    with pytest.raises(KeyError):
        async with lifespan(living(shutdown=ZeroDivisionError())) as state:
            raise KeyError
    assert "lifespan.shutdown" in state


async def test_an_application_that_does_not_start_up_in_time_is_an_error() -> None:
    before = tasks()

    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    with pytest.raises(ProtocolError, match=r"an answer to lifespan\.startup"):
        async with lifespan(app, timeout=SHORT):
            pytest.fail("started up")
    assert tasks() == before


async def test_an_application_must_return_after_the_shutdown() -> None:
    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        await living()(scope, receive, send)
        await asyncio.Event().wait()

    with pytest.raises(ProtocolError, match=r"to end after lifespan\.shutdown"):
        async with lifespan(app, timeout=SHORT):
            pass


# --- the checker ----------------------------------------------------------------------

EXTENSIONS: dict[str, Any] = {
    "http.response.push": {},
    "http.response.early_hint": {},
    "http.response.pathsend": {},
    "http.response.trailers": {},
}
HINT = {"type": "http.response.early_hint", "links": (b"</a>",)}
PUSH = {"type": "http.response.push", "path": "/a", "headers": ()}
FILE = {"type": "http.response.pathsend", "path": "/a"}
MORE = body(b"a", more=True)
PROMISE = {"type": "http.response.start", "status": 200, "trailers": True}
TRAILERS = {"type": "http.response.trailers", "headers": [(b"a", b"b")]}
MORE_TRAILERS = {**TRAILERS, "more_trailers": True}


@pytest.mark.parametrize(
    "messages",
    [
        [START, END],
        [start(599, [[b"x-a", b""], (b"content-length", b"02")]), MORE, body(b"b")],
        [HINT, HINT, START, HINT, PUSH, PUSH, MORE, PUSH, HINT, END],
        [START, FILE],
        [start(200, [(b"content-length", b"9")]), FILE],
        [PROMISE, MORE, END, MORE_TRAILERS, MORE_TRAILERS, TRAILERS],
        [PROMISE, FILE, TRAILERS],
        [start(304, [(b"content-length", b"9")]), END],
        [start(204), END],
    ],
    ids=str,
)
async def test_what_the_protocol_allows_passes(messages: list[Message]) -> None:
    scope = {"extensions": EXTENSIONS}
    response = await http_request(sending(*messages), "GET", "/", scope=scope)
    assert response.messages == messages


async def test_the_answer_to_head_may_tell_the_length_of_the_body_it_leaves_out() -> (
    None
):
    app = sending(start(200, [(b"content-length", b"9")]), END)
    assert (await http_request(app, "HEAD", "/")).body == b""


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (None, "must be a dict"),
        ([("type", "http.response.start")], "must be a dict"),
        ({}, "type None"),
        ({"type": ["http.response.start"]}, "is not one of scope http"),
        ({"type": "http.response.begin"}, "is not one of scope http"),
        ({"type": "http.request"}, "is not one of scope http"),
        ({"type": "websocket.close"}, "is not one of scope http"),
        ({"type": "http.response.start"}, "must have the key status"),
        ({**START, "body": b""}, "has no key 'body'"),
        ({"type": "http.response.start", 1: b""}, "has no key 1"),
        (start("200"), "status must be an int"),
        (start(True), "status must be an int"),  # noqa: FBT003  the value tested
        (start(200.0), "status must be an int"),
        (start(103), "status must be an int"),
        (start(600), "status must be an int"),
        ({**START, "trailers": 1}, "trailers must be a bool"),
        (start(200, None), "headers must be"),
        (start(200, {b"a": b"b"}), "headers must be"),
        (start(200, {(b"a", b"b"): 0}.keys()), "headers must be"),
        (start(200, [b"ab"]), "headers must be"),
        (start(200, [{b"a": 1, b"b": 2}]), "headers must be"),
        (start(200, [(b"a",)]), "headers must be"),
        (start(200, [(b"a", b"b", b"c")]), "headers must be"),
        (start(200, [("a", b"b")]), "headers must be"),
        (start(200, [(b"a", "b")]), "headers must be"),
        (start(200, [(b"a", bytearray(b"b"))]), "headers must be"),
        (start(200, [(b"A", b"b")]), "headers must be"),
        (start(200, [(b"", b"b")]), "headers must be"),
        (start(200, [(b"a b", b"b")]), "headers must be"),
        (start(200, [(b":status", b"200")]), "headers must be"),
        (start(200, [(b"a\n", b"b")]), "headers must be"),
        (start(200, [(b"a", b"b\r\nc: d")]), "headers must be"),
        (start(200, [(b"a", b"b\r")]), "headers must be"),
        (start(200, [(b"a", b"b\x00")]), "headers must be"),
        (start(200, [(b"content-length", b"-1")]), "content-length must be one number"),
        (start(200, [(b"content-length", b"")]), "content-length must be one number"),
        (
            start(200, [(b"content-length", b"1"), (b"content-length", b"2")]),
            "content-length must be one number",
        ),
    ],
    ids=str,
)
async def test_a_first_message_that_no_server_could_use_is_refused(
    message: object, problem: str
) -> None:
    with pytest.raises(ProtocolError, match=problem):
        await http_request(sending(message, END), "GET", "/")


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({"type": "http.response.body", "body": "a"}, "body must be bytes"),
        ({"type": "http.response.body", "body": None}, "body must be bytes"),
        ({"type": "http.response.body", "body": bytearray(b"a")}, "body must be bytes"),
        ({"type": "http.response.body", "more_body": 1}, "more_body must be a bool"),
        ({"type": "http.response.body", "more": True}, "has no key 'more'"),
        ({"type": "http.response.push", "path": "/"}, "must have the key headers"),
        ({**PUSH, "path": b"/"}, "path must be a str"),
        ({**PUSH, "path": "a"}, "path must be a str that begins with a slash"),
        ({**PUSH, "headers": [(b"A", b"")]}, "headers must be"),
        ({"type": "http.response.early_hint"}, "must have the key links"),
        ({**HINT, "links": b"</a>"}, "links must be"),
        ({**HINT, "links": ["</a>"]}, "links must be"),
        ({**HINT, "links": {b"</a>": 0}.keys()}, "links must be"),
        ({**HINT, "links": [b"</a>\n"]}, "links must be"),
        ({**FILE, "path": "a"}, "path must be a str, an absolute path"),
        ({**FILE, "path": b"/a"}, "path must be a str, an absolute path"),
        ({**FILE, "more_body": True}, "has no key 'more_body'"),
        ({**TRAILERS, "headers": None}, "headers must be"),
        ({**TRAILERS, "more_trailers": None}, "more_trailers must be a bool"),
    ],
    ids=str,
)
async def test_a_later_message_that_no_server_could_use_is_refused(
    message: Message, problem: str
) -> None:
    with pytest.raises(ProtocolError, match=problem):
        await http_request(
            sending(START, message, END), "GET", "/", scope={"extensions": EXTENSIONS}
        )


@pytest.mark.parametrize(
    "messages",
    [
        [END],
        [PUSH, START, END],
        [START, START, END],
        [START, MORE, START, END],
        [START, END, END],
        [START, END, PUSH],
        [START, END, HINT],
        [START, END, START],
        [START, MORE, FILE],
        [START, FILE, END],
        [START, TRAILERS],
        [START, END, TRAILERS],
        [PROMISE, TRAILERS, END],
        [PROMISE, END, END],
        [PROMISE, END, TRAILERS, TRAILERS],
    ],
    ids=str,
)
async def test_messages_out_of_order_are_refused(messages: list[Message]) -> None:
    with pytest.raises(ProtocolError, match="out of order"):
        await http_request(
            sending(*messages), "GET", "/", scope={"extensions": EXTENSIONS}
        )


async def test_a_refusal_tells_what_might_have_been_sent() -> None:
    expected = (
        r"http\.response\.start is out of order: after http\.response\.body with more"
        r" to come may follow http\.response\.body, http\.response\.early_hint, "
    )
    with pytest.raises(ProtocolError, match=expected):
        await http_request(sending(START, MORE, START), "GET", "/")


async def test_promised_trailers_must_be_sent() -> None:
    with pytest.raises(ProtocolError, match="too early"):
        await http_request(
            sending(PROMISE, END), "GET", "/", scope={"extensions": EXTENSIONS}
        )


@pytest.mark.parametrize("extensions", [None, {}], ids=["None", "empty"])
@pytest.mark.parametrize(
    "messages", [[HINT], [START, PUSH], [START, FILE], [PROMISE]], ids=str
)
async def test_what_needs_an_extension_is_refused_without_it(
    messages: list[Message], extensions: object
) -> None:
    with pytest.raises(ProtocolError, match="has no extension"):
        await http_request(
            sending(*messages, END), "GET", "/", scope={"extensions": extensions}
        )


@pytest.mark.parametrize(
    ("method", "status"),
    [("HEAD", 200), ("GET", 204), ("GET", 304)],
    ids=["HEAD", "204", "304"],
)
async def test_a_body_where_there_can_be_none_is_refused(
    method: str, status: int
) -> None:
    with pytest.raises(ProtocolError, match="have no body"):
        await http_request(sending(start(status), body(b"a")), method, "/")


@pytest.mark.parametrize(
    "messages",
    [[END], [body(b"a")], [MORE, END], [body(b"abc")], [MORE, MORE, MORE]],
    ids=str,
)
async def test_a_body_of_another_length_than_was_told_is_refused(
    messages: list[Message],
) -> None:
    first = start(200, [(b"content-length", b"2")])
    with pytest.raises(ProtocolError, match="content-length is 2, and this makes"):
        await http_request(sending(first, *messages), "GET", "/")


async def test_a_violation_that_the_application_swallows_is_raised_all_the_same() -> (
    None
):
    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        with contextlib.suppress(ProtocolError):
            await send(END)
        with contextlib.suppress(ProtocolError):
            await send(None)
        await send(START)
        await send(END)

    with pytest.raises(ProtocolError, match="out of order"):
        await http_request(app, "GET", "/")


async def test_a_violation_goes_before_the_exception_that_came_of_it() -> None:
    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        try:
            await send(END)
        except ProtocolError as error:
            raise ZeroDivisionError from error

    with pytest.raises(ProtocolError, match="out of order") as raised:
        await http_request(app, "GET", "/")
    assert isinstance(raised.value.__context__, ZeroDivisionError)


async def test_a_message_that_is_changed_after_it_was_sent_is_an_error() -> None:
    headers = [(b"a", b"b")]

    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        await send(start(200, headers))
        await send(END)
        headers.append((b"c", b"d"))

    with pytest.raises(ProtocolError, match="changed after it was sent"):
        await http_request(app, "GET", "/")


async def test_a_changed_message_is_found_in_a_long_stream_while_it_runs() -> None:
    sizes: list[int] = []

    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        message = dict(MORE)
        await send(START)
        for _ in range(1000):
            await send(message)
            message["body"] += b"a"
            sizes.append(len(message["body"]))

    with pytest.raises(ProtocolError, match="changed after it was sent"):
        await http_request(app, "GET", "/")
    assert len(sizes) < 100


async def test_a_long_stream_passes() -> None:
    response = await http_request(sending(START, *([MORE] * 200), END), "GET", "/")
    assert response.body == b"a" * 200


async def test_sending_from_two_tasks_at_once_is_an_error() -> None:
    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        await send(START)
        await asyncio.gather(send(MORE), send(MORE))

    async with http_stream(app, "GET", "/") as stream:
        with pytest.raises(ProtocolError, match="before the last send returned"):
            await stream.finished()


async def test_receiving_in_two_tasks_at_once_is_an_error() -> None:
    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        await asyncio.gather(receive(), receive())

    async with http_stream(app, "POST", "/", content=None) as stream:
        with pytest.raises(ProtocolError, match="before the last call of it"):
            await stream.finished()


async def test_receiving_after_the_application_returned_is_an_error() -> None:
    kept: list[Receive] = []

    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        kept.append(receive)
        await send(START)
        await send(END)

    await http_request(app, "GET", "/")
    with pytest.raises(ProtocolError, match="receive was called after"):
        await kept[0]()


# --- the checker on a web socket ------------------------------------------------------

ACCEPT = {"type": "websocket.accept"}
SEND = {"type": "websocket.send", "text": ""}
CLOSE = {"type": "websocket.close"}
DENY = {"type": "websocket.http.response.start", "status": 404}
DENIED = {"type": "websocket.http.response.body", "body": b"a"}


async def web_socket(
    messages: list[Any], *events: str, extensions: Mapping[str, Any] | None = None
) -> list[Message]:
    """Send these messages on a web socket, after each event that is received."""
    sent: list[Message] = []
    incoming = iter(events)

    async def receive() -> Message:
        return {"type": next(incoming)}

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        for _ in events:
            await receive()
        await sending(*messages)(scope, receive, send)

    scope = {"type": "websocket", "subprotocols": ["chat"], "extensions": extensions}
    await checked(app)(scope, receive, send)
    return sent


@pytest.mark.parametrize(
    "messages",
    [
        [CLOSE],
        [ACCEPT, CLOSE],
        [
            {**ACCEPT, "subprotocol": "chat", "headers": [(b"a", b"b")]},
            SEND,
            {"type": "websocket.send", "bytes": b"", "text": None},
            {"type": "websocket.send", "bytes": None, "text": "a"},
            {**CLOSE, "code": 4999, "reason": "x" * 123},
        ],
        [{**ACCEPT, "subprotocol": None}, {**CLOSE, "code": 1000, "reason": None}],
        [DENY, {**DENIED, "more_body": True}, DENIED],
    ],
    ids=str,
)
async def test_what_a_web_socket_may_send_passes(messages: list[Message]) -> None:
    extensions: dict[str, Any] = {"websocket.http.response": {}}
    sent = await web_socket(messages, "websocket.connect", extensions=extensions)
    assert sent == messages


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([START], "is not one of scope websocket"),
        ([DENY, DENIED], "has no extension websocket.http.response"),
        ([SEND], "out of order"),
        ([ACCEPT, ACCEPT], "out of order"),
        ([ACCEPT, CLOSE, SEND], "out of order"),
        ([ACCEPT, CLOSE, CLOSE], "out of order"),
        ([CLOSE, ACCEPT], "out of order"),
        ([], "too early"),
        ([ACCEPT], "too early"),
        ([{**ACCEPT, "subprotocol": "other"}], "was not offered"),
        ([{**ACCEPT, "subprotocol": b"chat"}], "subprotocol must be a str or None"),
        ([{**ACCEPT, "headers": [(b"A", b"")]}], "headers must be"),
        ([{**ACCEPT, "headers": [(b"sec-websocket-protocol", b"chat")]}], "no header"),
        ([ACCEPT, {"type": "websocket.send"}], "either bytes or text"),
        ([ACCEPT, {**SEND, "bytes": b""}], "either bytes or text"),
        ([ACCEPT, {"type": "websocket.send", "bytes": "a"}], "bytes must be"),
        ([ACCEPT, {"type": "websocket.send", "text": b"a"}], "text must be"),
        ([ACCEPT, {**CLOSE, "code": "1000"}], "code must be"),
        ([ACCEPT, {**CLOSE, "code": 1000.0}], "code must be"),
        ([ACCEPT, {**CLOSE, "code": 999}], "code must be"),
        ([ACCEPT, {**CLOSE, "code": 1006}], "code must be"),
        ([ACCEPT, {**CLOSE, "reason": "é" * 62}], "reason must be"),
        ([ACCEPT, {**CLOSE, "reason": b""}], "reason must be"),
    ],
    ids=str,
)
async def test_what_a_web_socket_may_not_send_is_refused(
    messages: list[Message], problem: str
) -> None:
    with pytest.raises(ProtocolError, match=problem):
        await web_socket(messages, "websocket.connect")


async def test_a_web_socket_may_not_be_accepted_before_the_connect_was_received() -> (
    None
):
    with pytest.raises(ProtocolError, match="may follow nothing"):
        await web_socket([ACCEPT, CLOSE])


async def test_a_web_socket_that_the_client_left_needs_no_close() -> None:
    assert await web_socket([], "websocket.connect", "websocket.disconnect") == []


# --- the checker by itself ------------------------------------------------------------


async def test_a_scope_of_another_type_is_passed_on_without_a_check() -> None:
    sent: list[object] = []

    async def receive() -> Message:
        raise AssertionError

    async def send(message: object) -> None:
        sent.append(message)

    await checked(sending("anything"))({"type": "telegraph"}, receive, send)
    assert sent == ["anything"]


async def test_a_checked_application_is_a_coroutine_function_as_servers_want_it() -> (
    None
):
    assert inspect.iscoroutinefunction(checked(scope_app))
    assert (await http_request(checked(echo_app), "GET", "/")).status == 200


@pytest.mark.parametrize(
    "field", [("origin", b"x"), (b"origin", "x"), "origin"], ids=repr
)
async def test_a_header_that_is_no_pair_of_bytes_is_refused(field: Any) -> None:
    with pytest.raises(TypeError, match="must be a pair of bytes"):
        await http_request(Application(), "GET", "/", headers=[field])


async def test_a_text_as_the_content_is_refused() -> None:
    with pytest.raises(TypeError, match="the content must be bytes, not"):
        await http_request(Application(), "POST", "/", content=cast(Any, "text"))
